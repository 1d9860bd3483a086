// unigram.h: SentencePiece's Unigram tokenizer as XLM-R and multilingual encoders have it. Its ids equal those of Hugging Face `tokenizers`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "sosie/result.h"
#include "text/charsmap.h"
#include "text/tokens.h"

namespace sosie::text {

/// What a tokenizer is made of. The defaults are those of XLM-R.
struct UnigramSpec {
  /// Takes white space off the ends of a text.
  struct Strip {
    bool left = false, right = false;
  };
  /// Puts `content` in place of two or more spaces.
  struct CollapseSpaces {
    std::u32string content;
  };
  using Step = std::variant<Charsmap, Strip, CollapseSpaces>;

  struct Added {
    std::string content;
    std::int32_t id = 0;
    bool strips_left = false, strips_right = false;  ///< Takes the white space on that side with it.
    bool normalized = false;                         ///< Taken out of the normalised text, else out of the raw text before anything else.
  };

  std::vector<std::pair<std::string, double>> vocabulary;  ///< A piece's id is its place here.
  std::int32_t unknown = 0, opening = 0, closing = 0;
  bool byte_fallback = false;  ///< What is not in the vocabulary becomes the pieces of its bytes, <0x00> to <0xFF>.
  std::vector<Added> added;
  std::vector<Step> steps;  ///< The normaliser's, in order; one Charsmap at most.
  bool split_at_space = false;  ///< White space ends a part and is forgotten.
  char32_t space_mark = 0x2581;
  bool prepends_mark = true;    ///< To every part that begins without one.
  bool split_at_mark = true;  ///< A piece has a space mark at its begin only.
};

/// What leaves no trace in its ids (`Tokens::unseen`), in order:
///  - every stretch that became <unk>, as the normaliser leaves it, or its raw text where that lost something;
///  - the raw text of every piece that lost something: superscripts, circled letters, fractions and mathematical letters that are read as
///    plain ones, zero-width characters and controls that are dropped or read as spaces, bytes that are not UTF-8, a literal space mark;
///    whatever the normaliser changes beyond white space, letter case, and other shapes of the same characters (wide, ligatures, composed or
///    not). A known few are ignored (ignorable.h);
///  - such a character where no piece follows;
///  - the raw text from the first token that was cut off;
///  - the indentation of code, and its case where the normaliser folds it (code_trace.h).
///
/// Thread-safety: immutable; every method may be called concurrently.
class Unigram {
 public:
  /// Errors: invalid_argument (an empty vocabulary; an id that is negative or beyond it; an added token that is empty, or that is normalized
  /// and has white space in it or is changed by the normaliser; two Charsmaps).
  static Result<Unigram> create(UnigramSpec spec);

  Unigram(Unigram&&) noexcept;
  Unigram& operator=(Unigram&&) noexcept;
  ~Unigram();

  /// At most `max_tokens` ids, the two special ones included. Any bytes; those that are not UTF-8 are read as U+FFFD.
  /// Cost: linear in the text up to the end of the word in which the window ends. REQUIRES: max_tokens >= 2.
  Tokens tokenize(std::string_view text, std::size_t max_tokens) const;

  /// The largest id it can give.
  std::int32_t max_id() const noexcept;

  /// Whether texts are the same to it in any letter case.
  bool lowercases() const noexcept;

 private:
  struct Tables;
  class Pass;
  explicit Unigram(std::unique_ptr<const Tables> tables);
  std::unique_ptr<const Tables> tables_;
};

}  // namespace sosie::text
