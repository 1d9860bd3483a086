// cache.h: the semantic cache inside a process.
//
//   auto cache = sosie::SemanticCache::open({.data = "./data"});
//   auto found = cache->lookup({.prompt = "How do I reset my password?"});
//   if (found && found->hit()) use(found->hits[0].entry->response);
//   else cache->store({.prompt = ...}, answer, {.embedding = found->embedding});
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/embedder.h"
#include "sosie/entry.h"
#include "sosie/redis.h"
#include "sosie/result.h"
#include "sosie/similarity.h"

namespace sosie {

/// What survives what, once `store` has returned.
enum class Durability {
  process_crash,  ///< Survives kill -9 of the process; a power cut may lose the last moments. No wait for the disk.
  power_loss,     ///< Written through to the disk. Concurrent writers share one flush.
};

/// A store in Redis, which processes share.
struct RedisStoreOptions {
  RedisOptions connection;
  std::string name = "sosie";  ///< Of the index, and the prefix of the keys; letters, digits, '_', '-' and '.'.
};

struct CacheOptions {
  /// Folder of the store's files, made if absent; one process at a time. Empty: in memory only. Not looked at with `redis`.
  std::filesystem::path data;
  Durability durability = Durability::power_loss;

  /// Set: entries are kept there.
  std::optional<RedisStoreOptions> redis;

  /// Bound on prompts, responses, vectors and attributes together; the least valuable entries leave first
  /// (value: cost and hits per byte, ageing). 0: unbounded.
  std::uint64_t max_bytes = std::uint64_t{1} << 30;

  Similarity threshold{0.85};                    ///< 0 to 1. 1: only the same text.
  std::optional<std::chrono::milliseconds> ttl;  ///< Default life of an entry. Unset: for ever.
  Expiry expiry = Expiry::absolute;

  /// Used unless `embedder` is set: the endpoint where there is one, else the encoder in this process.
  std::optional<RemoteEmbedderOptions> embedding_endpoint;
  LocalEncoderOptions encoder;
  std::shared_ptr<const Embedder> embedder;

  /// Source of the time. Unset: the system clock.
  std::function<TimePoint()> clock;
};

/// A question and the fence around it.
struct Query {
  std::string_view prompt;      ///< Valid UTF-8. Empty or blank: never embedded, never matched, never stored.
  std::string_view scope = {};  ///< Hard key: tenant, model, parameters, … Any bytes.
  Attributes attributes = {};   ///< lookup: only entries with all of these. store: the entry's.
};

enum class Layer {
  exact,     ///< The same text.
  semantic,  ///< Another text with the same meaning, as the encoder sees it.
};

enum class Layers {
  exact_then_semantic,
  exact,
  semantic,  ///< Skips the exact layer; the same text is then still found, by its vector (a long one by itself), and reported as exact.
};

struct LookupOptions {
  Layers layers = Layers::exact_then_semantic;
  std::optional<Similarity> threshold;              ///< Unset: the cache's.
  std::optional<std::chrono::milliseconds> max_age;  ///< Ignore older entries.
  std::size_t max_results = 1;                       ///< 1 to 100.
  bool ignore_case = false;  ///< The exact layer compares case-folded texts; such a hit reports similarity 1.
  std::shared_ptr<const Embedding> embedding;  ///< The prompt's, where it is known already.
  bool record = true;  ///< False: only looks. Nothing is counted, and what is found grows neither in worth nor in life.
};

struct Hit {
  std::shared_ptr<const Entry> entry;
  Similarity similarity;  ///< Exactly 1 only for the same text.
  Layer layer = Layer::exact;
  std::chrono::milliseconds age{0};
};

/// Why nothing was returned.
enum class MissReason {
  none,             ///< It is a hit.
  empty_scope,      ///< No entry in this scope has a meaning to be compared.
  below_threshold,  ///< The nearest entry is not near enough: see `nearest`.
  filtered,         ///< Near enough, but attributes or max_age rule it out.
  blank_prompt,     ///< There is nothing to match.
  not_exact,        ///< Only the exact layer was asked, and it has no such text.
  long_prompt,      ///< No entry has this very text, and it is too long to be compared by meaning: see `Embedder::is_too_long`.
  unseen_differs,   ///< The scope has entries, but what the encoder does not see (`Embedding::unseen`: words that it does not know,
                    ///< accents, the case of code) differs, or another encoder made them. None was compared.
};

/// Stable lower-case name, e.g. "below_threshold".
std::string_view to_string(MissReason reason) noexcept;
std::string_view to_string(Layer layer) noexcept;

struct Lookup {
  std::vector<Hit> hits;  ///< Best first.
  MissReason reason = MissReason::none;
  std::optional<Similarity> nearest;           ///< Of the nearest entry compared, hit or not.
  std::shared_ptr<const Embedding> embedding;  ///< Computed on the way: give it to `store`, so that one is enough.

  bool hit() const noexcept { return !hits.empty(); }
};

struct StoreOptions {
  std::optional<std::chrono::milliseconds> ttl;  ///< > 0, 100 years at most. Unset: the cache's.
  double cost = 0;  ///< What the answer cost to make, any unit used throughout; 0: its length stands for it.
  std::shared_ptr<const Embedding> embedding;  ///< From `Lookup`. Unset: computed here.
  bool exact_only = false;  ///< Found by the same text only: nothing is embedded, and no lookup by meaning sees it. Always so of a long prompt.
};

/// What became of entries that were brought from elsewhere.
struct Restored {
  std::uint64_t stored = 0;
  std::uint64_t expired = 0;  ///< Left out.
  std::uint64_t unfit = 0;    ///< Left out: a prompt that is blank or not UTF-8 can never be found.
};

/// How far entries of a former encoder are embedded anew.
struct Reembedded {
  std::uint64_t moved = 0;  ///< Entries that got another vector, since open.
  std::uint64_t left = 0;   ///< Entries still to be looked at. Some of them may turn out to need nothing.
};

struct CacheStats {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  ///< As bounded by `CacheOptions::max_bytes`.
  std::uint64_t scopes = 0;
  std::uint64_t exact_hits = 0, semantic_hits = 0, misses = 0;  ///< Since open.
  std::uint64_t stored = 0, evicted = 0, expired = 0, erased = 0;  ///< Since open.
  std::uint64_t damaged = 0;  ///< Entries dropped since open, because what the store's file held of them was damaged.
  std::uint64_t embeddings = 0;                                    ///< Texts embedded since open.
  Reembedded reembedded;  ///< As the last call of `reembed` left it.
};

/// A semantic cache: an exact layer before a semantic one, in hard scopes.
///
/// Thread-safety: every method may be called concurrently. The cache starts no thread (an encoder with `threads` > 1 does).
/// Errors common to all: unavailable and resource_exhausted (full disk) from the store, data_corruption; with a store in Redis
/// also deadline_exceeded, permission_denied and unsupported.
class SemanticCache {
 public:
  /// Errors: those of `open_local_encoder`; invalid_argument (a limit out of range), unavailable (another process has the
  /// folder; Redis has no search module), permission_denied (it cannot be written; Redis refuses), data_corruption. A Redis
  /// that cannot be reached is no error here: the calls fail until it is there.
  static Result<SemanticCache> open(CacheOptions options);

  SemanticCache(SemanticCache&&) noexcept;
  SemanticCache& operator=(SemanticCache&&) noexcept;
  ~SemanticCache();

  /// Finds answers to the same question, then to one that means the same.
  ///
  /// Cost: exact layer, microseconds; semantic layer, one embedding (unless given) and a scan of the scope's vectors.
  /// Errors: invalid_argument (invalid UTF-8, threshold outside [0, 1], max_results); those of the embedder.
  Result<Lookup> lookup(const Query& query, const LookupOptions& options = {}) const;

  /// The embedding that `lookup` and `store` would compute, for who wants to compute it elsewhere.
  /// Errors: invalid_argument (too long a prompt: they compute none); those of the embedder.
  Result<std::shared_ptr<const Embedding>> embed(std::string_view prompt) const;
  /// Of several prompts in one call of the embedder, which takes less time for short ones; one element a prompt, in order.
  Result<std::vector<std::shared_ptr<const Embedding>>> embed(std::span<const std::string_view> prompts) const;

  /// Whether an entry for `stored` would answer `asked` in the same scope, both with their embeddings: the decision of `lookup`, without an entry.
  /// Unset: it would not. With another wording, that is: for the same text ask `Layers::exact`. REQUIRES: both embeddings are
  /// this cache's embedder's; a threshold in [0, 1].
  std::optional<Similarity> would_answer(const Embedding& stored, const Embedding& asked, std::optional<Similarity> threshold = {}) const;

  /// False: the scope surely has no entry, so that a lookup can be spared. Never waits: with a store in Redis always true.
  bool may_have(std::string_view scope) const;

  /// Stores or replaces an answer; durable on return, as `CacheOptions::durability` says.
  ///
  /// Errors: invalid_argument (blank prompt, invalid UTF-8, ttl <= 0); those of the embedder.
  Result<EntryId> store(const Query& query, std::string_view response, const StoreOptions& options = {});

  /// The entry, if it lives. Does not count as a hit.
  Result<std::optional<Entry>> get(std::string_view id) const;

  /// Calls `visit` with every entry that lives, once each and in no stated order, until it says no more. Entries stored or
  /// erased meanwhile may be among them or not. `visit` may call the cache. Does not count as a hit.
  Result<void> for_each(const std::function<bool(const Entry&)>& visit) const;

  /// Stores entries as they are, with their own times (those in the future become now), as `for_each` gave them. Ids are computed anew, and come out the same;
  /// an entry of that id is replaced. Doing it again after a failure is harmless.
  ///
  /// Entries whose prompts are too long for this cache's embedder become exact-only.
  /// Cost: embeds all prompts, but those of exact-only entries, in one batch: give some dozens at a time.
  /// Errors: those of `store`; entries before the failure are stored.
  Result<Restored> restore(std::span<const Entry> entries);

  /// Whether there was such an entry.
  Result<bool> erase(std::string_view id);

  /// Erases the scope's entries that have all of `attributes` (at least one); returns how many.
  Result<std::uint64_t> erase(std::string_view scope, const Attributes& attributes);

  /// Erases a scope's entries, or every entry; returns how many.
  Result<std::uint64_t> clear(std::string_view scope);
  Result<std::uint64_t> clear();

  /// Removes expired entries now. They are never returned in any case; writes sweep too, a little at a time.
  Result<std::uint64_t> sweep();

  /// Where the encoder has changed since entries were stored, these are found by their exact text only. This embeds some of them anew and moves
  /// them to where the present encoder's searches look; nothing else of them changes. Call it until nothing is left, on any threads; what is
  /// left when the process ends is for the next one. In a folder's store all vectors of other encoders are replaced, in Redis those that
  /// `Embedder::replaces` names. `most`: entries looked at in this call, fewer where texts are long; 0: only says how many are left.
  ///
  /// Cost: the first call goes over all entries that no finished pass of this encoder has seen, mostly in memory (with a store in Redis: over
  /// all, on the server); then an embedding an entry.
  /// Errors: those of the embedder; what failed is still left.
  Result<Reembedded> reembed(std::size_t most = 16);

  /// With a store in Redis: asks the server, and gives what it knew last where that does not answer.
  CacheStats stats() const;

  /// Whether entries can be read and written now; the error says why not. Changes nothing. Cost: a few system calls; with a
  /// store in Redis a round trip, `command_timeout` at most where the server hangs.
  /// Errors: unavailable (Redis does not answer or is loading; the store's file is gone or was replaced), permission_denied (the
  /// file cannot be written any more; Redis refuses), deadline_exceeded (Redis hangs).
  Result<void> check() const;

  const Embedder& embedder() const noexcept;

  /// As it was opened with.
  const CacheOptions& options() const noexcept;

  /// Whether entries are kept by this process itself. Else every call but those to the embedder waits for a server.
  bool is_local() const noexcept;

 private:
  struct Impl;
  explicit SemanticCache(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie
