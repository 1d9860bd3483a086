// wordpiece.h: BERT's tokenizer: cleaning, word splitting, WordPiece. Its ids equal those of Hugging Face `tokenizers`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sosie/result.h"
#include "text/tokens.h"

namespace sosie::text {

/// What a tokenizer is made of. The defaults are those of BERT uncased.
struct WordPieceSpec {
  std::vector<std::pair<std::string, std::int32_t>> vocabulary;
  /// Taken out of the raw text before anything else, case and all, as Hugging Face does with "[SEP]" in a text.
  std::vector<std::pair<std::string, std::int32_t>> added;
  std::int32_t unknown = 0, cls = 0, sep = 0;
  bool clean_text = true;
  bool lowercase = true;
  bool strip_accents = true;
  bool split_chinese = true;
  std::string continuing_prefix = "##";
  std::size_t max_word_chars = 100;  ///< Longer words are unknown.
};

/// What leaves no trace in its ids (`Tokens::unseen`), in order:
///  - the raw text of every word that became [UNK];
///  - every word that lost a mark or another character that the tokenizer drops: accents, vowel signs, dakuten, harakat, the stroke
///    of a not-equal sign, bytes that are not UTF-8, private use, and whatever is invisible and may hide a text from people that the
///    LLM receives: zero-width characters, joiners, direction marks, controls, tags, variation selectors. (By case-folded NFC.)
///    A known few are ignored (ignorable.h);
///  - such a character where it stands between words;
///  - the raw text from the first token that was cut off;
///  - the case and the indentation of code and data (code_trace.h).
/// Thread-safety: immutable; every method may be called concurrently.
class WordPiece {
 public:
  /// Errors: invalid_argument (an empty vocabulary, a special id that is negative, an empty added token).
  static Result<WordPiece> create(WordPieceSpec spec);

  WordPiece(WordPiece&&) noexcept;
  WordPiece& operator=(WordPiece&&) noexcept;
  ~WordPiece();

  /// At most `max_tokens` ids, the two special ones included. Any bytes; those that are not UTF-8 are read as U+FFFD.
  /// Cost: linear in the text up to the window's end. REQUIRES: max_tokens >= 2.
  Tokens tokenize(std::string_view text, std::size_t max_tokens) const;

  /// The largest id it can give.
  std::int32_t max_id() const noexcept;

  /// Whether texts are the same to it in any letter case.
  bool lowercases() const noexcept;

 private:
  struct Tables;
  explicit WordPiece(std::unique_ptr<const Tables> tables);
  std::unique_ptr<const Tables> tables_;
};

}  // namespace sosie::text
