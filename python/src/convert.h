// convert.h: between Python's words and the library's.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sosie/entry.h"
#include "sosie/result.h"

namespace sosie::python {

namespace py = pybind11;

/// Raises the Python exception (sosie._errors) that stands for the error. Holds the GIL.
[[noreturn]] void raise(const Error& error);

/// The value, or its error as a Python exception. Holds the GIL.
template <class T>
T value_of(Result<T>&& result) {
  if (!result) raise(result.error());
  return std::move(*result);
}
inline void value_of(Result<void>&& result) {
  if (!result) raise(result.error());
}

/// Runs `work`, which touches no Python object, without the GIL.
template <class Work>
auto unlocked(Work&& work) {
  py::gil_scoped_release release;
  return work();
}

/// `unlocked` for work on that many bytes; for a few, giving the GIL away and waiting for it costs more than the work.
template <class Work>
auto unlocked_for(std::size_t bytes, Work&& work) {
  constexpr std::size_t kWorthIt = 16 * 1024;
  if (bytes < kWorthIt) return work();
  return unlocked(std::forward<Work>(work));
}

/// Seconds (int or float) or a timedelta; None: unset. Raises TypeError, and InvalidArgumentError for what is not
/// finite.
std::optional<std::chrono::milliseconds> duration(const py::object& given, const char* name);

py::object timedelta(std::chrono::milliseconds duration);

/// An aware datetime in UTC.
py::object datetime(TimePoint time);

/// The text's UTF-8 bytes; raises UnicodeEncodeError for lone surrogates. Bytes are taken as they are.
std::string bytes_of(const py::object& text, const char* name);

/// A str; bytes that are no UTF-8 become lone surrogates, as in file names ("surrogateescape").
py::str text_of(std::string_view bytes);

Attributes attributes_of(const py::object& given);
py::dict dict_of(const Attributes& attributes);

}  // namespace sosie::python
