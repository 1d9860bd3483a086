// redis_put.h: an entry, checked and put into the words of the script that stores it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace sosie::store {

/// What the server keeps an entry beyond its life. Whether an entry has expired is decided by the time that callers give;
/// the server's clock only clears away what nobody swept.
inline constexpr std::int64_t kAfterlifeMs = 3'600'000;

bool is_id(std::string_view id);

/// What `RedisScripts::put` wants behind the prefix. `max_bytes`: 0: unbounded.
/// Errors: invalid_argument, resource_exhausted (it is larger than the bound).
Result<std::vector<std::string>> put_arguments(const NewEntry& entry, std::uint64_t max_bytes, std::int64_t now_ms);

}  // namespace sosie::store
