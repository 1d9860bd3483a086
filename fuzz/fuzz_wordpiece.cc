// Any bytes have tokens, and every window of them is a beginning of the whole.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "text/utf8.h"
#include "text/wordpiece.h"

namespace {

using namespace sosie::text;

const WordPiece& tokenizer(bool uncased) {
  const auto make = [](bool lower) {
    WordPieceSpec spec;
    std::int32_t id = 0;
    for (const char* word : {"[PAD]", "[UNK]", "[CLS]", "[SEP]"}) spec.vocabulary.emplace_back(word, id++);
    for (char c = 'a'; c <= 'z'; ++c) {
      spec.vocabulary.emplace_back(std::string(1, c), id++);
      spec.vocabulary.emplace_back("##" + std::string(1, c), id++);
    }
    for (const char* word : {"the", "##ing", "\u4f60", "\u0915", "##\u0915", "\u3042", "\u1100", "##\u1161"}) spec.vocabulary.emplace_back(word, id++);
    spec.unknown = 1;
    spec.cls = 2;
    spec.sep = 3;
    spec.added = {{"[SEP]", 3}, {"[UNK]", 1}, {"[", 0}};
    spec.lowercase = spec.strip_accents = lower;
    return std::move(*WordPiece::create(std::move(spec)));
  };
  static const WordPiece kUncased = make(true), kCased = make(false);
  return uncased ? kUncased : kCased;
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const WordPiece& pieces = tokenizer(data[0] % 2 == 0);
  const Tokens whole = pieces.tokenize(text, std::size_t{1} << 30);
  require(!whole.truncated && whole.ids.size() >= 2 && whole.ids.front() == 2 && whole.ids.back() == 3);
  const std::size_t limit = 2 + data[1] % 32;
  const Tokens cut = pieces.tokenize(text, limit);
  require(cut.truncated == (whole.ids.size() > limit));
  require(cut.ids.size() == std::min(limit, whole.ids.size()));
  require(std::equal(cut.ids.begin(), cut.ids.end() - 1, whole.ids.begin()));
  if (cut.truncated) require(!cut.unseen.empty());
  else require(cut.unseen == whole.unseen);
  case_fold(text);
  // What can be seen leaves a trace, here or there.
  require(is_blank(text) || whole.ids.size() > 2 || !whole.unseen.empty());
  std::string again;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    require(next.bytes > 0 && at + next.bytes <= text.size());
    append_utf8(next.point, again);
    at += next.bytes;
  }
  require(validate_utf8(again));
  if (validate_utf8(text)) require(again == text);
  return 0;
}
