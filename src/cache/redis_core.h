// redis_core.h: what RedisSemanticCache does, step by step, as coroutines over one event loop's connections.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "embed/remote_embedder.h"
#include "net/backoff.h"
#include "net/task.h"
#include "net/worker_pool.h"
#include "redis/client.h"
#include "redis/semantic_index.h"
#include "sosie/redis_semantic_cache.h"

namespace sosie::cache {

/// The connections of one event loop.
struct RedisPeer {
  net::Executor executor;
  redis::Client redis;
  std::unique_ptr<embed::RemoteEmbedder> remote;  ///< Made when first needed.
  net::WorkerPool* workers = nullptr;             ///< Where texts are embedded in process. Null: on the loop's own thread.
};

/// A call, resolved: what is asked, and under which key.
struct RedisQuestion {
  std::string tag;       ///< What the entry's key field must be.
  std::string raw_key;   ///< The key as given; an entry of another writer may carry it.
  std::string id;        ///< Entry id.
  std::string prompt;
  std::size_t before_bytes = 0, behind_bytes = 0;  ///< Of the prompt, around the last question: what must be equal.
  bool has_history = false;       ///< Of what stands before, something was answered.
  bool same_text_only = false;    ///< An agent's turn, or too long a text: only the same text may answer.
  bool wants_responses = false;   ///< Of the Responses API, which a chat's answer does not fit, nor the other way round.
  bool is_request = false;        ///< Read from a request: the kind of call is known.
  std::string metadata;           ///< JSON object for the embedding endpoint; empty: none.
  std::vector<float> embedding;   ///< Empty: not known yet.
  std::shared_ptr<std::vector<float>> learnt;  ///< Gets an embedding that is computed on the way. Null: nobody wants it.
};

struct RedisAnswer {
  std::string stored;     ///< The value as it lies in Redis.
  double similarity = 0;  ///< Compat::sosie: 0 to 1.
  bool exact = false;     ///< By the same text, without its vector.
};

struct RedisWrite {
  RedisQuestion question;
  std::string value;            ///< As it will lie in Redis.
  std::optional<double> ttl;    ///< Seconds; see `RedisCall::ttl`.
};

/// The encoder that a model's name asks for: "local/all-MiniLM-L6-v2" for the default one, "local/DIR" for that of a folder. Unset: the model
/// is not embedded with in this process.
std::optional<LocalEncoderOptions> local_model(std::string_view embedding_model);

/// Thread-safety: safe; a RedisPeer belongs to its loop's thread. Coroutines refer to the core: it outlives them.
class RedisCore {
 public:
  /// What a text loses when it is embedded (`Embedding::unseen`), where neither an Embedder nor a limit in tokens tells.
  using Unseen = std::function<std::string(std::string_view text)>;

  /// Errors: see `RedisSemanticCache::open`.
  static Result<std::unique_ptr<RedisCore>> open(RedisSemanticCacheOptions options, Unseen unseen = {});

  std::unique_ptr<RedisPeer> make_peer(net::Executor executor, net::WorkerPool* workers) const;

  /// Unset: there is no prompt, so nothing can be found or stored. Errors: invalid_argument (the request is no JSON object).
  Result<std::optional<RedisQuestion>> question(std::string_view key, const RedisCall& call) const;

  /// The entry of the same text, then the nearest one. Embeds where that is needed.
  net::Task<Result<std::optional<RedisAnswer>>> find(RedisPeer& peer, RedisQuestion question);

  /// The entry of the same text and key; always unset for Compat::upstream.
  net::Task<Result<std::optional<RedisAnswer>>> find_exact(RedisPeer& peer, RedisQuestion question);

  /// The nearest entry within the threshold. REQUIRES: question.embedding is not empty.
  net::Task<Result<std::optional<RedisAnswer>>> find_near(RedisPeer& peer, RedisQuestion question);

  /// Embeds all different prompts that lack an embedding in one call and writes all entries in one round trip.
  net::Task<Result<void>> store(RedisPeer& peer, std::vector<RedisWrite> writes);

  /// Counts a call's end; every call is counted once.
  void count(const Result<std::optional<RedisAnswer>>& found);

  RedisCacheStats stats() const;
  const RedisSemanticCacheOptions& options() const noexcept { return options_; }

  /// Latest end of what a call that begins now asks of Redis, all its questions together.
  net::SteadyTime redis_deadline() const;

 private:
  struct ReadyIndex {
    std::string name;
    std::size_t dimension = 0;  // 0: not known, for its description may not be read
    bool hnsw = false;
  };

  enum class Prepared { ready, other_schema, not_shown };

  explicit RedisCore(RedisSemanticCacheOptions options) : options_(std::move(options)) {}

  std::optional<RedisQuestion> ask_for(std::string_view key, std::string prompt, std::string_view non_text_parts) const;
  std::string unseen(std::string_view text) const;
  bool too_long(std::string_view text) const;  // Neither embedded nor found but by itself.
  bool fits(const RedisQuestion& question, std::string_view stored) const;
  bool may_answer(const RedisQuestion& question, const redis::Candidate& candidate, bool by_text) const;

  net::Task<Result<std::vector<std::vector<float>>>> embed(RedisPeer& peer, std::vector<std::string> texts, std::string metadata);
  net::Task<Result<std::optional<RedisAnswer>>> nearest(RedisPeer& peer, RedisQuestion question, net::SteadyTime deadline);
  net::Task<Result<ReadyIndex>> ready(RedisPeer& peer, std::size_t dimension, net::SteadyTime deadline);
  net::Task<Result<ReadyIndex>> build(RedisPeer& peer, std::size_t dimension, net::SteadyTime deadline);
  net::Task<Result<Prepared>> prepare(RedisPeer& peer, std::string name, std::size_t dimension, net::SteadyTime deadline);
  net::Task<Result<bool>> prepare_hnsw(RedisPeer& peer, std::string name, std::size_t dimension, net::SteadyTime deadline);
  net::Task<Result<redis::Reply>> ask(RedisPeer& peer, redis::Pipeline command, net::SteadyTime deadline);
  net::Task<Result<std::optional<RedisAnswer>>> search(RedisPeer& peer, const RedisQuestion& question, ReadyIndex index,
                                                       net::SteadyTime deadline, bool& index_is_gone);
  std::optional<ReadyIndex> known_index() const;
  void forget_index();

  RedisSemanticCacheOptions options_;
  Unseen unseen_;
  std::string index_name_;
  bool upstream_ = false;
  bool never_hits_ = false;  // Compat::upstream with a threshold that RedisVL refuses
  redis::Endpoint endpoint_;
  std::shared_ptr<net::Backoff> redis_backoff_, breaker_;
  std::shared_ptr<const embed::RemoteModel> remote_;

  mutable std::mutex index_mutex_;
  std::optional<ReadyIndex> index_;
  net::SteadyTime hnsw_checked_{};
  net::Backoff index_backoff_;
  Error index_error_;

  std::atomic<std::uint64_t> exact_hits_{0}, semantic_hits_{0}, misses_{0}, stored_{0}, embeddings_{0}, faults_{0};
};

}  // namespace sosie::cache
