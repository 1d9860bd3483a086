// bert_unicode.h: character properties as Hugging Face's BERT tokenizer sees them (generate_bert_unicode.py says why not
// as Unicode of one version has them).
//
// Thread-safety: pure functions.
#pragma once

#include <string>

namespace sosie::text::bert {

bool is_removed(char32_t point) noexcept;      ///< Dropped by cleaning: control, format, private use, U+FFFD.
bool is_space(char32_t point) noexcept;        ///< Read as a space.
bool is_mark(char32_t point) noexcept;         ///< Dropped by accent stripping: nonspacing marks.
bool is_punctuation(char32_t point) noexcept;  ///< A word of its own.
bool is_chinese(char32_t point) noexcept;      ///< A word of its own where Chinese characters are split.

/// Appends the lower case of a code point.
void append_lower(char32_t point, std::u32string& out);

/// Appends the canonical decomposition of a code point.
void append_decomposed(char32_t point, std::u32string& out);

/// Canonical combining class; 0: a starter.
int combining_class(char32_t point) noexcept;

}  // namespace sosie::text::bert
