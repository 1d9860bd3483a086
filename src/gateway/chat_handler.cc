#include "gateway/chat_handler.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <stop_token>

#include "base/clock.h"
#include "base/log.h"
#include "cache/keys.h"
#include "gateway/reply/cache_debug.h"
#include "gateway/upstream/forwarding.h"
#include "gateway/upstream/retry.h"

namespace sosie::gateway {
namespace {

using net::ClientError;
using net::Task;

// An answer that is worth a look whether there is room for it.
constexpr std::size_t kLongAnswer = 64 << 10;
constexpr net::Milliseconds kRoomTime{10'000};  // for it: hundreds may wait at once, and each in front of them takes milliseconds

// A request that followed so many calls in vain makes its own.
constexpr std::size_t kMostFollowed = 2;

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Reason to_reason(MissReason reason) {
  switch (reason) {
    case MissReason::below_threshold: return Reason::below_threshold;
    case MissReason::filtered: return Reason::filtered;
    case MissReason::blank_prompt: return Reason::blank_prompt;
    case MissReason::not_exact: return Reason::not_exact;
    case MissReason::long_prompt: return Reason::long_prompt;
    case MissReason::unseen_differs: return Reason::unseen_differs;
    case MissReason::none:
    case MissReason::empty_scope: break;
  }
  return Reason::empty_scope;
}

LookupOptions by_meaning(const RequestContext& context) {
  LookupOptions options;
  options.layers = Layers::semantic;
  options.max_age = context.directives.max_age;
  options.threshold = context.outcome.threshold;
  return options;
}

/// Whether another event may follow those that were sent: they end in a blank line.
class EventBorder {
 public:
  void sent(std::string_view bytes) {
    last_.append(bytes.substr(bytes.size() - std::min(bytes.size(), kLongest)));
    if (last_.size() > kLongest) last_.erase(0, last_.size() - kLongest);
  }
  bool reached() const noexcept {
    std::string_view last = last_;
    if (last.empty()) return true;
    if (!ends_line(last)) return false;
    last.remove_suffix(last.ends_with("\r\n") ? 2 : 1);
    return ends_line(last);
  }

 private:
  static constexpr std::size_t kLongest = 4;
  static bool ends_line(std::string_view text) { return text.ends_with('\n') || text.ends_with('\r'); }
  std::string last_;
};

}  // namespace

ChatHandler::ChatHandler(GatewayState& state, protocol::JsonReader& reader, Upstreams& upstreams, PassThrough& pass_through,
                         boost::asio::any_io_executor executor)
    : state_(state), reader_(reader), upstreams_(upstreams), pass_through_(pass_through), executor_(std::move(executor)) {}

Task<int> ChatHandler::handle(net::Exchange& exchange, const protocol::Protocol& api) {
  auto read = read_request(state_, reader_, scope_, exchange, api);
  if (const auto* not_read = std::get_if<NotRead>(&read)) {
    const auto passed_on = co_await pass_through_.handle_unread(exchange, *not_read);
    if (passed_on) co_return *passed_on;
    net::Reply reply;
    reply.status = 400;
    reply.body = api.error_body(400, not_read->fault.message, not_read->fault.param, {});
    co_await exchange.respond(std::move(reply));
    co_return 400;
  }
  const RequestContextPtr context = std::get<RequestContextPtr>(std::move(read));
  auto hit = co_await find(context);
  if (hit) {
    const auto served = co_await serve_hit(exchange, context, std::move(*hit));
    if (served) co_return *served;
  }
  const int status = co_await serve_uncached(exchange, context);
  co_return status;
}

// Looking for an answer.

Task<std::optional<Hit>> ChatHandler::find(RequestContextPtr context) {
  const auto keep_parts = [this, &context] { context->parts = std::make_shared<const std::vector<protocol::ScopePart>>(scope_.parts()); };
  Outcome& outcome = context->outcome;
  if (context->directives.no_store) context->not_storable = Reason::no_store;
  context->may_follow = !context->directives.no_cache;
  if (context->verdict.reuse == decide::Reuse::never || context->directives.no_cache) {
    const bool never = context->verdict.reuse == decide::Reuse::never;
    outcome.cache_status = CacheStatus::bypass;
    outcome.reason = never ? context->verdict.reason : Reason::no_cache;
    if (never) context->not_storable = context->verdict.reason;
    if (never) context->may_follow = false;
    keep_parts();
    co_return std::nullopt;
  }
  // A call that has just completed is newer than what the store has.
  if (state_.shared_calls.has_finished(context->scope, context->question.prompt)) {
    keep_parts();
    co_return std::nullopt;
  }
  const bool local = state_.cache->is_local();
  if (!local) keep_parts();  // What follows waits.
  auto looked = co_await look_up_exactly(context);
  if (local && (!looked || !looked->hit())) keep_parts();
  if (!looked) {
    note_fault(*context, looked.error());
    co_return std::nullopt;
  }
  if (looked->hit()) co_return std::move(looked->hits.front());
  outcome.reason = to_reason(looked->reason);
  if (context->verdict.reuse == decide::Reuse::exact) {
    if (context->verdict.reason == Reason::long_prompt) outcome.reason = Reason::long_prompt;
    co_return std::nullopt;
  }

  // A call for this very text is under way: the encoder has nothing to add.
  if (context->may_follow && state_.shared_calls.find(context->scope, context->question.prompt, {}, {})) co_return std::nullopt;
  if (is_new_scope(*context)) {
    outcome.reason = Reason::empty_scope;
    co_return std::nullopt;
  }
  auto near = co_await look_up_by_meaning(context);
  if (!near) {
    note_fault(*context, near.error());
    co_return std::nullopt;
  }
  if (near->hit()) co_return std::move(near->hits.front());
  outcome.reason = to_reason(near->reason);
  // The first answers are on their way into the store; whether one of those is near enough is seen among the calls in flight.
  if (near->reason == MissReason::empty_scope && state_.shared_calls.any(context->scope)) outcome.reason = Reason::below_threshold;
  outcome.similarity = near->nearest;
  context->embedding = std::move(near->embedding);
  co_return std::nullopt;
}

bool ChatHandler::is_new_scope(const RequestContext& context) const {
  return !state_.cache->may_have(context.scope) && !state_.shared_calls.any(context.scope);
}

void ChatHandler::note_fault(RequestContext& context, const Error& error) {
  context.outcome.cache_status = CacheStatus::error;
  context.outcome.reason = Reason::lookup_error;
  if (error.code == ErrorCode::deadline_exceeded) context.outcome.reason = Reason::lookup_timeout;
  if (error.code == ErrorCode::resource_exhausted) {
    context.outcome.cache_status = CacheStatus::miss;
    context.outcome.reason = Reason::overloaded;
  }
  // Where the cache has no time for a question, storing would only add to the load.
  if (error.code == ErrorCode::deadline_exceeded || error.code == ErrorCode::resource_exhausted)
    context.not_storable = context.outcome.reason;
}

Task<Result<Lookup>> ChatHandler::look_up_exactly(RequestContextPtr context) {
  LookupOptions exact;
  exact.layers = Layers::exact;
  exact.max_age = context->directives.max_age;
  // In memory, and a matter of microseconds: not worth another thread.
  if (state_.cache->is_local())
    co_return state_.cache->lookup({.prompt = context->question.prompt, .scope = context->scope}, exact);
  std::function<Result<Lookup>()> job = [cache = state_.cache, text = RequestText(context), exact] {
    return cache->lookup({.prompt = text.prompt, .scope = text.scope}, exact);
  };
  // By a writer, which waits for the store anyway: encoders have better things to do.
  auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (!ran) co_return std::move(ran.error());
  co_return std::move(*ran);
}

Task<Result<Lookup>> ChatHandler::look_up_by_meaning(RequestContextPtr context) {
  // What was looked up; or only the embedding, where others wait for the encoder.
  struct Found {
    std::optional<Lookup> lookup;
    std::shared_ptr<const Embedding> embedding;
  };
  const RequestText asked(context);
  EmbeddingQueue::Then<Result<Found>> then = [&state = state_, cache = state_.cache, text = asked, options = by_meaning(*context)](
                                                 EmbeddingQueue::Embedded embedding, bool others_wait) mutable -> Result<Found> {
    if (!embedding) return std::move(embedding).error();
    // Calls in flight may lack an embedding: the first of a scope is not embedded. Now something is compared with them.
    for (const auto& shared_call : state.shared_calls.unembedded(text.scope)) {
      if (auto theirs = cache->embed(shared_call->asked().prompt)) shared_call->set_embedding(std::move(*theirs));
    }
    if (others_wait) return Found{std::nullopt, std::move(*embedding)};
    options.embedding = std::move(*embedding);
    auto lookup = cache->lookup({.prompt = text.prompt, .scope = text.scope}, options);
    if (!lookup) return std::move(lookup).error();
    return Found{std::move(*lookup), nullptr};
  };
  auto ran = co_await state_.embeddings.embed(executor_, asked.prompt, std::move(then), net::after(state_.options.lookup_timeout));
  if (!ran) co_return std::move(ran.error());
  Result<Found>& found = *ran;
  if (!found) co_return std::move(found.error());
  if (found->lookup) co_return std::move(*found->lookup);
  auto compared = co_await compare(context, std::move(found->embedding));
  co_return compared;
}

Task<Result<Lookup>> ChatHandler::compare(RequestContextPtr context, std::shared_ptr<const Embedding> embedding) {
  LookupOptions options = by_meaning(*context);
  options.embedding = std::move(embedding);
  std::function<Result<Lookup>()> job = [cache = state_.cache, text = RequestText(context), options = std::move(options)] {
    return cache->lookup({.prompt = text.prompt, .scope = text.scope}, options);
  };
  auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (!ran) co_return std::move(ran.error());
  co_return std::move(*ran);
}

// Answering.

void ChatHandler::settle(RequestContext& context, Storing storing) {
  context.outcome.storing = storing;
  state_.decisions.note_storing(context.id, std::move(storing));
}

std::string ChatHandler::conclude(const RequestContext& context) {
  const Outcome& outcome = context.outcome;
  state_.metrics.answered(context.api->surface(), outcome);
  Decision decision;
  decision.caller = context.tenant.caller;
  decision.surface = context.api->surface();
  decision.outcome = outcome;
  decision.time = context.time;
  decision.scope = context.scope;
  if (context.question.prompt.size() <= Decision::kMaxPrompt) decision.prompt = context.question.prompt;
  decision.parts = context.parts;
  decision.not_obeyed = context.directives.not_obeyed;
  state_.decisions.record(context.id, std::move(decision));
  std::string lines;
  lines.reserve(512);
  append_outcome_headers(lines, outcome, context.id, state_.options.compat);
  return lines;
}

std::optional<net::Reply> ChatHandler::render(const RequestContext& context, std::string_view kept) {
  const protocol::Protocol& api = *context.api;
  const protocol::ReplayOptions how{unix_seconds(), context.question.include_usage};
  const bool debug = state_.options.compat.bifrost && api.surface() != protocol::Surface::messages;
  net::Reply reply;
  std::optional<std::string> moved;
  if (!api.owns(kept)) {
    if (context.question.needs_own_api) return std::nullopt;
    moved = protocol::kept_for(api, reader_, kept, context.body);
    if (!moved) return std::nullopt;
    kept = *moved;
  }
  if (!(api.misfit(kept, context.question) == Reason::none)) return std::nullopt;
  if (context.question.stream) {
    auto events = api.replay_stream(reader_, kept, how);
    if (!events) return std::nullopt;
    reply.content_type = "text/event-stream; charset=utf-8";
    reply.body = std::move(*events);
    if (debug) add_cache_debug(reply.body, true, context.outcome);
    return reply;
  }
  auto plain = api.replay(kept, how);
  if (!plain) return std::nullopt;
  reply.body = std::move(plain->head);
  if (moved || debug) {
    reply.body.append(plain->tail);
    if (debug) add_cache_debug(reply.body, false, context.outcome);
  } else {
    reply.tail = plain->tail;
  }
  return reply;
}

Task<std::optional<int>> ChatHandler::serve(net::Exchange& exchange, RequestContextPtr context, std::string_view kept) {
  if (kept.size() > kLongAnswer) {
    const bool room = co_await state_.held.room(executor_, net::after(kRoomTime));
    if (!room) {
      const int status = co_await refuse(exchange, context, 503, "Too much is held for clients that do not read. Try again later.",
                                         "overloaded", "Retry-After: 1\r\n");
      co_return status;
    }
  }
  auto reply = render(*context, kept);
  if (!reply) {
    const protocol::Protocol* owner = protocol::owner_of(kept);
    const bool own = owner == context->api;
    const Reason misfit = own ? owner->misfit(kept, context->question) : Reason::none;
    const bool unreadable = owner == nullptr || (own && misfit == Reason::none);
    Outcome outcome;
    outcome.cache_status = unreadable ? CacheStatus::error : CacheStatus::miss;
    outcome.reason = unreadable ? Reason::unreadable_entry : own ? misfit : Reason::other_api;
    outcome.threshold = context->outcome.threshold;
    outcome.reuse = context->outcome.reuse;
    outcome.reuse_reason = context->outcome.reuse_reason;
    context->outcome = std::move(outcome);
    co_return std::nullopt;
  }
  reply->headers = conclude(*context);
  if (context->question.stream && state_.options.replay_pace.count() > 0) {
    const int status = co_await serve_paced(exchange, std::move(*reply));
    co_return status;
  }
  co_await exchange.respond(std::move(*reply));
  co_return 200;
}

Task<int> ChatHandler::serve_paced(net::Exchange& exchange, net::Reply reply) {
  const std::string events = std::move(reply.body);
  const net::HeldBytes::Part held(state_.held, events.size());
  reply.body.clear();
  bool listening = co_await exchange.begin(std::move(reply));
  boost::asio::steady_timer timer(executor_);
  std::string_view rest = events;
  while (listening && !rest.empty()) {
    const std::size_t end = std::min(rest.find("\n\n"), rest.size() - 2) + 2;
    listening = co_await exchange.write(rest.substr(0, end));
    rest.remove_prefix(end);
    if (rest.empty()) break;
    timer.expires_after(state_.options.replay_pace);
    co_await timer.async_wait(net::as_values);
  }
  co_await exchange.finish();
  co_return 200;
}

Task<std::optional<int>> ChatHandler::serve_hit(net::Exchange& exchange, RequestContextPtr context, Hit hit) {
  Outcome& outcome = context->outcome;
  outcome.cache_status = CacheStatus::hit;
  outcome.storing = {Storing::State::no, Reason::from_cache, {}};
  outcome.reason = Reason::none;
  outcome.layer = hit.layer;
  outcome.similarity = hit.similarity;
  outcome.entry_id = hit.entry->id;
  outcome.age = hit.age;
  if (hit.entry->expires) outcome.ttl_left = *hit.entry->expires - base::system_now();
  auto served = co_await serve(exchange, context, hit.entry->response);
  co_return served;
}

Task<std::optional<int>> ChatHandler::serve_finished(net::Exchange& exchange, RequestContextPtr context, SharedCalls::Match match,
                                                   SharedCall::Answered answered, CacheStatus cache_status) {
  Outcome& outcome = context->outcome;
  outcome.cache_status = cache_status;
  outcome.storing = {Storing::State::no, cache_status == CacheStatus::hit ? Reason::from_cache : Reason::coalesced, {}};
  outcome.reason = Reason::none;
  outcome.layer = match.same_text ? Layer::exact : Layer::semantic;
  outcome.similarity = match.similarity;
  outcome.entry_id = cache::entry_id(context->scope, match.shared_call->asked().prompt, {});
  outcome.age = std::max(std::chrono::milliseconds{0}, std::chrono::milliseconds(base::system_now() - answered.created));
  auto served = co_await serve(exchange, context, *answered.kept);
  co_return served;
}

Task<int> ChatHandler::refuse(net::Exchange& exchange, RequestContextPtr context, int status, std::string_view message, std::string_view code,
                              std::string_view headers) {
  net::Reply reply;
  reply.status = status;
  reply.body = context->api->error_body(status, message, {}, code);
  context->outcome.storing = {Storing::State::no, Reason::no_whole_answer, std::string(code)};
  reply.headers = std::string(headers) + conclude(*context);
  co_await exchange.respond(std::move(reply));
  co_return status;
}

Task<int> ChatHandler::serve_uncached(net::Exchange& exchange, RequestContextPtr context) {
  SharedCall::Asked asked;
  asked.scope = context->scope;
  asked.prompt = context->question.prompt;
  asked.surface = context->api->surface();
  asked.stream = context->question.stream;
  asked.include_usage = context->question.include_usage;
  asked.may_come_back = context->question.may_come_back;
  asked.reuse = context->verdict.reuse;
  const decide::Verdict if_all_are_called = decide::judge_answer(state_.options.reuse, context->question.traits.functions);
  asked.while_open = std::max(asked.reuse, if_all_are_called.reuse);
  if (context->verdict.tool_calls_only) asked.while_open = decide::Reuse::never;  // It may become a text.
  SharedCallOwner owner(state_.shared_calls, std::move(asked));
  const std::shared_ptr<SharedCall> mine = owner.shared_call();
  mine->set_embedding(context->embedding);

  SharedCalls::Near near;
  if (context->embedding && context->verdict.reuse == decide::Reuse::by_meaning) {
    near = [this, &context](const Embedding& theirs) {
      return state_.cache->would_answer(theirs, *context->embedding, context->outcome.threshold);
    };
  }
  const bool leads = context->may_store() && !context->directives.only_if_cached;
  std::vector<std::shared_ptr<SharedCall>> tried;
  while (context->may_follow && tried.size() < kMostFollowed) {
    auto match = leads ? state_.shared_calls.find_or_add(mine, near, tried)
                       : state_.shared_calls.find(context->scope, context->question.prompt, near, tried);
    if (!match) break;
    tried.push_back(match->shared_call);
    const auto served = co_await join(exchange, context, std::move(*match));
    if (served) co_return *served;
    if (exchange.gone().stop_requested()) co_return kCallerLeft;
  }
  if (leads && (!context->may_follow || tried.size() == kMostFollowed)) state_.shared_calls.add(mine);
  const int status = co_await call_upstream(exchange, context, std::move(owner));
  co_return status;
}

Task<std::optional<int>> ChatHandler::join(net::Exchange& exchange, RequestContextPtr context, SharedCalls::Match match) {
  const std::shared_ptr<SharedCall> shared_call = match.shared_call;
  if (auto answered = shared_call->answered()) {  // It is complete, and on its way into the store.
    if (!match.same_text && answered->reuse != decide::Reuse::by_meaning) co_return std::nullopt;
    auto served = co_await serve_finished(exchange, context, std::move(match), std::move(*answered), CacheStatus::hit);
    co_return served;
  }
  const SharedCall::Asked& theirs = shared_call->asked();
  const bool same_shape = theirs.stream && context->question.stream && theirs.surface == context->api->surface() &&
                          theirs.include_usage == context->question.include_usage &&
                          (theirs.may_come_back || !context->question.may_come_back);
  const bool may_read_along = theirs.while_open <= (match.same_text ? decide::Reuse::exact : decide::Reuse::by_meaning);
  SharedCall::Subscriber subscriber(shared_call, executor_);
  const std::stop_callback leave(exchange.gone(), [&subscriber] { subscriber.leave(); });
  if (same_shape && may_read_along && subscriber.from_the_start()) {
    context->outcome.similarity = match.similarity;
    context->outcome.layer = match.same_text ? Layer::exact : Layer::semantic;
    auto served = co_await join_stream(exchange, context, subscriber);
    co_return served;
  }
  const auto seen = co_await subscriber.end(state_.options.follow_timeout);
  if (seen != SharedCall::Subscriber::Seen::end) co_return std::nullopt;
  auto answered = shared_call->answered();
  if (!answered || (!match.same_text && answered->reuse != decide::Reuse::by_meaning)) co_return std::nullopt;
  auto served = co_await serve_finished(exchange, context, std::move(match), std::move(*answered), CacheStatus::coalesced);
  co_return served;
}

Task<std::optional<int>> ChatHandler::join_stream(net::Exchange& exchange, RequestContextPtr context, SharedCall::Subscriber& subscriber) {
  const auto head = co_await subscriber.head(net::after(state_.options.follow_timeout));
  if (!head || !head->events) co_return std::nullopt;
  // Until the first piece is there nothing is lost by calling again.
  auto first = co_await subscriber.next(net::after(state_.options.follow_timeout));
  if (first.seen != SharedCall::Subscriber::Seen::piece) co_return std::nullopt;
  context->outcome.cache_status = CacheStatus::coalesced;
  context->outcome.storing = {Storing::State::no, Reason::coalesced, {}};
  context->outcome.reason = Reason::none;
  net::Reply reply;
  reply.content_type = head->content_type;
  reply.headers = conclude(*context);
  reply.tail = *first.bytes;
  const bool listening = co_await exchange.begin(std::move(reply));
  if (listening) co_await relay(exchange, *context->api, subscriber, true);
  co_return 200;
}

Task<int> ChatHandler::call_upstream(net::Exchange& exchange, RequestContextPtr context, SharedCallOwner owner) {
  if (context->directives.only_if_cached) {
    const int status = co_await refuse(exchange, context, 504, "The cache has no answer, and only-if-cached was asked for.", "not_cached",
                                        kDoNotRetry);
    co_return status;
  }
  Upstream* upstream = upstreams_.for_model(context->question.model);
  if (upstream == nullptr) {
    const bool none = state_.options.upstreams.empty();
    const int status = co_await refuse(
        exchange, context, none ? 503 : 404,
        none ? "The cache has no answer, and no upstream is configured. Start the server with --upstream URL, or with "
               "OPENAI_BASE_URL and OPENAI_API_KEY set."
             : "No upstream is configured for this model. Add its name to the models of an [[upstream]].",
        none ? "no_upstream" : "model_not_found", kDoNotRetry);
    co_return status;
  }
  auto place = state_.calls.begin(executor_);
  if (!place) {
    const int status = co_await refuse(exchange, context, 503, "As many calls to upstreams are under way as may be. Try again later.",
                                       "too_many_calls", "Retry-After: 1\r\n");
    co_return status;
  }
  net::ClientRequest call;
  call.method = "POST";
  std::string_view path = exchange.request().path();
  if (path.ends_with('/')) path.remove_suffix(1);  // It is read as if it were not there, here and at the upstream.
  call.target = std::string(upstream_target(path)).append(upstream_query(query_of(exchange.request().target), upstream->options()));
  const ReadBy reader = context->verdict.reuse == decide::Reuse::never ? ReadBy::one_caller : ReadBy::cache;
  call.headers = upstream_header_lines(exchange.request().headers, upstream->options(), state_.options.compat, reader);
  // Who asks for the same as a plain answer counts on the usage, which a stream says only on demand.
  const protocol::Surface surface = context->api->surface();
  const bool on_demand = surface == protocol::Surface::chat || surface == protocol::Surface::completions;
  context->asks_usage = on_demand && context->may_store() && context->question.stream && !context->question.include_usage && !upstream->refuses_usage();
  call.body = context->asks_usage ? protocol::with_usage_asked_for(context->body) : std::move(context->body);
  context->outcome.storing = {Storing::State::no, context->may_store() ? Reason::pending : context->not_storable, {}};
  call.stop = place->stop_token();
  owner.shared_call()->set_call(std::move(place), !context->may_store());
  context->outcome.forwarded = true;
  const std::shared_ptr<SharedCall> shared_call = owner.shared_call();
  const auto ended = [](std::exception_ptr thrown) {
    if (thrown) base::log_error("a call to the upstream ended in an exception: is there memory left?");
  };
  boost::asio::co_spawn(executor_, forward(context, std::move(owner), upstream, std::move(call)), ended);
  const int status = co_await deliver(exchange, context, shared_call);
  co_return status;
}

Task<int> ChatHandler::deliver(net::Exchange& exchange, RequestContextPtr context, std::shared_ptr<SharedCall> shared_call) {
  SharedCall::Subscriber subscriber(shared_call, executor_);
  const std::stop_callback leave(exchange.gone(), [&subscriber] { subscriber.leave(); });
  const auto head = co_await subscriber.head(net::SteadyTime::max());
  const auto failed = [&]() -> Task<int> {
    const ClientError failure = subscriber.failure().value_or(ClientError{net::ClientFailure::cancelled, {}});
    const FailureWords words = failure_words(failure);
    const int status = co_await refuse(exchange, context, words.status, words.message, words.code, words.headers);
    co_return status;
  };
  if (exchange.gone().stop_requested()) co_return kCallerLeft;
  if (!head) {
    const int status = co_await failed();
    co_return status;
  }
  net::Reply reply;
  reply.status = head->status;
  reply.content_type = head->content_type;
  if (!head->events) {
    auto piece = co_await subscriber.next(net::SteadyTime::max());
    if (exchange.gone().stop_requested()) co_return kCallerLeft;
    if (piece.seen == SharedCall::Subscriber::Seen::failed) {
      const int status = co_await failed();
      co_return status;
    }
    if (piece.bytes) reply.tail = *piece.bytes;
    reply.headers = head->headers + conclude(*context);
    if (!subscriber.unretained()) {
      co_await exchange.respond(std::move(reply));
      co_return head->status;
    }
    const bool listening = co_await exchange.begin(std::move(reply));
    piece.bytes.reset();
    if (listening) co_await relay(exchange, *context->api, subscriber, false);
    co_return head->status;
  }
  reply.headers = head->headers + conclude(*context);
  const bool listening = co_await exchange.begin(std::move(reply));
  if (listening) co_await relay(exchange, *context->api, subscriber, true);
  co_return head->status;
}

// False: the caller has left, or the call broke off. What then cannot be followed by an error event, a body that is no stream or a
// part of an event, ends without its last chunk.
Task<bool> ChatHandler::relay(net::Exchange& exchange, const protocol::Protocol& api, SharedCall::Subscriber& subscriber, bool events) {
  EventBorder border;
  for (;;) {
    const auto piece = co_await subscriber.next(net::SteadyTime::max());
    if (piece.seen == SharedCall::Subscriber::Seen::piece) {
      const bool listening = co_await exchange.write(*piece.bytes);
      if (!listening) co_return false;
      border.sent(*piece.bytes);
      continue;
    }
    if (piece.seen == SharedCall::Subscriber::Seen::end) {
      const bool finished = co_await exchange.finish();
      co_return finished;
    }
    const bool has_left = piece.seen == SharedCall::Subscriber::Seen::late;
    if (has_left || !events || !border.reached()) co_return false;
    const FailureWords words = failure_words(subscriber.failure().value_or(ClientError{net::ClientFailure::cancelled, {}}));
    const std::string event = api.error_event(words.status, words.message, words.code);
    const bool listening = co_await exchange.write(event);
    if (listening) co_await exchange.finish();
    co_return false;
  }
}

}  // namespace sosie::gateway
