// token_window.h: what a model of so many input tokens sees of a text, where its tokenizer is not known.
#pragma once

#include <cstddef>
#include <string_view>

#include "text/utf8.h"

namespace sosie::text {

/// The start of `text` that fits into `tokens` of the usual vocabularies: a token spans two bytes at least of nearly every text.
inline std::string_view window_of(std::string_view text, std::size_t tokens) noexcept { return prefix_of(text, tokens * 2); }

}  // namespace sosie::text
