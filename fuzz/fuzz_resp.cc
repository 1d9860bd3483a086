// Any bytes, in any pieces, are the same replies as in one piece, or the same refusal; and cost no more memory than allowed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "redis/resp_parser.h"

namespace {

using sosie::redis::Reply;

constexpr std::size_t kMaxBytes = 1 << 16;

void show(const Reply& reply, std::string& out) {
  out += static_cast<char>('a' + static_cast<int>(reply.kind));
  out += reply.text + "|" + std::to_string(reply.integer) + "|" + std::to_string(reply.number) + "[";
  for (const Reply& item : reply.items) show(item, out);
  out += ']';
}

std::size_t cost(const Reply& reply) {
  std::size_t bytes = sizeof(Reply) + reply.text.size();
  for (const Reply& item : reply.items) bytes += cost(item);
  return bytes;
}

std::string read(std::string_view stream, std::size_t piece) {
  sosie::redis::RespParser parser(kMaxBytes);
  std::string out;
  while (!stream.empty()) {
    const auto space = parser.space();
    const std::size_t count = std::min({piece, space.size(), stream.size()});
    std::memcpy(space.data(), stream.data(), count);
    parser.filled(count);
    stream.remove_prefix(count);
    while (true) {
      auto next = parser.next();
      if (!next) return out + "!" + std::string(to_string(next.error().code));
      if (!*next) break;
      if (cost(**next) > kMaxBytes + sizeof(Reply)) std::abort();
      show(**next, out);
    }
  }
  return out + (parser.is_empty() ? "" : "...");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read(stream, data[0] % 17 + 1) != read(stream, stream.size())) std::abort();
  return 0;
}
