// Any bytes have tokens, and every window of them is a beginning of the whole.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "text/unigram.h"
#include "text/utf8.h"

namespace {

using namespace sosie::text;

Unigram make(std::uint8_t kind) {
  UnigramSpec spec;
  spec.vocabulary = {{"<pad>", 0}, {"<unk>", 0}, {"<s>", 0}, {"</s>", 0}, {"\u2581", -2}};
  for (char c = 'a'; c <= 'z'; ++c) {
    spec.vocabulary.emplace_back(std::string(1, c), -3 - c % 5);
    spec.vocabulary.emplace_back("\u2581" + std::string(1, c), -4 - c % 3);
  }
  for (const char* piece : {"the", "\u2581the", "ing", "\u4f60", "\u0915\u094d", "\u3042\u3044", "<0xE2>", "<0x81>", "  "}) spec.vocabulary.emplace_back(piece, -5);
  spec.unknown = 1;
  spec.opening = 2;
  spec.closing = 3;
  const auto id = static_cast<std::int32_t>(spec.vocabulary.size());
  spec.added = {{"<s>", 2, false, false, false}, {"<unk>", 1, false, false, false}, {"<m>", id, true, true, false}, {"<n>", id + 1, true, true, true}};
  if (kind & 1) spec.steps.emplace_back(UnigramSpec::Strip{(kind & 2) != 0, true});
  if (kind & 4) spec.steps.emplace_back(UnigramSpec::CollapseSpaces{kind & 8 ? U" " : U"\u2581"});
  spec.split_at_space = (kind & 16) != 0;
  spec.split_at_mark = (kind & 32) == 0;
  spec.byte_fallback = (kind & 64) != 0;
  spec.prepends_mark = (kind & 128) == 0;
  return std::move(*Unigram::create(std::move(spec)));
}

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

// The first byte chooses the tokenizer, the second the window, the third how much of the rest is a table of replacements.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 3), size - 3);
  if (const auto map = Charsmap::create(rest.substr(0, data[2]))) {
    for (std::size_t at = 0; at < rest.size(); ++at) {
      const auto text = map->replacement(rest.substr(at));
      require(!text || validate_utf8(*text));
    }
  }
  const Unigram pieces = make(data[0]);
  const Tokens whole = pieces.tokenize(rest, std::size_t{1} << 30);
  require(!whole.truncated && whole.ids.size() >= 2 && whole.ids.front() == 2 && whole.ids.back() == 3);
  for (const std::int32_t id : whole.ids) require(id >= 0 && id <= pieces.max_id());
  const std::size_t limit = 2 + data[1] % 32;
  const Tokens cut = pieces.tokenize(rest, limit);
  require(cut.truncated == (whole.ids.size() > limit));
  require(cut.ids.size() == std::min(limit, whole.ids.size()));
  require(std::equal(cut.ids.begin(), cut.ids.end() - 1, whole.ids.begin()));
  if (cut.truncated) require(!cut.unseen.empty());
  else require(cut.unseen == whole.unseen);
  // What can be seen leaves a trace, here or there.
  require(is_blank(rest) || whole.ids.size() > 2 || !whole.unseen.empty());
  return 0;
}
