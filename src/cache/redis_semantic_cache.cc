#include "sosie/redis_semantic_cache.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "cache/redis_core.h"
#include "cache/redis_engine.h"
#include "text/python_value.h"

namespace sosie {
namespace {

using cache::RedisAnswer;
using cache::RedisCore;
using cache::RedisPeer;
using cache::RedisQuestion;
using cache::RedisWrite;
using Answer = std::optional<RedisAnswer>;
using Metadata = std::map<std::string, std::string>;
using Learnt = std::shared_ptr<std::vector<float>>;

RedisFound to_found(const Answer& answer) {
  RedisFound found;
  if (!answer) return found;
  found.similarity = answer->similarity;
  auto envelope = text::read_envelope(answer->stored);
  if (!envelope || !*envelope) return found;
  found.response = std::move((*envelope)->response);
  found.timestamp = (*envelope)->timestamp;
  return found;
}

void tell(double similarity, Metadata& metadata) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), similarity).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  metadata["semantic-similarity"] = std::move(text);
}

template <class T>
std::pair<std::function<void(Result<T>)>, std::future<Result<T>>> promise() {
  auto made = std::make_shared<std::promise<Result<T>>>();
  auto future = made->get_future();
  return {[made](Result<T> result) { made->set_value(std::move(result)); }, std::move(future)};
}

RedisWrite to_write(const RedisCore& core, RedisQuestion question, std::string_view response, std::optional<double> ttl) {
  return {std::move(question), text::write_envelope(response, core.options().clock()), ttl};
}

cache::RedisEngine::Job<Answer> find_job(RedisCore& core, RedisQuestion question) {
  return [&core, question = std::move(question)](RedisPeer& peer) { return core.find(peer, question); };
}

cache::RedisEngine::Job<void> store_job(RedisCore& core, std::vector<RedisWrite> writes) {
  return [&core, writes = std::move(writes)](RedisPeer& peer) { return core.store(peer, writes); };
}

/// A job whose end is known: that too is told on the cache's thread, not from within the call.
template <class T>
cache::RedisEngine::Job<T> ended(Result<T> result) {
  return [result = std::move(result)](RedisPeer&) -> net::Task<Result<T>> { co_return result; };
}

Result<RedisFound> counted(RedisCore& core, Result<Answer> answer, Metadata* metadata, const Learnt& learnt = nullptr) {
  Result<RedisFound> found = answer ? Result<RedisFound>(to_found(*answer)) : Result<RedisFound>(answer.error());
  // A value that Python can hold and JSON cannot is a miss; upstream's keeps its similarity.
  if (found && !found->response && core.options().compat == Compat::sosie) {
    answer = Answer();
    found = RedisFound();
  }
  core.count(answer);
  if (found && learnt) found->embedding = std::move(*learnt);
  if (metadata) tell(found ? found->similarity : 0, *metadata);
  return found;
}

Result<void> counted(RedisCore& core, Result<void> stored) {
  if (!stored) core.count(stored.error());
  return stored;
}

}  // namespace

// Jobs and completions refer to the core alone: it outlives them, also where a completion destroys the cache.
struct RedisSemanticCache::Impl {
  explicit Impl(std::unique_ptr<RedisCore> core) : engine(std::move(core)) {}

  cache::RedisEngine engine;
};

RedisSemanticCache::RedisSemanticCache(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
RedisSemanticCache::RedisSemanticCache(RedisSemanticCache&&) noexcept = default;
RedisSemanticCache& RedisSemanticCache::operator=(RedisSemanticCache&&) noexcept = default;
RedisSemanticCache::~RedisSemanticCache() = default;

Result<RedisSemanticCache> RedisSemanticCache::open(RedisSemanticCacheOptions options) {
  auto core = cache::RedisCore::open(std::move(options));
  if (!core) return core.error();
  return RedisSemanticCache(std::make_shared<Impl>(std::move(*core)));
}

Result<void> RedisSemanticCache::set_cache(std::string_view key, std::string_view response, const RedisCall& call) {
  RedisCore& core = impl_->engine.core();
  auto question = core.question(key, call);
  if (!question) return counted(core, question.error());
  if (!*question) return {};
  std::vector<RedisWrite> writes;
  writes.push_back(to_write(core, std::move(**question), response, call.ttl));
  return counted(core, impl_->engine.block<void>(store_job(core, std::move(writes))));
}

Result<RedisFound> RedisSemanticCache::get_cache(std::string_view key, const RedisCall& call) {
  RedisCore& core = impl_->engine.core();
  auto question = core.question(key, call);
  if (!question) return counted(core, question.error(), call.metadata);
  if (!*question) return counted(core, Answer(), call.metadata);
  const Learnt learnt = (*question)->learnt = std::make_shared<std::vector<float>>();
  return counted(core, impl_->engine.block<Answer>(find_job(core, std::move(**question))), call.metadata, learnt);
}

void RedisSemanticCache::async_set_cache(std::string key, std::string response, const RedisCall& call,
                                         std::function<void(Result<void>)> done) {
  std::vector<Item> items;
  items.push_back({std::move(key), std::move(response), {}, std::nullopt});
  async_set_cache_pipeline(std::move(items), call, std::move(done));
}

void RedisSemanticCache::async_get_cache(std::string key, const RedisCall& call, std::function<void(Result<RedisFound>)> done) {
  RedisCore& core = impl_->engine.core();
  auto question = core.question(key, call);
  const auto learnt = std::make_shared<std::vector<float>>();
  if (question && *question) (*question)->learnt = learnt;
  auto job = !question    ? ended<Answer>(question.error())
             : !*question ? ended<Answer>(Answer())
                          : find_job(core, std::move(**question));
  impl_->engine.spawn<Answer>(std::move(job), [&core, learnt, metadata = call.metadata, done = std::move(done)](Result<Answer> answer) {
    done(counted(core, std::move(answer), metadata, learnt));
  });
}

void RedisSemanticCache::async_set_cache_pipeline(std::vector<Item> items, const RedisCall& call, std::function<void(Result<void>)> done) {
  RedisCore& core = impl_->engine.core();
  std::vector<RedisWrite> writes;
  std::optional<Error> refused;
  for (Item& item : items) {
    RedisCall one = call;
    if (!item.request.empty()) one.request = item.request;
    if (!item.request.empty() || item.prompt) {
      one.prompt = item.prompt;
      one.embedding = {};
    }
    auto question = core.question(item.key, one);
    if (!question) {
      refused = question.error();
      break;
    }
    if (*question) writes.push_back(to_write(core, std::move(**question), item.response, call.ttl));
  }
  auto job = refused ? ended<void>(*refused) : store_job(core, std::move(writes));
  impl_->engine.spawn<void>(std::move(job), [&core, done = std::move(done)](Result<void> stored) { done(counted(core, std::move(stored))); });
}

std::future<Result<void>> RedisSemanticCache::async_set_cache(std::string key, std::string response, const RedisCall& call) {
  auto [done, future] = promise<void>();
  async_set_cache(std::move(key), std::move(response), call, std::move(done));
  return std::move(future);
}

std::future<Result<RedisFound>> RedisSemanticCache::async_get_cache(std::string key, const RedisCall& call) {
  auto [done, future] = promise<RedisFound>();
  async_get_cache(std::move(key), call, std::move(done));
  return std::move(future);
}

std::future<Result<void>> RedisSemanticCache::async_set_cache_pipeline(std::vector<Item> items, const RedisCall& call) {
  auto [done, future] = promise<void>();
  async_set_cache_pipeline(std::move(items), call, std::move(done));
  return std::move(future);
}

RedisCacheStats RedisSemanticCache::stats() const { return impl_->engine.core().stats(); }

}  // namespace sosie
