// litellm_index.h: the entries that LiteLLM's RedisSemanticCache, or RedisVL's SemanticCache, keeps in Redis.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sosie/entry.h"
#include "sosie/redis.h"
#include "sosie/result.h"

namespace sosie::app {

struct IndexRead {
  std::uint64_t entries = 0;  ///< Given to `visit`.
  std::uint64_t unreadable =
      0;  ///< Without a prompt or a response, or with a response that LiteLLM could not read either.
};

/// Calls `visit` with the entries under "<index>:", but not with those of an index of a longer name ("faq:eu" beside "faq"); one may come twice, as SCAN has it. `visit` says whether to go on.
///
/// The scope is LiteLLM's cache key, "" for entries that have none; RedisVL's filter fields become attributes; an
/// envelope is opened; the rest of the key's life becomes the time of expiry. The search module is not needed, nothing
/// is written. Errors: those of redis::read_endpoint and redis::Client; invalid_argument (an index without a name).
Result<IndexRead> read_litellm_index(const RedisOptions& server, const std::string& index, TimePoint now,
                                     const std::function<bool(Entry)>& visit);

}  // namespace sosie::app
