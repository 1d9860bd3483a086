#include "text/tokens.h"

#include <utf8proc.h>

#include <cstdlib>

namespace sosie::text {
namespace {

// Bytes of a word. Putting its marks in order takes utf8proc time that is quadratic in their number.
constexpr std::size_t kLongestNormalised = 1024;

}  // namespace

void append_note(std::string& unseen, char kind, std::size_t number, std::string_view bytes) {
  unseen += kind;
  unseen += std::to_string(number);
  unseen += ':';
  unseen += std::to_string(bytes.size());
  unseen += ':';
  unseen += bytes;
}

void append_lossy_note(std::string& unseen, std::size_t number, std::string_view raw) {
  if (raw.size() > kLongestNormalised) return append_note(unseen, 'b', number, raw);
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(raw.data()), static_cast<utf8proc_ssize_t>(raw.size()), &mapped,
                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD));
  if (size >= 0) {
    append_note(unseen, 'm', number, std::string_view(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size)));
  } else {
    append_note(unseen, 'b', number, raw);  // Bytes that are not UTF-8.
  }
  std::free(mapped);
}

}  // namespace sosie::text
