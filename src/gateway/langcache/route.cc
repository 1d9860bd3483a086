#include "gateway/langcache/route.h"

#include <algorithm>

#include "base/digest.h"
#include "decide/self_contained.h"
#include "gateway/upstream/retry.h"

namespace sosie::gateway {
namespace {

using net::Task;

constexpr std::string_view kPrefix = "/v1/caches/";
constexpr std::size_t kMaxCacheId = 256;

std::string scope_of(std::string_view cache_id) {
  base::DigestBuilder digest;
  digest.add("langcache").add(cache_id);
  return "langcache:" + base::to_hex(digest.finish());
}

std::string_view user_agent(const net::Exchange& exchange) {
  return exchange.request().headers.find("user-agent").value_or("");
}

/// All strategies in their order, until enough is found; counted: the value of "data". Runs on a worker.
Result<std::string> search_all(const SemanticCache& cache, Metrics& metrics, const SearchRequest& request,
                               const std::string& scope) {
  std::string json = "[";
  std::vector<EntryId> seen;
  for (const Strategy strategy : request.strategies) {
    LookupOptions options;
    options.layers = strategy == Strategy::exact ? Layers::exact : Layers::semantic;
    options.ignore_case = strategy == Strategy::exact;
    options.threshold = request.threshold;
    options.max_results = request.max_results;
    const auto found = cache.lookup({.prompt = request.prompt, .scope = scope, .attributes = request.attributes}, options);
    if (!found) return found.error();
    for (const Hit& hit : found->hits) {
      if (seen.size() == request.max_results) break;
      if (std::find(seen.begin(), seen.end(), hit.entry->id) != seen.end()) continue;
      seen.empty() ? metrics.langcache_hit(hit.layer) : json.push_back(',');
      append_langcache_entry(json, hit, strategy);
      seen.push_back(hit.entry->id);
    }
    if (seen.size() == request.max_results) break;
  }
  if (seen.empty()) metrics.langcache_miss();
  return json.append("]");
}

}  // namespace

LangCacheRoute::LangCacheRoute(GatewayState& state, JsonReader& reader, boost::asio::any_io_executor executor)
    : state_(state), reader_(reader), executor_(std::move(executor)) {}

Task<int> LangCacheRoute::handle(net::Exchange& exchange) {
  const std::string method = exchange.request().method;
  std::string_view path = exchange.request().path();
  path.remove_prefix(kPrefix.size());
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view cache_id = path.substr(0, slash);
  const std::string action(path.substr(slash));
  if (cache_id.empty() || cache_id.size() > kMaxCacheId) {
    const int status = co_await refuse(exchange, LangCacheError::not_found, "there is no such cache", {});
    co_return status;
  }
  std::string scope = scope_of(cache_id);
  constexpr std::string_view kEntries = "/entries/";
  const bool names_entry = action.starts_with(kEntries) && action.size() > kEntries.size() &&
                           action.find('/', kEntries.size()) == std::string::npos;

  if (method == "POST" && action == "/entries/search") {
    const int status = co_await search(exchange, std::move(scope), false);
    co_return status;
  }
  if (method == "POST" && action == "/conversations/search") {
    const int status = co_await search(exchange, std::move(scope), true);
    co_return status;
  }
  if (method == "POST" && action == "/entries") {
    const int status = co_await set(exchange, std::move(scope));
    co_return status;
  }
  if (method == "DELETE" && action == "/entries") {
    const int status = co_await erase_matching(exchange, std::move(scope));
    co_return status;
  }
  if (method == "DELETE" && names_entry) {
    std::string id = action.substr(kEntries.size());
    const int status = co_await erase_one(exchange, std::move(scope), std::move(id));
    co_return status;
  }
  if (method == "POST" && action == "/flush") {
    const int status = co_await flush(exchange, std::move(scope));
    co_return status;
  }
  std::string_view allowed;
  if (action == "/entries") allowed = "Allow: POST, DELETE\r\n";
  if (action == "/entries/search" || action == "/conversations/search" || action == "/flush") {
    allowed = "Allow: POST\r\n";
  } else if (names_entry) {
    allowed = "Allow: DELETE\r\n";
  }
  if (allowed.empty()) {
    const int status = co_await refuse(exchange, LangCacheError::not_found, "there is no such path", {});
    co_return status;
  }
  net::Reply reply =
      langcache_error(LangCacheError::method_not_allowed, user_agent(exchange), "this path does not take the method");
  reply.headers = allowed;
  const int status = reply.status;
  co_await exchange.respond(std::move(reply));
  co_return status;
}

// Nobody here rewrites a question by those before it. One that stands by itself needs none of them; what is found for any
// other would answer another question.
Task<int> LangCacheRoute::search(net::Exchange& exchange, std::string scope, bool in_conversation) {
  const auto read_body = in_conversation ? read_conversation_search : read_search;
  auto read = read_body(reader_, exchange.request().body, state_.options.langcache_max_prompt);
  if (auto* faults = std::get_if<Faults>(&read)) {
    const int status = co_await refuse(exchange, LangCacheError::invalid_data, "the request is not valid",
                                       std::move(*faults));
    co_return status;
  }
  const auto request = std::make_shared<const SearchRequest>(std::get<SearchRequest>(std::move(read)));
  net::Reply reply;
  reply.body = "{";
  if (in_conversation) {
    reply.body.append(R"("actualPrompt":)");
    append_json_string(reply.body, request->prompt);
    reply.body.push_back(',');
  }
  reply.body.append(R"("data":)");
  if (request->has_context && decide::leans_on_context(request->prompt)) {
    state_.metrics.langcache_miss();
    reply.body.append("[]}");
    co_await exchange.respond(std::move(reply));
    co_return 200;
  }
  std::function<Result<std::string>()> job = [&state = state_, request, scope = std::move(scope)] {
    return search_all(*state.cache, state.metrics, *request, scope);
  };
  auto ran = co_await state_.encoders.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (!ran || !*ran) {
    Error error = ran ? std::move(ran->error()) : std::move(ran.error());
    const int status = co_await fail(exchange, std::move(error), !ran);
    co_return status;
  }
  reply.body.append(**ran).push_back('}');
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

Task<int> LangCacheRoute::set(net::Exchange& exchange, std::string scope) {
  auto read = read_set(reader_, exchange.request().body, state_.options.langcache_max_prompt);
  if (auto* faults = std::get_if<Faults>(&read)) {
    const int status = co_await refuse(exchange, LangCacheError::invalid_data, "the request is not valid",
                                       std::move(*faults));
    co_return status;
  }
  const auto request = std::make_shared<const SetRequest>(std::get<SetRequest>(std::move(read)));

  // Encoded by an encoder, written by a writer: neither kind of thread waits for the other's work.
  std::shared_ptr<const Embedding> vector;
  if (!state_.cache->embedder().is_too_long(request->prompt)) {
    EmbeddingQueue::Then<EmbeddingQueue::Embedded> then = [request](EmbeddingQueue::Embedded embedding, bool) { return embedding; };
    auto encoded = co_await state_.embeddings.embed(executor_, request->prompt, std::move(then), net::after(state_.options.lookup_timeout));
    if (!encoded || !*encoded) {
      Error error = encoded ? std::move(encoded->error()) : std::move(encoded.error());
      const int status = co_await fail(exchange, std::move(error), !encoded);
      co_return status;
    }
    vector = std::move(**encoded);
  }
  std::function<Result<EntryId>()> write = [cache = state_.cache, request, scope = std::move(scope), vector] {
    StoreOptions options;
    options.ttl = request->ttl;
    options.embedding = vector;
    return cache->store({.prompt = request->prompt, .scope = scope, .attributes = request->attributes}, request->response,
                        options);
  };
  auto written = co_await state_.writers.run(executor_, std::move(write), net::after(state_.options.lookup_timeout));
  if (!written || !*written) {
    Error error = written ? std::move(written->error()) : std::move(written.error());
    const int status = co_await fail(exchange, std::move(error), !written);
    co_return status;
  }
  net::Reply reply;
  reply.status = 201;
  reply.body = R"({"entryId":")" + **written + "\"}";
  co_await exchange.respond(std::move(reply));
  co_return 201;
}

Task<int> LangCacheRoute::erase_matching(net::Exchange& exchange, std::string scope) {
  auto read = read_delete(reader_, exchange.request().body);
  if (auto* faults = std::get_if<Faults>(&read)) {
    const int status = co_await refuse(exchange, LangCacheError::invalid_data, "the request is not valid",
                                       std::move(*faults));
    co_return status;
  }
  std::function<Result<std::uint64_t>()> job = [cache = state_.cache, scope = std::move(scope),
                                                attributes = std::get<Attributes>(std::move(read))] {
    return cache->erase(scope, attributes);
  };
  auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (!ran || !*ran) {
    Error error = ran ? std::move(ran->error()) : std::move(ran.error());
    const int status = co_await fail(exchange, std::move(error), !ran);
    co_return status;
  }
  net::Reply reply;
  reply.body = R"({"deletedEntriesCount":)" + std::to_string(**ran) + "}";
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

Task<int> LangCacheRoute::erase_one(net::Exchange& exchange, std::string scope, std::string id) {
  std::function<Result<bool>()> job = [cache = state_.cache, scope = std::move(scope),
                                       id = std::move(id)]() -> Result<bool> {
    // Another cache's entry does not exist here.
    const auto entry = cache->get(id);
    if (!entry) return entry.error();
    if (!*entry || (*entry)->scope != scope) return false;
    return cache->erase(id);
  };
  auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (!ran || !*ran) {
    Error error = ran ? std::move(ran->error()) : std::move(ran.error());
    const int status = co_await fail(exchange, std::move(error), !ran);
    co_return status;
  }
  if (!**ran) {
    const int status = co_await refuse(exchange, LangCacheError::entry_not_found, "this cache has no such entry", {});
    co_return status;
  }
  const int status = co_await empty(exchange);
  co_return status;
}

Task<int> LangCacheRoute::flush(net::Exchange& exchange, std::string scope) {
  std::function<Result<std::uint64_t>()> job = [cache = state_.cache, scope = std::move(scope)] {
    return cache->clear(scope);
  };
  auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (!ran || !*ran) {
    Error error = ran ? std::move(ran->error()) : std::move(ran.error());
    const int status = co_await fail(exchange, std::move(error), !ran);
    co_return status;
  }
  const int status = co_await empty(exchange);
  co_return status;
}

Task<int> LangCacheRoute::refuse(net::Exchange& exchange, LangCacheError error, std::string detail, Faults faults) {
  net::Reply reply = langcache_error(error, user_agent(exchange), detail, faults);
  const int status = reply.status;
  co_await exchange.respond(std::move(reply));
  co_return status;
}

Task<int> LangCacheRoute::fail(net::Exchange& exchange, Error error, bool busy) {
  LangCacheError kind = LangCacheError::unexpected;
  switch (error.code) {
    case ErrorCode::invalid_argument: kind = LangCacheError::invalid_data; break;
    case ErrorCode::resource_exhausted:
      kind = busy ? LangCacheError::too_many_requests : LangCacheError::out_of_memory;
      break;
    case ErrorCode::unavailable:
    case ErrorCode::permission_denied:
    case ErrorCode::deadline_exceeded: kind = LangCacheError::database_unavailable; break;
    default: break;
  }
  Faults faults;
  // Blank in a way only the cache knows (white space of any script).
  if (kind == LangCacheError::invalid_data) faults.push_back({"prompt", "blank", "must not be blank"});
  net::Reply reply = langcache_error(kind, user_agent(exchange), error.message, faults);
  if (kind == LangCacheError::too_many_requests || kind == LangCacheError::database_unavailable) reply.headers = kRetrySoon;
  const int status = reply.status;
  co_await exchange.respond(std::move(reply));
  co_return status;
}

Task<int> LangCacheRoute::empty(net::Exchange& exchange) {
  net::Reply reply;
  reply.status = 204;
  reply.content_type = {};
  co_await exchange.respond(std::move(reply));
  co_return 204;
}

}  // namespace sosie::gateway
