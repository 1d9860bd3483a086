// tokens.h: what a tokenizer makes of a text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sosie::text {

struct Tokens {
  std::vector<std::int32_t> ids;  ///< The token that opens a text ([CLS], <s>), the text's, the one that closes it ([SEP], </s>).
  bool truncated = false;         ///< The text has more tokens than the limit.

  /// The parts of the text that left no trace in `ids`, in order; empty for most texts. As opaque bytes, for comparing; the header of
  /// each tokenizer says what they are of. Two texts of equal ids and equal bytes here differ in nothing but white space and letter case
  /// of prose, ways to write the same character, and the few characters of ignorable.h. unseen.h lists the parts for people.
  std::string unseen;
};

/// Notes of `Tokens::unseen`: kind, number, length, bytes, so that no two lists of notes have the same bytes.
///   'u': a word or piece that is not in the vocabulary
///   'm': one that lost a mark or another character ('b': the same, in the bytes of the text)
///   's': such a character without a word or piece
///   't': the text from the first token that was cut off
void append_note(std::string& unseen, char kind, std::size_t number, std::string_view bytes);

/// A note of kind 'm' about `raw`, in which letter case and the way a mark is written, composed or not, make no difference; where that
/// cannot be undone, of kind 'b'.
void append_lossy_note(std::string& unseen, std::size_t number, std::string_view raw);

}  // namespace sosie::text
