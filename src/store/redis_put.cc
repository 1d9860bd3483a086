#include "store/redis_put.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/number.h"
#include "store/finite.h"
#include "store/redis_schema.h"

namespace sosie::store {
namespace {

// The most that the search module takes.
constexpr std::size_t kMostDimensions = 32768;

std::uint64_t bytes_of(const NewEntry& entry) {
  std::uint64_t bytes = entry.entry.prompt.size() + entry.entry.response.size() + entry.vector.size() * sizeof(float);
  for (const auto& [name, value] : entry.entry.attributes) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

bool is_id(std::string_view id) {
  return id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<std::vector<std::string>> put_arguments(const NewEntry& entry, std::uint64_t max_bytes, std::int64_t now_ms) {
  if (!is_id(entry.entry.id)) {
    return Error{ErrorCode::invalid_argument, "an entry's id must be 32 lower-case hex digits"};
  }
  if (entry.vector.empty() != entry.entry.exact_only || !all_finite(entry.vector)) {
    return Error{ErrorCode::invalid_argument,
                 "an entry's vector must not be empty, unless it is exact-only, and its floats must be finite"};
  }
  if (entry.vector.size() > kMostDimensions) {
    return Error{ErrorCode::invalid_argument,
                 "an entry's vector may have " + std::to_string(kMostDimensions) + " floats in Redis"};
  }
  if (!(entry.cost >= 0) || !std::isfinite(entry.cost)) {
    return Error{ErrorCode::invalid_argument, "a cost must be finite and >= 0"};
  }
  if (entry.sliding_ttl && entry.sliding_ttl->count() <= 0) {
    return Error{ErrorCode::invalid_argument, "a sliding ttl must be > 0"};
  }
  const std::uint64_t bytes = bytes_of(entry);
  if (max_bytes != 0 && bytes > max_bytes) {
    return Error{ErrorCode::resource_exhausted, "the entry has " + std::to_string(bytes) +
                                                    " bytes, the whole store may have " + std::to_string(max_bytes) +
                                                    ": raise the bound"};
  }
  const double value = entry.cost > 0 ? entry.cost : static_cast<double>(entry.entry.response.size());
  const std::int64_t sliding = entry.sliding_ttl ? entry.sliding_ttl->count() : 0;
  std::string expires, life;
  if (entry.entry.expires) {
    const std::int64_t ttl = sliding > 0 ? sliding : (*entry.entry.expires - entry.entry.created).count();
    expires = std::to_string(entry.entry.expires->time_since_epoch().count());
    life = std::to_string(std::max<std::int64_t>(0, ttl) + kAfterlifeMs);
  }
  std::vector<std::string> arguments{entry.entry.id,
                                     std::to_string(entry.vector.size()),
                                     entry.entry.exact_only ? "" : base::to_hex(entry.partition),
                                     base::to_hex(entry.exact_key),
                                     scope_key(entry.entry.scope),
                                     std::to_string(bytes),
                                     base::to_text(value / static_cast<double>(std::max<std::uint64_t>(1, bytes))),
                                     std::to_string(sliding),
                                     std::move(expires),
                                     std::move(life),
                                     std::to_string(max_bytes),
                                     std::to_string(now_ms)};
  for (std::string& field : entry_fields(entry)) arguments.push_back(std::move(field));
  return arguments;
}

}  // namespace sosie::store
