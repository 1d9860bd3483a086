// ask_redis.h: what a Redis server says of itself, for `sosie doctor`.
#pragma once

#include <string>

#include "sosie/cache.h"
#include "sosie/result.h"

namespace sosie::app {

struct RedisServer {
  Result<std::string> software;  ///< "Redis 7.4.2", or why this version will not do.
  Result<std::string> search;    ///< "search 2.10.5", or why there is no search module that can be used.
  bool has_store = false;        ///< A store of that name has been begun there.
};

/// Blocks for connect_timeout and command_timeout at most. Errors: those of redis::read_endpoint and redis::Client.
Result<RedisServer> ask_redis(const RedisStoreOptions& options);

}  // namespace sosie::app
