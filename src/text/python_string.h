// python_string.h: the string and bytes literals of Python source text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sosie::text {

struct StringPrefix {
  bool raw = false;
  bool bytes = false;
};

/// The letters before a quote. Unset: no such prefix, or an f-string's, which is no literal.
std::optional<StringPrefix> string_prefix(std::string_view letters) noexcept;

/// Appends what the literal stands for. `source` begins with its opening quote, has "\n" as the only line end and no
/// NUL. Returns the literal's length in bytes; unset: a SyntaxError.
std::optional<std::size_t> read_string_literal(std::string_view source, StringPrefix prefix, std::string& out);

}  // namespace sosie::text
