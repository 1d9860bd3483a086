// ignorable.h: the few invisible characters that the tokenizer drops and that nobody hides a text in.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sosie::text {

/// Whether `point`, which stands at byte `at` of `text`, is one of them: a soft hyphen, a byte order mark at the very start, a choice of
/// style (U+FE0E or U+FE0F) directly behind an emoji.
bool is_ignorable(std::string_view text, std::size_t at, char32_t point) noexcept;

/// The bytes `begin` to `end` of `text` without them.
std::string without_ignorable(std::string_view text, std::size_t begin, std::size_t end);

}  // namespace sosie::text
