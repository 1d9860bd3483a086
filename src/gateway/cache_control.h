// cache_control.h: the caller's wishes, and how an answer says where it came from.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_message.h"
#include "sosie/cache.h"

namespace sosie::gateway {

/// Cache-Control of a request. Only makes things stricter.
struct CacheControl {
  bool no_cache = false;  ///< Ask the upstream; its answer may be stored. So does max-age=0.
  bool no_store = false;  ///< Do not store the answer.
  std::optional<std::chrono::milliseconds> max_age;  ///< No older entry.
};
CacheControl read_cache_control(const net::HeaderList& headers);

/// x-sosie-*, Age and Cache-Status of an answer from the cache.
std::string hit_header_lines(const Hit& hit);

/// Of any other answer. `cache`: "miss", "bypass" or "error". `stored`: known to be in the cache now.
std::string uncached_header_lines(std::string_view cache, std::string_view reason, bool forwarded, bool stored);

}  // namespace sosie::gateway
