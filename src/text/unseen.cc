#include "text/unseen.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "text/utf8.h"

namespace sosie::text {
namespace {

constexpr std::size_t kMostPoints = 40;  // Of a phrase.

/// One part: see `Tokens::unseen` and code_trace.cc, which write them.
struct Part {
  char kind = 0;
  std::string_view bytes;
};

class Reader {
 public:
  explicit Reader(std::string_view unseen) : rest_(unseen) {}

  std::optional<Part> next() {
    if (rest_.empty()) return std::nullopt;
    Part part{.kind = rest_[0]};
    rest_.remove_prefix(1);
    const bool of_code = part.kind == 'c' || part.kind == 'i';
    if (!of_code && !(number() && skip(':'))) return std::nullopt;
    const auto size = number();
    if (!size || !skip(':') || *size > rest_.size()) return std::nullopt;
    part.bytes = rest_.substr(0, *size);
    rest_.remove_prefix(*size);
    if (part.kind == 'c' && !(skip('n') && number())) return std::nullopt;
    return part;
  }

 private:
  std::optional<std::size_t> number() {
    std::size_t value = 0;
    const auto read = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (read.ec != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(read.ptr - rest_.data()));
    return value;
  }
  bool skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

bool is_visible(char32_t point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(point))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    default: break;
  }
  const bool selects_variation = (point >= 0xFE00 && point <= 0xFE0F) || (point >= 0xE0100 && point <= 0xE01EF);
  return !selects_variation && point != kReplacement;
}

std::string readable(std::string_view bytes) {
  std::string phrase;
  std::size_t points = 0;
  for (std::size_t at = 0; at < bytes.size(); ++points) {
    if (points == kMostPoints) return phrase + "…";
    const Decoded next = decode_at(bytes, at);
    if (is_visible(next.point)) {
      phrase += bytes.substr(at, next.bytes);
    } else {
      char number[16];
      std::snprintf(number, sizeof number, "[U+%04X]", static_cast<unsigned>(next.point));
      phrase += number;
    }
    at += next.bytes;
  }
  return phrase;
}

}  // namespace

std::vector<std::string> unseen_words(std::string_view unseen, std::size_t most) {
  std::vector<std::string> words;
  Reader reader(unseen);
  while (words.size() < most) {
    const auto part = reader.next();
    if (!part) break;
    std::string word = part->kind == 'i' ? "indentation" : part->kind == 't' ? "…" + readable(part->bytes) : readable(part->bytes);
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

}  // namespace sosie::text
