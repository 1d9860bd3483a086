#include "text/glob.h"

namespace sosie::text {

// Between two stars each part is looked for once, from where the one before ended: the leftmost place leaves most room for what
// follows, so no earlier choice is ever taken back.
bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
  const std::size_t first = pattern.find('*');
  if (first == std::string_view::npos) return pattern == text;
  const std::size_t last = pattern.rfind('*');
  const std::string_view head = pattern.substr(0, first), tail = pattern.substr(last + 1);
  if (text.size() < head.size() + tail.size() || !text.starts_with(head) || !text.ends_with(tail)) return false;
  text.remove_prefix(head.size());
  text.remove_suffix(tail.size());
  pattern = pattern.substr(first, last - first);
  while (!pattern.empty()) {
    pattern.remove_prefix(1);  // a star
    const std::string_view part = pattern.substr(0, pattern.find('*'));
    const std::size_t place = text.find(part);
    if (place == std::string_view::npos) return false;
    text.remove_prefix(place + part.size());
    pattern.remove_prefix(part.size());
  }
  return true;
}

}  // namespace sosie::text
