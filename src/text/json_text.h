// json_text.h: Python values as JSON text, as Python's json.dumps with separators (",", ":") writes them.
#pragma once

#include <string>

#include "sosie/result.h"
#include "text/python_value.h"

namespace sosie::text {

struct JsonForm {
  bool ascii = false;       ///< Everything beyond ASCII as \u escapes (ensure_ascii).
  bool sorted = false;      ///< Members in the order of their keys' bytes, not of their insertion.
  bool non_finite = false;  ///< NaN, Infinity and -Infinity are written; otherwise they are an error.
};

/// Appends `value`. Lone surrogates are written as escapes; tuples and sets as arrays; keys that are numbers, true,
/// false or None as strings. Errors: data_corruption, for what JSON cannot carry (`out` then holds a part).
Result<void> append_json(const PythonValue& value, JsonForm form, std::string& out);

/// Appends a JSON string of `text`. REQUIRES: it is UTF-8, but for lone surrogates as three bytes.
void append_json_string(std::string_view text, bool ascii, std::string& out);

/// Appends Python's `repr(number)`, but NaN, Infinity and -Infinity as json.dumps writes them.
void append_float(double number, std::string& out);

}  // namespace sosie::text
