#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "base/clock.h"
#include "cache/keys.h"
#include "cache/reembedder.h"
#include "decide/threshold.h"
#include "index/kernels.h"
#include "sosie/cache.h"
#include "store/embedded_store.h"
#include "store/redis_store.h"
#include "store/store.h"
#include "text/utf8.h"

namespace sosie {
namespace {

constexpr std::size_t kMaxResults = 100;
// Far beyond any use, and far from where times overflow.
constexpr std::chrono::milliseconds kLongest = std::chrono::years{100};

Result<void> check_ttl(const std::optional<std::chrono::milliseconds>& ttl) {
  if (!ttl || (*ttl > std::chrono::milliseconds{0} && *ttl <= kLongest)) return {};
  return Error{ErrorCode::invalid_argument, "ttl must be positive and 100 years at most; leave it unset to keep entries for ever"};
}

Result<void> check_prompt_bytes(const Query& query) {
  if (text::validate_utf8(query.prompt)) return {};
  return Error{ErrorCode::invalid_argument, "the prompt is not valid UTF-8: decode it before asking the cache"};
}

}  // namespace

std::string_view to_string(MissReason reason) noexcept {
  switch (reason) {
    case MissReason::none: return "none";
    case MissReason::empty_scope: return "empty_scope";
    case MissReason::below_threshold: return "below_threshold";
    case MissReason::filtered: return "filtered";
    case MissReason::blank_prompt: return "blank_prompt";
    case MissReason::not_exact: return "not_exact";
    case MissReason::long_prompt: return "long_prompt";
    case MissReason::unseen_differs: return "unseen_differs";
  }
  return "none";
}

std::string_view to_string(Layer layer) noexcept { return layer == Layer::exact ? "exact" : "semantic"; }

struct SemanticCache::Impl {
  CacheOptions options;
  std::shared_ptr<const Embedder> embedder;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<cache::Reembedder> reembedder;  // Refers to the two above.
  mutable std::atomic<std::uint64_t> exact_hits{0}, semantic_hits{0}, misses{0}, embeddings{0};

  Result<std::vector<std::shared_ptr<const Embedding>>> embed(std::span<const std::string_view> prompts) const {
    const auto is_too_long = [this](std::string_view prompt) { return embedder->is_too_long(prompt); };
    if (std::any_of(prompts.begin(), prompts.end(), is_too_long)) {
      return Error{ErrorCode::invalid_argument, "the prompt is too long for an encoder of " + std::to_string(embedder->max_tokens()) +
                                                    " tokens: only the very same text can answer it; ask the exact layer, and store it exact-only"};
    }
    auto embedded = embedder->embed(prompts);
    if (!embedded) return std::move(embedded).error();
    embeddings += prompts.size();
    std::vector<std::shared_ptr<const Embedding>> shared;
    for (Embedding& each : *embedded) shared.push_back(std::make_shared<const Embedding>(std::move(each)));
    return shared;
  }

  Result<std::shared_ptr<const Embedding>> embed(std::string_view prompt) const {
    auto embedded = embed(std::span(&prompt, 1));
    if (!embedded) return std::move(embedded).error();
    return std::move(embedded->front());
  }

  /// The one given, if it fits, else a new one.
  Result<std::shared_ptr<const Embedding>> embedding_of(const Query& query, const std::shared_ptr<const Embedding>& given) const {
    if (!given) return embed(query.prompt);
    if (given->vector.size() != embedder->dimension()) {
      return Error{ErrorCode::invalid_argument, "the embedding given has " + std::to_string(given->vector.size()) +
                                                    " dimensions, this cache's encoder has " + std::to_string(embedder->dimension())};
    }
    return given;
  }

  struct Worth {
    std::optional<std::chrono::milliseconds> sliding_ttl;
    double cost = 0;
  };

  /// Puts an entry under the id that its question has. `embedding`: null where it is exact-only.
  Result<EntryId> put(Entry entry, const Embedding* embedding, const Worth& worth) {
    store::NewEntry fresh;
    fresh.exact_key = cache::exact_key(entry.scope, entry.prompt);
    if (embedding != nullptr) {
      fresh.partition = cache::partition(entry.scope, *embedder, *embedding);
      fresh.vector = embedding->vector;
    }
    fresh.sliding_ttl = worth.sliding_ttl;
    fresh.cost = worth.cost;
    EntryId id = cache::entry_id(entry.scope, entry.prompt, entry.attributes);
    fresh.entry = std::move(entry);
    fresh.entry.id = id;
    if (auto done = store->put(std::move(fresh)); !done) return std::move(done).error();
    return id;
  }

  Hit hit(std::shared_ptr<const Entry> entry, Similarity similarity, Layer layer, TimePoint now, bool record) const {
    if (record) {
      store->touch(entry->id, now);
      ++(layer == Layer::exact ? exact_hits : semantic_hits);
    }
    const auto age = std::max(std::chrono::milliseconds{0}, now - entry->created);
    return {std::move(entry), similarity, layer, age};
  }

  Lookup miss(Lookup lookup, MissReason reason, bool record) const {
    // Who asks the exact layer alone asks the other one next; that answer is the one to count.
    if (record && reason != MissReason::not_exact) ++misses;
    lookup.reason = reason;
    return lookup;
  }

  Result<void> find_exact(const Query& query, const LookupOptions& how, const store::Filter& filter, Lookup& lookup) const {
    auto found = store->exact(cache::exact_key(query.scope, query.prompt), filter);
    if (!found) return std::move(found).error();
    for (auto& entry : *found) {
      if (lookup.hits.size() == how.max_results) break;
      if (!how.ignore_case && entry->prompt != query.prompt) continue;
      lookup.hits.push_back(hit(std::move(entry), {1}, Layer::exact, filter.now, how.record));
    }
    return {};
  }

  Result<MissReason> find_semantic(const Query& query, const LookupOptions& how, Similarity threshold, const store::Filter& filter,
                                   Lookup& lookup) const {
    auto embedding = embedding_of(query, how.embedding);
    if (!embedding) return std::move(embedding).error();
    lookup.embedding = *embedding;
    const auto key = cache::partition(query.scope, *embedder, **embedding);
    auto nearest = store->nearest(key, (*embedding)->vector, how.max_results, decide::search_floor(threshold), filter);
    if (!nearest) return std::move(nearest).error();
    lookup.nearest = nearest->nearest;
    for (auto& neighbor : nearest->found) {
      const bool same_text = neighbor.entry->prompt == query.prompt;
      const Similarity similarity = decide::reported(neighbor.similarity, same_text);
      if (!decide::accepts(similarity, threshold)) continue;
      lookup.hits.push_back(hit(std::move(neighbor.entry), similarity, same_text ? Layer::exact : Layer::semantic, filter.now, how.record));
    }
    if (!nearest->nearest) {
      const auto others = store->has_others(query.scope, key);
      if (!others) return std::move(others).error();
      return *others ? MissReason::unseen_differs : MissReason::empty_scope;
    }
    return nearest->filtered ? MissReason::filtered : MissReason::below_threshold;
  }
};

SemanticCache::SemanticCache(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SemanticCache::SemanticCache(SemanticCache&&) noexcept = default;
SemanticCache& SemanticCache::operator=(SemanticCache&&) noexcept = default;
SemanticCache::~SemanticCache() = default;

Result<SemanticCache> SemanticCache::open(CacheOptions options) {
  if (auto checked = decide::check_threshold(options.threshold); !checked) return std::move(checked).error();
  if (auto checked = check_ttl(options.ttl); !checked) return std::move(checked).error();
  auto impl = std::make_unique<Impl>();
  auto opened = options.redis ? store::open_redis_store(*options.redis, options.max_bytes)
                              : store::open_embedded_store({options.data, options.durability, options.max_bytes});
  if (!opened) return std::move(opened).error();
  impl->store = std::move(*opened);
  impl->embedder = options.embedder;
  if (!impl->embedder) {
    auto encoder = options.embedding_endpoint ? open_remote_embedder(*options.embedding_endpoint) : open_local_encoder(options.encoder);
    if (!encoder) return std::move(encoder).error();
    impl->embedder = std::move(*encoder);
  }
  impl->reembedder = std::make_unique<cache::Reembedder>(*impl->store, *impl->embedder);
  if (!options.clock) options.clock = base::system_now;
  impl->options = std::move(options);
  return SemanticCache(std::move(impl));
}

Result<Lookup> SemanticCache::lookup(const Query& query, const LookupOptions& how) const {
  const Similarity threshold = how.threshold.value_or(impl_->options.threshold);
  if (auto checked = decide::check_threshold(threshold); !checked) return std::move(checked).error();
  if (auto checked = check_prompt_bytes(query); !checked) return std::move(checked).error();
  if (how.max_results == 0 || how.max_results > kMaxResults) {
    return Error{ErrorCode::invalid_argument, "max_results must be 1 to " + std::to_string(kMaxResults)};
  }
  Lookup lookup;
  lookup.embedding = how.embedding;
  if (text::is_blank(query.prompt)) return impl_->miss(std::move(lookup), MissReason::blank_prompt, how.record);

  store::Filter filter{.now = impl_->options.clock(), .attributes = query.attributes.empty() ? nullptr : &query.attributes};
  if (how.max_age && *how.max_age < kLongest) filter.not_before = filter.now - *how.max_age;

  const bool too_long = impl_->embedder->is_too_long(query.prompt);
  MissReason reason = how.layers == Layers::exact ? MissReason::not_exact : MissReason::long_prompt;
  if (how.layers != Layers::semantic || too_long) {
    if (auto done = impl_->find_exact(query, how, filter, lookup); !done) return std::move(done).error();
  }
  if (!lookup.hit() && how.layers != Layers::exact && !too_long) {
    auto semantic = impl_->find_semantic(query, how, threshold, filter, lookup);
    if (!semantic) return std::move(semantic).error();
    reason = *semantic;
  }
  if (!lookup.hit()) return impl_->miss(std::move(lookup), reason, how.record);
  return lookup;
}

std::optional<Similarity> SemanticCache::would_answer(const Embedding& stored, const Embedding& asked,
                                                      std::optional<Similarity> threshold) const {
  // In one scope and with one encoder, this is what tells partitions apart.
  if (stored.unseen != asked.unseen || stored.vector.size() != asked.vector.size() || asked.vector.empty()) return std::nullopt;
  const Similarity raw{index::kernels().dot(stored.vector.data(), asked.vector.data(), asked.vector.size())};
  const Similarity similarity = decide::reported(raw, /*same_text=*/false);
  if (!decide::accepts(similarity, threshold.value_or(impl_->options.threshold))) return std::nullopt;
  return similarity;
}

Result<std::shared_ptr<const Embedding>> SemanticCache::embed(std::string_view prompt) const { return impl_->embed(prompt); }

Result<std::vector<std::shared_ptr<const Embedding>>> SemanticCache::embed(std::span<const std::string_view> prompts) const {
  return impl_->embed(prompts);
}

bool SemanticCache::may_have(std::string_view scope) const { return impl_->store->may_have(scope); }

Result<EntryId> SemanticCache::store(const Query& query, std::string_view response, const StoreOptions& how) {
  if (auto checked = check_prompt_bytes(query); !checked) return std::move(checked).error();
  if (text::is_blank(query.prompt)) {
    return Error{ErrorCode::invalid_argument, "a blank prompt cannot be stored: it would match nothing, or everything"};
  }
  const auto ttl = how.ttl ? how.ttl : impl_->options.ttl;
  if (auto checked = check_ttl(ttl); !checked) return std::move(checked).error();
  if (!(how.cost >= 0)) return Error{ErrorCode::invalid_argument, "cost must be 0 or more"};
  const bool exact_only = how.exact_only || impl_->embedder->is_too_long(query.prompt);
  std::shared_ptr<const Embedding> embedding;
  if (!exact_only) {
    auto known = impl_->embedding_of(query, how.embedding);
    if (!known) return std::move(known).error();
    embedding = *std::move(known);
  }

  const TimePoint now = impl_->options.clock();
  Entry entry;
  entry.scope = query.scope;
  entry.prompt = query.prompt;
  entry.response = response;
  entry.attributes = query.attributes;
  entry.created = now;
  if (ttl) entry.expires = now + *ttl;
  entry.exact_only = exact_only;
  const bool sliding = impl_->options.expiry == Expiry::sliding;
  return impl_->put(std::move(entry), embedding.get(), {.sliding_ttl = sliding ? ttl : std::nullopt, .cost = how.cost});
}

Result<std::optional<Entry>> SemanticCache::get(std::string_view id) const { return impl_->store->get(id, impl_->options.clock()); }

Result<void> SemanticCache::for_each(const std::function<bool(const Entry&)>& visit) const {
  return impl_->store->scan(impl_->options.clock(), visit);
}

Result<Restored> SemanticCache::restore(std::span<const Entry> entries) {
  Restored done;
  const TimePoint now = impl_->options.clock();
  const auto exact_only = [this](const Entry& entry) { return entry.exact_only || impl_->embedder->is_too_long(entry.prompt); };
  std::vector<const Entry*> fit;
  std::vector<std::string_view> prompts;
  for (const Entry& entry : entries) {
    if (entry.expires && *entry.expires <= now) {
      ++done.expired;
    } else if (!text::validate_utf8(entry.prompt) || text::is_blank(entry.prompt)) {
      ++done.unfit;
    } else {
      fit.push_back(&entry);
      if (!exact_only(entry)) prompts.push_back(entry.prompt);
    }
  }
  std::vector<Embedding> embedded;
  if (!prompts.empty()) {
    auto made = impl_->embedder->embed(prompts);
    if (!made) return std::move(made).error();
    impl_->embeddings += prompts.size();
    embedded = *std::move(made);
  }
  const Embedding* next = embedded.data();
  for (const Entry* entry : fit) {
    Entry copy = *entry;
    copy.created = std::min(copy.created, now);
    copy.exact_only = exact_only(*entry);
    const Embedding* embedding = copy.exact_only ? nullptr : next++;
    if (auto put = impl_->put(std::move(copy), embedding, {}); !put) return std::move(put).error();
    ++done.stored;
  }
  return done;
}

Result<bool> SemanticCache::erase(std::string_view id) { return impl_->store->erase(id); }

Result<std::uint64_t> SemanticCache::erase(std::string_view scope, const Attributes& attributes) {
  if (attributes.empty()) {
    return Error{ErrorCode::invalid_argument, "erasing by attributes needs at least one; clear(scope) erases a whole scope"};
  }
  return impl_->store->erase(scope, attributes);
}

Result<std::uint64_t> SemanticCache::clear(std::string_view scope) { return impl_->store->clear(scope); }
Result<std::uint64_t> SemanticCache::clear() { return impl_->store->clear(std::nullopt); }
Result<std::uint64_t> SemanticCache::sweep() { return impl_->store->sweep(impl_->options.clock()); }

CacheStats SemanticCache::stats() const {
  const auto s = impl_->store->stats();
  return {.entries = s.entries,
          .bytes = s.bytes,
          .scopes = s.scopes,
          .exact_hits = impl_->exact_hits,
          .semantic_hits = impl_->semantic_hits,
          .misses = impl_->misses,
          .stored = s.stored,
          .evicted = s.evicted,
          .expired = s.expired,
          .erased = s.erased,
          .damaged = s.damaged,
          .embeddings = impl_->embeddings + impl_->reembedder->embeddings(),
          .reembedded = impl_->reembedder->progress()};
}

Result<Reembedded> SemanticCache::reembed(std::size_t most) { return impl_->reembedder->step(most, impl_->options.clock()); }

Result<void> SemanticCache::check() const { return impl_->store->check(); }

bool SemanticCache::is_local() const noexcept { return impl_->store->is_local(); }

const Embedder& SemanticCache::embedder() const noexcept { return *impl_->embedder; }

const CacheOptions& SemanticCache::options() const noexcept { return impl_->options; }

}  // namespace sosie
