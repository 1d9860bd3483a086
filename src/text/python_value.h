// python_value.h: a stored value, as LiteLLM reads it back: JSON, else a Python literal (contract section 3.2).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sosie/result.h"

namespace sosie::text {

/// A Python value. Strings hold UTF-8, with lone surrogates as the three bytes of their UTF-8-like form.
struct PythonValue {
  enum class Kind { none, boolean, integer, floating, complex, string, bytes, ellipsis, list, tuple, set, dict };

  Kind kind = Kind::none;
  bool boolean = false;
  double number = 0;               ///< floating; the real part of complex.
  double imaginary = 0;            ///< complex.
  std::string text;                ///< string, bytes; integer: decimal digits with "-" where negative.
  std::vector<PythonValue> items;  ///< list, tuple, set; dict: keys and values in turn, in order of first insertion, last value wins.
};

/// Reads what `json.loads`, else `ast.literal_eval` of CPython 3.11 would read. Unset: neither does (a miss).
/// Errors: data_corruption, where CPython raises something that upstream does not catch (nesting too deep, an integer of more than 4300 digits,
/// an unhashable key): a miss too, reported with similarity 0. Hostile input costs at most time linear in its length and bounded stack.
Result<std::optional<PythonValue>> read_value(std::string_view stored);

/// LiteLLM's envelope: {"timestamp": seconds, "response": text or object}.
struct Envelope {
  std::string response;              ///< The text; an object or any other value as JSON text.
  std::optional<double> timestamp;   ///< Unset: the value is no envelope, and `response` is the whole value as JSON text.
};

/// What `read_value` reads, opened; the usual form, a JSON or Python dict of these two members, is read in one pass.
/// Unset: a miss. Values that JSON cannot carry (bytes, complex, …; tuples and sets become arrays) are data_corruption.
Result<std::optional<Envelope>> read_envelope(std::string_view stored);

/// The envelope as JSON. `response` is any text, written as a JSON string; invalid UTF-8 becomes U+FFFD.
std::string write_envelope(std::string_view response, double timestamp);

/// JSON text of a value: shortest round-trip numbers, raw UTF-8, compact. Errors: data_corruption, as above.
Result<std::string> to_json(const PythonValue& value);

}  // namespace sosie::text
