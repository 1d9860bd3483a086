// python_value.h: a stored value, as LiteLLM reads it back: JSON, else a Python literal (contract section 3.2).
//
// Thread-safety: pure functions.
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
  double number = 0;     ///< floating; the real part of complex.
  double imaginary = 0;  ///< complex.
  std::string text;      ///< string, bytes; integer: decimal digits with "-" where negative.
  /// list, tuple, set; dict: keys and values in turn, in order of first insertion, the last value of a key wins.
  std::vector<PythonValue> items;
};

/// Reads what `json.loads`, else `ast.literal_eval` of CPython 3.11 would read; bytes that are not UTF-8 are dropped,
/// as RedisVL drops them. Unset: neither reads it, or it is None (a miss). Hostile input costs at most n log n of its
/// length and a bounded stack.
/// Errors: data_corruption, where CPython raises something that upstream does not catch (nesting too deep, an integer of
/// more than 4300 digits, an unhashable key): a miss too, reported with similarity 0.
Result<std::optional<PythonValue>> read_value(std::string_view stored);

/// LiteLLM's envelope: {"timestamp": seconds, "response": text or object}.
struct Envelope {
  std::string response;  ///< The text, in valid UTF-8 (what is not becomes U+FFFD); an object as JSON text.
  /// Unset: the value is no envelope, and `response` is the whole value as JSON text.
  std::optional<double> timestamp;
};

/// What `read_value` reads, opened. Unset: a miss.
/// Errors: data_corruption, as above; a timestamp that is no number; a response that is missing, or neither a text nor
/// an object (upstream raises); a value that JSON cannot carry (bytes, complex, NaN, …; tuples and sets become arrays).
Result<std::optional<Envelope>> read_envelope(std::string_view stored);

/// The envelope as JSON: {"timestamp": …, "response": "…"}. `response` is any text; what of it is not UTF-8 becomes
/// U+FFFD. REQUIRES: `timestamp` is finite.
std::string write_envelope(std::string_view response, double timestamp);

/// JSON text of a value: shortest round-trip numbers, raw UTF-8 (lone surrogates as escapes), compact. Errors:
/// data_corruption, where JSON cannot carry it.
Result<std::string> to_json(const PythonValue& value);

}  // namespace sosie::text
