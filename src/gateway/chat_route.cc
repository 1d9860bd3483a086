#include "gateway/chat_route.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "gateway/chat_answer.h"
#include "gateway/forwarding.h"
#include "gateway/openai_error.h"

namespace sosie::gateway {
namespace {

using net::ClientError;
using net::ClientFailure;
using net::ClientResponse;
using net::Task;

constexpr std::size_t kMaxEventBytes = 4 << 20;
constexpr net::Milliseconds kSettleTime{50};

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Uncached to_uncached(MissReason reason) {
  switch (reason) {
    case MissReason::below_threshold: return Uncached::below_threshold;
    case MissReason::filtered: return Uncached::filtered;
    case MissReason::blank_prompt: return Uncached::blank_prompt;
    case MissReason::not_exact: return Uncached::not_exact;
    case MissReason::none:
    case MissReason::empty_scope: break;
  }
  return Uncached::empty_scope;
}

/// With its "?"; empty without one.
std::string_view query_of(std::string_view target) { return target.substr(std::min(target.find('?'), target.size())); }

/// Whether the body can be read as it is.
bool is_plain(const net::HeaderList& headers) {
  const auto coding = headers.find("content-encoding");
  return !coding || coding->empty() || net::same_name(*coding, "identity");
}

bool is_event_stream(const net::HeaderList& headers) {
  constexpr std::string_view kType = "text/event-stream";
  const auto type = headers.find("content-type").value_or("");
  return type.size() >= kType.size() && net::same_name(type.substr(0, kType.size()), kType);
}

}  // namespace

ChatRoute::ChatRoute(Shared& shared, JsonReader& reader, net::HttpClient* upstream,
                     boost::asio::any_io_executor executor)
    : shared_(shared), reader_(reader), upstream_(upstream), executor_(std::move(executor)) {}

Task<int> ChatRoute::handle(net::Exchange& exchange) {
  auto read = read_chat_request(reader_, exchange.request().body, exchange.request().headers,
                                query_of(exchange.request().target));
  if (const auto* bad = std::get_if<BadRequest>(&read)) {
    net::Reply reply = openai_error(400, bad->message, bad->param);
    co_await exchange.respond(std::move(reply));
    co_return 400;
  }
  const ChatRequest request = std::get<ChatRequest>(std::move(read));
  const CacheControl control = read_cache_control(exchange.request().headers);
  Found found = co_await find(request, control);
  if (const Hit* hit = std::get_if<Hit>(&found)) {
    if (auto reply = replay(request, *hit)) {
      shared_.metrics.hit(hit->layer);
      co_await exchange.respond(std::move(*reply));
      co_return 200;
    }
    found = Uncertain{"error", Uncached::unreadable_entry, !control.no_store, nullptr};
  }
  Uncertain uncertain = std::get<Uncertain>(std::move(found));
  shared_.metrics.uncached(uncertain.why);
  const int status = co_await ask_upstream(exchange, request, std::move(uncertain));
  co_return status;
}

Task<ChatRoute::Found> ChatRoute::find(const ChatRequest& request, CacheControl control) {
  if (!request.bypass_reason.empty()) {
    const bool blank = request.bypass_reason == "blank_prompt";
    co_return Uncertain{"bypass", blank ? Uncached::blank_prompt : Uncached::last_message_not_user, false, nullptr};
  }
  if (control.no_cache) co_return Uncertain{"bypass", Uncached::no_cache, !control.no_store, nullptr};

  auto looked = co_await look_up_exactly(request, control);
  if (!looked) co_return not_looked_up(looked.error(), control);
  if (looked->hit()) co_return std::move(looked->hits.front());
  if (looked->reason == MissReason::blank_prompt) co_return Uncertain{"bypass", Uncached::blank_prompt, false, nullptr};
  Found found = co_await find_by_meaning(request, control);
  co_return found;
}

ChatRoute::Uncertain ChatRoute::not_looked_up(const Error& error, CacheControl control) {
  // Where the cache has no time for a question, storing would only add to the load.
  if (error.code == ErrorCode::resource_exhausted) return {"miss", Uncached::overloaded, false, nullptr};
  if (error.code == ErrorCode::deadline_exceeded) return {"error", Uncached::lookup_timeout, false, nullptr};
  return {"error", Uncached::lookup_error, !control.no_store, nullptr};
}

Task<Result<Lookup>> ChatRoute::look_up_exactly(const ChatRequest& request, CacheControl control) {
  LookupOptions exact;
  exact.layers = Layers::exact;
  exact.max_age = control.max_age;
  // In memory, and a matter of microseconds: not worth another thread.
  if (shared_.cache->is_local()) co_return shared_.cache->lookup({.prompt = request.prompt, .scope = request.scope}, exact);
  std::function<Result<Lookup>()> job = [cache = shared_.cache, prompt = request.prompt, scope = request.scope, exact] {
    return cache->lookup({.prompt = prompt, .scope = scope}, exact);
  };
  // By a writer, which waits for the store anyway: encoders have better things to do.
  auto ran = co_await shared_.writers.run(executor_, std::move(job), net::after(shared_.options.lookup_timeout));
  if (!ran) co_return std::move(ran.error());
  co_return std::move(*ran);
}

Task<ChatRoute::Found> ChatRoute::find_by_meaning(const ChatRequest& request, CacheControl control) {
  std::function<Result<Lookup>()> job = [cache = shared_.cache, prompt = request.prompt, scope = request.scope,
                                         max_age = control.max_age]() -> Result<Lookup> {
    LookupOptions options;
    options.layers = Layers::semantic;
    options.max_age = max_age;
    return cache->lookup({.prompt = prompt, .scope = scope}, options);
  };
  auto ran = co_await shared_.encoders.run(executor_, std::move(job), net::after(shared_.options.lookup_timeout));
  if (!ran) co_return not_looked_up(ran.error(), control);
  Result<Lookup>& looked = *ran;
  if (!looked) co_return not_looked_up(looked.error(), control);
  if (looked->hit()) co_return std::move(looked->hits.front());
  const bool blank = looked->reason == MissReason::blank_prompt;
  co_return Uncertain{blank ? "bypass" : "miss", to_uncached(looked->reason), !blank && !control.no_store,
                      std::move(looked->embedding)};
}

std::optional<net::Reply> ChatRoute::replay(const ChatRequest& request, const Hit& hit) {
  net::Reply reply;
  reply.headers = hit_header_lines(hit);
  if (request.stream) {
    auto events = replay_stream(reader_, hit.entry->response, unix_seconds(), request.include_usage);
    if (!events) return std::nullopt;
    reply.content_type = "text/event-stream";
    reply.body = std::move(*events);
    return reply;
  }
  auto plain = replay_plain(hit.entry->response, unix_seconds());
  if (!plain) return std::nullopt;
  reply.body = std::move(plain->head);
  reply.tail = plain->tail;  // The hit, which outlives the reply's sending, keeps it.
  return reply;
}

Task<bool> ChatRoute::store(const ChatRequest& request, std::string answer,
                            std::shared_ptr<const Embedding> embedding) {
  std::function<Result<EntryId>()> job = [cache = shared_.cache, prompt = request.prompt, scope = request.scope,
                                          answer = std::move(answer), embedding = std::move(embedding)]() -> Result<EntryId> {
    StoreOptions options;
    options.embedding = embedding;
    return cache->store({.prompt = prompt, .scope = scope}, answer, options);
  };
  auto ran = co_await shared_.writers.run(executor_, std::move(job), net::after(shared_.options.lookup_timeout));
  const bool stored = ran && *ran;
  stored ? shared_.metrics.stored() : shared_.metrics.store_failed();
  co_return stored;
}

Task<int> ChatRoute::ask_upstream(net::Exchange& exchange, const ChatRequest& request, Uncertain uncertain) {
  if (!upstream_) {
    net::Reply reply = openai_error(503,
                                    "The cache has no answer, and no upstream is configured. Start the server with --upstream URL, "
                                    "or with OPENAI_BASE_URL and OPENAI_API_KEY set.",
                                    {}, "no_upstream");
    reply.headers = uncached_header_lines(uncertain.cache, uncertain.reason(), false, false);
    co_await exchange.respond(std::move(reply));
    co_return 503;
  }
  net::ClientRequest call;
  call.method = "POST";
  call.target = "/chat/completions" + std::string(query_of(exchange.request().target));
  call.headers = upstream_header_lines(exchange.request().headers, shared_.options.upstreams.front().api_key);
  call.body = exchange.take_body();
  shared_.metrics.upstream_call();
  auto answered = co_await upstream_->send(std::move(call));
  if (const auto* failure = std::get_if<ClientError>(&answered)) {
    const int status = co_await fail(exchange, uncertain, *failure);
    co_return status;
  }
  ClientResponse response = std::get<ClientResponse>(std::move(answered));
  const bool streams = request.stream && response.status() == 200 && is_event_stream(response.headers()) &&
                       is_plain(response.headers());
  if (streams) {
    const int status = co_await relay_stream(exchange, request, std::move(uncertain), std::move(response));
    co_return status;
  }
  const int status = co_await relay_whole(exchange, request, std::move(uncertain), std::move(response));
  co_return status;
}

Task<int> ChatRoute::relay_whole(net::Exchange& exchange, const ChatRequest& request, Uncertain uncertain,
                               ClientResponse response) {
  std::string body;
  for (;;) {
    auto piece = co_await response.read();
    if (const auto* failure = std::get_if<ClientError>(&piece)) {
      const int status = co_await fail(exchange, uncertain, *failure);
      co_return status;
    }
    const std::string& bytes = std::get<std::string>(piece);
    if (bytes.empty()) break;
    body.append(bytes);
  }
  bool stored = false;
  if (uncertain.may_store && !request.stream) {
    std::variant<std::string, NotKept> kept = NotKept("status");
    if (response.status() == 200 && is_plain(response.headers())) kept = keep_completion(reader_, body, request.choices);
    if (auto* answer = std::get_if<std::string>(&kept)) {
      stored = co_await store(request, std::move(*answer), std::move(uncertain.embedding));
    } else {
      shared_.metrics.not_kept();
    }
  }
  const std::string content_type(response.headers().find("content-type").value_or(""));
  net::Reply reply;
  reply.status = response.status();
  reply.content_type = content_type;
  reply.headers = client_header_lines(response.headers()) +
                  uncached_header_lines(uncertain.cache, uncertain.reason(), true, stored);
  reply.body = std::move(body);
  co_await exchange.respond(std::move(reply));
  co_return response.status();
}

Task<int> ChatRoute::relay_stream(net::Exchange& exchange, const ChatRequest& request, Uncertain uncertain,
                               ClientResponse response) {
  const std::string content_type(response.headers().find("content-type").value_or("text/event-stream"));
  net::Reply head;
  head.content_type = content_type;
  head.headers = client_header_lines(response.headers()) +
                  uncached_header_lines(uncertain.cache, uncertain.reason(), true, false);
  bool listening = co_await exchange.begin(std::move(head));

  net::SseParser events(kMaxEventBytes);
  ChatAssembler assembler;
  std::optional<ClientError> failure;
  std::string out;
  bool ended = false;
  while (listening && !failure) {
    auto piece = co_await response.read();
    if (auto* broken = std::get_if<ClientError>(&piece)) {
      failure = std::move(*broken);
      break;
    }
    const std::string& bytes = std::get<std::string>(piece);
    ended = bytes.empty();
    // Some upstreams leave out the blank line behind their last event.
    if (ended && !events.partial()) break;
    if (!events.feed(ended ? "\n\n" : std::string_view(bytes)))
      failure = ClientError{ClientFailure::too_large,
                            {ErrorCode::resource_exhausted, "an event of the upstream is too long"}};
    // Only whole events are passed on, so that a cut never leaves half a line before the error event.
    out.clear();
    while (const auto event = events.next()) {
      out.append(event->raw);
      assembler.add(reader_, event->data);
    }
    if (ended || assembler.done()) break;
    listening = co_await exchange.write(out);
    out.clear();
  }

  if (assembler.done()) {
    // The last bytes wait for the store, so that whoever has seen the end finds the answer in the cache.
    if (uncertain.may_store) {
      co_await keep_stream(request, std::move(uncertain), assembler);
    }
    co_await exchange.write(out);
    co_await exchange.finish();
    co_await response.settle(kSettleTime);
    co_return 200;
  }
  if (ended && !failure && assembler.every_choice_ended(request.choices)) {
    // Whole, only without the [DONE] by which it could be told from a part.
    shared_.metrics.not_kept();
    co_await exchange.write(out);
    co_await exchange.finish();
    co_return 200;
  }
  if (!listening) co_return 200;  // The client left: so does the upstream's connection, when `response` ends.
  if (!failure)
    failure = ClientError{ClientFailure::cut, {ErrorCode::unavailable, "the upstream's stream ended before [DONE]"}};
  shared_.metrics.upstream_failure(failure->kind);
  shared_.metrics.not_kept();
  const std::string event = upstream_failure_event(*failure);
  co_await exchange.write(event);
  co_await exchange.finish();
  co_return 200;
}

Task<bool> ChatRoute::keep_stream(const ChatRequest& request, Uncertain uncertain, const ChatAssembler& assembler) {
  auto kept = assembler.finish(reader_, request.choices);
  auto* answer = std::get_if<std::string>(&kept);
  if (!answer) {
    shared_.metrics.not_kept();
    co_return false;
  }
  const bool stored = co_await store(request, std::move(*answer), std::move(uncertain.embedding));
  co_return stored;
}

Task<int> ChatRoute::fail(net::Exchange& exchange, const Uncertain& uncertain, const ClientError& failure) {
  shared_.metrics.upstream_failure(failure.kind);
  base::log_warning("chat: " + failure.error.message);
  net::Reply reply = upstream_failure_reply(failure);
  reply.headers.append(uncached_header_lines(uncertain.cache, uncertain.reason(), true, false));
  const int status = reply.status;
  co_await exchange.respond(std::move(reply));
  co_return status;
}

}  // namespace sosie::gateway
