// redis_store.h: a store in Redis with its search module, which any number of processes share (docs/redis-store.md).
#pragma once

#include <cstdint>
#include <memory>

#include "sosie/cache.h"
#include "store/store.h"

namespace sosie::store {

/// Opens the store of that name; an empty one is begun where there is none. Each call on it takes one connection of the
/// pool and ends within the command timeout (those that go over many entries: each of their steps).
///
/// A server that cannot be reached is no error here: the calls on the store say so until it is back.
/// `max_bytes`: 0: unbounded. Of processes that give different bounds, the lowest holds.
/// Errors: invalid_argument (options), permission_denied, unavailable (no search module), unsupported (a newer sosie's
/// store, a cluster).
Result<std::unique_ptr<Store>> open_redis_store(const RedisStoreOptions& options, std::uint64_t max_bytes);

}  // namespace sosie::store
