// Any bytes, in any pieces, are either split into events that add up to the stream, or refused.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/sse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 17 + 1;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  sosie::net::SseParser parser(1 << 12);
  std::string raw;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    if (!parser.feed(stream.substr(at, piece))) return 0;
    while (const auto event = parser.next()) raw += event->raw;
  }
  if (!stream.starts_with(raw)) std::abort();
  return 0;
}
