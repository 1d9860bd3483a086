// redis_semantic_cache.h: LiteLLM's `RedisSemanticCache`, in C++, over the same Redis index.
//
// Index, keys, hash fields and query are those of LiteLLM >= 1.84 with RedisVL (docs/litellm.md says which behaviours differ
// and why), so that both sides answer from each other's entries.
//
//   auto cache = sosie::RedisSemanticCache::open({.redis_url = "redis://127.0.0.1:6379", .similarity_threshold = 0.9});
//   auto found = cache->get_cache(key, {.prompt = "How do I reset my password?"});
//   if (found && found->response) use(*found->response);
//   else if (found) cache->set_cache(key, answer, {.prompt = "How do I reset my password?", .embedding = found->embedding});
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/embedder.h"
#include "sosie/redis.h"
#include "sosie/result.h"
#include "sosie/similarity.h"

namespace sosie {

/// Whose behaviour to have where LiteLLM's own is a defect.
enum class Compat {
  sosie,     ///< The same bytes in Redis; the defects listed in docs/litellm.md are mended.
  upstream,  ///< LiteLLM 1.109.1's observable behaviour, defects included: thresholds, keys, empty prompts, top hit only.
};

/// Which vector index answers.
enum class RedisIndex {
  flat,  ///< LiteLLM's own index: exact search.
  hnsw,  ///< A second index over the same entries, made where absent; approximate, for 100,000 entries and more.
};

struct RedisSemanticCacheOptions {
  /// Each falls back to REDIS_HOST, REDIS_PORT, REDIS_PASSWORD where empty; all three are then needed. Not looked at with a
  /// `redis_url`, which alone can name a server without a password.
  std::string host, port, password;
  std::optional<std::string> redis_url;

  std::optional<double> similarity_threshold;  ///< Needed. 0 to 1 (Compat::sosie); 1: only the same text.
  std::string embedding_model = "text-embedding-ada-002";  ///< "local/all-MiniLM-L6-v2", "local/DIR": in this process.
  std::optional<std::string> index_name;       ///< Unset: "litellm_semantic_cache_index".
  std::optional<std::size_t> embedding_max_input_tokens;   ///< Longer texts are cut; what is cut off must then be equal.

  /// Unset: $SEMANTIC_CACHE_EMBEDDING_TIMEOUT_SECONDS, else 5 s.
  std::optional<std::chrono::milliseconds> embedding_timeout;

  /// OpenAI-compatible endpoint of the embedding model (a LiteLLM proxy is one). Empty: $OPENAI_BASE_URL, $OPENAI_API_KEY,
  /// $OPENAI_ORGANIZATION; without a base URL, api.openai.com.
  std::string embedding_base_url, embedding_api_key, embedding_organization;

  /// Used instead of `embedding_model`. What is too long for it (`Embedder::is_too_long`) is stored without a vector, and found by the same
  /// text only (Compat::sosie); so it is with a local model.
  std::shared_ptr<const Embedder> embedder;

  RedisOptions connection;  ///< What upstream promises and drops: user, db, TLS, deadlines, pool. Its `url` is not used.
  RedisIndex index = RedisIndex::flat;
  Compat compat = Compat::sosie;
  std::function<double()> clock;  ///< Seconds since 1970, for the stamps written. Unset: the system clock.
};

/// The rest of a call: upstream's keyword arguments.
struct RedisCall {
  /// JSON object with "messages" or "input", as given to LiteLLM; the prompt is taken from it as upstream does.
  /// Images, audio, files and tool calls, which leave no trace in the prompt, keep entries apart (Compat::sosie).
  std::string_view request = {};
  std::optional<std::string_view> prompt = std::nullopt;  ///< Used instead of `request`. Valid UTF-8.

  /// Seconds, cut to whole ones. Unset or 0 of them: for ever. Less than 0: the entry is gone at once.
  std::optional<double> ttl = std::nullopt;

  /// In: sent to a proxy with the embedding call. Out, where not null: "semantic-similarity", of the hit, else "0.0".
  std::map<std::string, std::string>* metadata = nullptr;

  std::span<const float> embedding = {};  ///< The prompt's, where it is known already. Any length greater than 0.
};

struct RedisFound {
  std::optional<std::string> response;  ///< Unset: a miss.
  double similarity = 0;                ///< Of the hit, 0 to 1; 0 for a miss.
  std::optional<double> timestamp;      ///< When the answer was made, seconds since 1970, where its writer said so.
  std::vector<float> embedding;         ///< Computed on the way, else empty: give it to `set_cache`, so that one is enough.
};

/// Counts since open.
struct RedisCacheStats {
  std::uint64_t exact_hits = 0, semantic_hits = 0, misses = 0, stored = 0;
  std::uint64_t embeddings = 0;  ///< Texts embedded, here or by the endpoint.
  std::uint64_t faults = 0;      ///< Calls that ended in an error.
};

/// Thread-safety: every method may be called concurrently. A thread is started by the first async_ call, none before.
///
/// A call never waits longer than its deadline: embedding_timeout, where a text must be embedded, and at most
/// 2 x (connect_timeout + command_timeout) for Redis. After a failure Redis and the endpoint are left alone for a moment (back-off), and calls fail
/// at once. A caller treats every error of `get_cache` as a miss and may ignore every error of `set_cache`.
///
/// Errors common to all: unavailable (Redis or the endpoint is down, or has no search module), deadline_exceeded,
/// permission_denied (credentials, ACL), resource_exhausted (Redis is out of memory), unsupported (cluster), invalid_argument.
class RedisSemanticCache {
 public:
  /// Reads the settings; does not connect. Errors: invalid_argument, with upstream's text where upstream has one; those of
  /// `open_local_encoder`.
  static Result<RedisSemanticCache> open(RedisSemanticCacheOptions options);

  RedisSemanticCache(RedisSemanticCache&&) noexcept;
  RedisSemanticCache& operator=(RedisSemanticCache&&) noexcept;
  /// Waits for async calls under way (they end within their deadlines).
  ~RedisSemanticCache();

  /// Stores `response` under `key` (LiteLLM's cache key: what may share answers), in an envelope with the time. Nothing is
  /// stored where the call has no prompt.
  Result<void> set_cache(std::string_view key, std::string_view response, const RedisCall& call);

  Result<RedisFound> get_cache(std::string_view key, const RedisCall& call);

  /// Completions run on the cache's own thread, never from within the call: they must not block or throw. All arguments are
  /// copied, but `RedisCall::metadata`, which must live until the completion and may be touched by then.
  void async_set_cache(std::string key, std::string response, const RedisCall& call, std::function<void(Result<void>)> done);
  void async_get_cache(std::string key, const RedisCall& call, std::function<void(Result<RedisFound>)> done);
  std::future<Result<void>> async_set_cache(std::string key, std::string response, const RedisCall& call);
  std::future<Result<RedisFound>> async_get_cache(std::string key, const RedisCall& call);

  struct Item {
    std::string key, response;
    std::string request;                ///< As in `RedisCall`; empty: the call's.
    std::optional<std::string> prompt;  ///< Likewise.
  };

  /// One embedding call for all different prompts, one round trip for all entries.
  void async_set_cache_pipeline(std::vector<Item> items, const RedisCall& call, std::function<void(Result<void>)> done);
  std::future<Result<void>> async_set_cache_pipeline(std::vector<Item> items, const RedisCall& call);

  RedisCacheStats stats() const;

 private:
  struct Impl;
  explicit RedisSemanticCache(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace sosie
