// The pure pieces under sosie.compat.
#include <pybind11/stl.h>

#include <string>

#include "convert.h"
#include "redis/semantic_index.h"
#include "rooms.h"
#include "text/answer_kind.h"
#include "text/prompt.h"
#include "text/python_value.h"

namespace sosie::python {
namespace {

using text::PythonValue;

/// A str of text that may hold lone surrogates as three bytes each.
py::str python_text(const std::string& text) {
  PyObject* made = PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogatepass");
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(made);
}

/// The bytes of such a str.
std::string loose_bytes_of(const py::object& text, const char* name) {
  if (!py::isinstance<py::str>(text)) return bytes_of(text, name);
  return py::reinterpret_steal<py::bytes>(PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogatepass"))
      .cast<std::string>();
}

py::object integer(const std::string& digits) {
  PyObject* made = PyLong_FromString(digits.c_str(), nullptr, 10);
  if (made == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(made);
}

/// Recursion ends where the reader's own bound on nesting does.
py::object python_value(const PythonValue& value) {
  switch (value.kind) {
    case PythonValue::Kind::none: return py::none();
    case PythonValue::Kind::boolean: return py::bool_(value.boolean);
    case PythonValue::Kind::integer: return integer(value.text);
    case PythonValue::Kind::floating: return py::float_(value.number);
    case PythonValue::Kind::complex:
      return py::reinterpret_steal<py::object>(PyComplex_FromDoubles(value.number, value.imaginary));
    case PythonValue::Kind::string: return python_text(value.text);
    case PythonValue::Kind::bytes: return py::bytes(value.text);
    case PythonValue::Kind::ellipsis: return py::ellipsis();
    case PythonValue::Kind::list: {
      py::list list(value.items.size());
      for (std::size_t i = 0; i < value.items.size(); ++i) list[i] = python_value(value.items[i]);
      return list;
    }
    case PythonValue::Kind::tuple: {
      py::tuple tuple(value.items.size());
      for (std::size_t i = 0; i < value.items.size(); ++i) tuple[i] = python_value(value.items[i]);
      return tuple;
    }
    case PythonValue::Kind::set: {
      py::set set;
      for (const PythonValue& item : value.items) {
        if (!set.add(python_value(item))) throw py::error_already_set();
      }
      return set;
    }
    case PythonValue::Kind::dict: {
      py::dict dict;
      for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
        dict[python_value(value.items[i])] = python_value(value.items[i + 1]);
      }
      return dict;
    }
  }
  return py::none();
}

[[noreturn]] void raise_as(const char* name, const Error& error) {
  py::set_error(py::module_::import("sosie._errors").attr(name), error.message.c_str());
  throw py::error_already_set();
}

py::object prompt_from_json(const std::string& kwargs) {
  auto prompt = unlocked_for(kwargs.size(), [&] { return text::prompt_from_kwargs(kwargs); });
  if (!prompt) raise_as("PromptError", prompt.error());
  if (!*prompt) return py::none();
  return python_text(**prompt);
}

redis::TagFilters filters_of(const py::dict& given) {
  redis::TagFilters filters;
  for (const auto& [name, value] : given) {
    filters.emplace(bytes_of(py::reinterpret_borrow<py::object>(name), "a filter's name"),
                    bytes_of(py::reinterpret_borrow<py::object>(value), "a filter's value"));
  }
  return filters;
}

}  // namespace

py::object read_value(const std::string& stored) {
  auto value = unlocked_for(stored.size(), [&] { return text::read_value(stored); });
  if (!value) raise_as("UnreadableValueError", value.error());
  if (!*value) return py::none();
  return python_value(**value);
}

void bind_compat(py::module_& module) {
  module.def("prompt_from_json", &prompt_from_json, py::arg("kwargs"));
  module.def(
      "read_value", [](const py::object& stored) { return read_value(loose_bytes_of(stored, "stored")); },
      py::arg("stored"));
  module.def(
      "is_embedding",
      [](const py::object& stored) {
        const std::string bytes = loose_bytes_of(stored, "stored");
        return unlocked_for(bytes.size(), [&] {
          const auto envelope = text::read_envelope(bytes);
          return envelope && *envelope && text::kind_of_answer((*envelope)->response) == text::AnswerKind::embedding;
        });
      },
      py::arg("stored"));
  module.def(
      "entry_id",
      [](const py::object& prompt, const py::dict& filters) {
        return redis::entry_id(bytes_of(prompt, "prompt"), filters_of(filters));
      },
      py::arg("prompt"), py::arg("filters"));
  module.def(
      "redis_key",
      [](const py::object& index, const py::object& entry_id) {
        return text_of(redis::entry_key(bytes_of(index, "index"), bytes_of(entry_id, "entry_id")));
      },
      py::arg("index"), py::arg("entry_id"));
  module.def(
      "escape_tag", [](const py::object& value) { return text_of(redis::escape_tag(bytes_of(value, "value"))); },
      py::arg("value"));
  module.def(
      "search_query", [](const py::dict& filters) { return text_of(redis::search_query(filters_of(filters))); },
      py::arg("filters"));
}

}  // namespace sosie::python
