// tokenizer.h: the tokenizer of an encoder, whichever kind it is of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "sosie/result.h"
#include "text/tokens.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

namespace sosie::text {

using TokenizerSpec = std::variant<WordPieceSpec, UnigramSpec>;

/// Thread-safety: immutable; every method may be called concurrently.
class Tokenizer {
 public:
  /// Errors: those of WordPiece::create and Unigram::create.
  static Result<Tokenizer> create(TokenizerSpec spec);

  /// At most `max_tokens` ids, the two special ones included. Any bytes; those that are not UTF-8 are read as U+FFFD. REQUIRES: max_tokens >= 2.
  Tokens tokenize(std::string_view text, std::size_t max_tokens) const;

  /// The largest id it can give.
  std::int32_t max_id() const noexcept;

  /// Whether texts are the same to it in any letter case.
  bool lowercases() const noexcept;

 private:
  using Kind = std::variant<WordPiece, Unigram>;
  explicit Tokenizer(Kind kind) : kind_(std::move(kind)) {}
  Kind kind_;
};

}  // namespace sosie::text
