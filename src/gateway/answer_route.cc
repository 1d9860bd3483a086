#include "gateway/answer_route.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <stop_token>

#include "base/clock.h"
#include "base/log.h"
#include "cache/keys.h"
#include "gateway/cache_debug.h"
#include "gateway/forwarding.h"
#include "gateway/retry.h"

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

std::string_view to_reason(MissReason reason) {
  switch (reason) {
    case MissReason::below_threshold: return "below_threshold";
    case MissReason::filtered: return "filtered";
    case MissReason::blank_prompt: return "blank_prompt";
    case MissReason::not_exact: return "not_exact";
    case MissReason::long_prompt: return kLongPrompt;
    case MissReason::unseen_differs: return "unseen_differs";
    case MissReason::none:
    case MissReason::empty_scope: break;
  }
  return "empty_scope";
}

LookupOptions by_meaning(const Asking& asking) {
  LookupOptions options;
  options.layers = Layers::semantic;
  options.max_age = asking.wishes.max_age;
  options.threshold = asking.outcome.threshold;
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

AnswerRoute::AnswerRoute(Shared& shared, protocol::JsonReader& reader, Upstreams& upstreams, PassThrough& pass_through,
                         boost::asio::any_io_executor executor)
    : shared_(shared), reader_(reader), upstreams_(upstreams), pass_through_(pass_through), executor_(std::move(executor)) {}

Task<int> AnswerRoute::handle(net::Exchange& exchange, const protocol::Protocol& api) {
  auto read = read_asking(shared_, reader_, scope_, exchange, api);
  if (const auto* not_read = std::get_if<NotRead>(&read)) {
    const auto passed_on = co_await pass_through_.handle_unread(exchange, *not_read);
    if (passed_on) co_return *passed_on;
    net::Reply reply;
    reply.status = 400;
    reply.body = api.error_body(400, not_read->fault.message, not_read->fault.param, {});
    co_await exchange.respond(std::move(reply));
    co_return 400;
  }
  const AskingPtr asking = std::get<AskingPtr>(std::move(read));
  auto hit = co_await find(asking);
  if (hit) {
    const auto served = co_await serve_hit(exchange, asking, std::move(*hit));
    if (served) co_return *served;
  }
  const int status = co_await serve_uncached(exchange, asking);
  co_return status;
}

// Looking for an answer.

Task<std::optional<Hit>> AnswerRoute::find(AskingPtr asking) {
  const auto keep_parts = [this, &asking] { asking->parts = std::make_shared<const std::vector<protocol::ScopePart>>(scope_.parts()); };
  Outcome& outcome = asking->outcome;
  if (asking->wishes.no_store) asking->not_storable = "no_store";
  asking->may_follow = !asking->wishes.no_cache;
  if (asking->verdict.reuse == decide::Reuse::never || asking->wishes.no_cache) {
    const bool never = asking->verdict.reuse == decide::Reuse::never;
    outcome.fate = Fate::bypass;
    outcome.reason = never ? asking->verdict.reason : std::string_view("no_cache");
    if (never) asking->not_storable = asking->verdict.reason;
    if (never) asking->may_follow = false;
    keep_parts();
    co_return std::nullopt;
  }
  // What has just landed is newer than what the store has.
  if (shared_.flights.has_landed(asking->scope, asking->question.prompt)) {
    keep_parts();
    co_return std::nullopt;
  }
  const bool local = shared_.cache->is_local();
  if (!local) keep_parts();  // What follows waits.
  auto looked = co_await look_up_exactly(asking);
  if (local && (!looked || !looked->hit())) keep_parts();
  if (!looked) {
    note_fault(*asking, looked.error());
    co_return std::nullopt;
  }
  if (looked->hit()) co_return std::move(looked->hits.front());
  outcome.reason = to_reason(looked->reason);
  if (asking->verdict.reuse == decide::Reuse::exact) {
    if (asking->verdict.reason == kLongPrompt) outcome.reason = kLongPrompt;
    co_return std::nullopt;
  }

  // A call for this very text is under way: the encoder has nothing to add.
  if (asking->may_follow && shared_.flights.find(asking->scope, asking->question.prompt, {}, {})) co_return std::nullopt;
  if (is_new_scope(*asking)) {
    outcome.reason = "empty_scope";
    co_return std::nullopt;
  }
  auto near = co_await look_up_by_meaning(asking);
  if (!near) {
    note_fault(*asking, near.error());
    co_return std::nullopt;
  }
  if (near->hit()) co_return std::move(near->hits.front());
  outcome.reason = to_reason(near->reason);
  // The first answers are on their way into the store; whether one of those is near enough is seen where they fly.
  if (near->reason == MissReason::empty_scope && shared_.flights.any(asking->scope)) outcome.reason = "below_threshold";
  outcome.similarity = near->nearest;
  asking->embedding = std::move(near->embedding);
  co_return std::nullopt;
}

bool AnswerRoute::is_new_scope(const Asking& asking) const {
  return !shared_.cache->may_have(asking.scope) && !shared_.flights.any(asking.scope);
}

void AnswerRoute::note_fault(Asking& asking, const Error& error) {
  asking.outcome.fate = Fate::error;
  asking.outcome.reason = "lookup_error";
  if (error.code == ErrorCode::deadline_exceeded) asking.outcome.reason = "lookup_timeout";
  if (error.code == ErrorCode::resource_exhausted) {
    asking.outcome.fate = Fate::miss;
    asking.outcome.reason = "overloaded";
  }
  // Where the cache has no time for a question, storing would only add to the load.
  if (error.code == ErrorCode::deadline_exceeded || error.code == ErrorCode::resource_exhausted)
    asking.not_storable = asking.outcome.reason;
}

Task<Result<Lookup>> AnswerRoute::look_up_exactly(AskingPtr asking) {
  LookupOptions exact;
  exact.layers = Layers::exact;
  exact.max_age = asking->wishes.max_age;
  // In memory, and a matter of microseconds: not worth another thread.
  if (shared_.cache->is_local())
    co_return shared_.cache->lookup({.prompt = asking->question.prompt, .scope = asking->scope}, exact);
  std::function<Result<Lookup>()> job = [cache = shared_.cache, text = AskedText(asking), exact] {
    return cache->lookup({.prompt = text.prompt, .scope = text.scope}, exact);
  };
  // By a writer, which waits for the store anyway: encoders have better things to do.
  auto ran = co_await shared_.writers.run(executor_, std::move(job), net::after(shared_.options.lookup_timeout));
  if (!ran) co_return std::move(ran.error());
  co_return std::move(*ran);
}

Task<Result<Lookup>> AnswerRoute::look_up_by_meaning(AskingPtr asking) {
  // What was looked up, or where others wait for the encoder the embedding alone.
  struct Found {
    std::optional<Lookup> lookup;
    std::shared_ptr<const Embedding> embedding;
  };
  const AskedText asked(asking);
  EmbeddingQueue::Then<Result<Found>> then = [&shared = shared_, cache = shared_.cache, text = asked, options = by_meaning(*asking)](
                                                 EmbeddingQueue::Embedded embedding, bool others_wait) mutable -> Result<Found> {
    if (!embedding) return std::move(embedding).error();
    // Whoever leads in this scope did not wait to be embedded; now there is somebody to be compared with.
    for (const auto& flight : shared.flights.unembedded(text.scope)) {
      if (auto theirs = cache->embed(flight->asked().prompt)) flight->set_embedding(std::move(*theirs));
    }
    if (others_wait) return Found{std::nullopt, std::move(*embedding)};
    options.embedding = std::move(*embedding);
    auto lookup = cache->lookup({.prompt = text.prompt, .scope = text.scope}, options);
    if (!lookup) return std::move(lookup).error();
    return Found{std::move(*lookup), nullptr};
  };
  auto ran = co_await shared_.embeddings.embed(executor_, asked.prompt, std::move(then), net::after(shared_.options.lookup_timeout));
  if (!ran) co_return std::move(ran.error());
  Result<Found>& found = *ran;
  if (!found) co_return std::move(found.error());
  if (found->lookup) co_return std::move(*found->lookup);
  auto compared = co_await compare(asking, std::move(found->embedding));
  co_return compared;
}

Task<Result<Lookup>> AnswerRoute::compare(AskingPtr asking, std::shared_ptr<const Embedding> embedding) {
  LookupOptions options = by_meaning(*asking);
  options.embedding = std::move(embedding);
  std::function<Result<Lookup>()> job = [cache = shared_.cache, text = AskedText(asking), options = std::move(options)] {
    return cache->lookup({.prompt = text.prompt, .scope = text.scope}, options);
  };
  auto ran = co_await shared_.writers.run(executor_, std::move(job), net::after(shared_.options.lookup_timeout));
  if (!ran) co_return std::move(ran.error());
  co_return std::move(*ran);
}

// Answering.

void AnswerRoute::settle(Asking& asking, Storing storing) {
  asking.outcome.storing = storing;
  shared_.decisions.note_storing(asking.id, std::move(storing));
}

std::string AnswerRoute::conclude(const Asking& asking) {
  const Outcome& outcome = asking.outcome;
  shared_.metrics.answered(asking.api->surface(), outcome);
  Decision decision;
  decision.caller = asking.tenant.caller;
  decision.surface = asking.api->surface();
  decision.outcome = outcome;
  decision.time = asking.time;
  decision.scope = asking.scope;
  if (asking.question.prompt.size() <= Decision::kMaxPrompt) decision.prompt = asking.question.prompt;
  decision.parts = asking.parts;
  decision.not_obeyed = asking.wishes.not_obeyed;
  shared_.decisions.record(asking.id, std::move(decision));
  std::string lines;
  lines.reserve(512);
  append_outcome_headers(lines, outcome, asking.id, shared_.options.compat);
  return lines;
}

std::optional<net::Reply> AnswerRoute::say(const Asking& asking, std::string_view kept) {
  const protocol::Protocol& api = *asking.api;
  const protocol::ReplayOptions how{unix_seconds(), asking.question.include_usage};
  const bool debug = shared_.options.compat.bifrost && api.surface() != protocol::Surface::messages;
  net::Reply reply;
  std::optional<std::string> moved;
  if (!api.owns(kept)) {
    if (asking.question.needs_own_api) return std::nullopt;
    moved = protocol::kept_for(api, reader_, kept, asking.body);
    if (!moved) return std::nullopt;
    kept = *moved;
  }
  if (!api.misfit(kept, asking.question).empty()) return std::nullopt;
  if (asking.question.stream) {
    auto events = api.replay_stream(reader_, kept, how);
    if (!events) return std::nullopt;
    reply.content_type = "text/event-stream; charset=utf-8";
    reply.body = std::move(*events);
    if (debug) add_cache_debug(reply.body, true, asking.outcome);
    return reply;
  }
  auto plain = api.replay(kept, how);
  if (!plain) return std::nullopt;
  reply.body = std::move(plain->head);
  if (moved || debug) {
    reply.body.append(plain->tail);
    if (debug) add_cache_debug(reply.body, false, asking.outcome);
  } else {
    reply.tail = plain->tail;
  }
  return reply;
}

Task<std::optional<int>> AnswerRoute::serve(net::Exchange& exchange, AskingPtr asking, std::string_view kept) {
  if (kept.size() > kLongAnswer) {
    const bool room = co_await shared_.held.room(executor_, net::after(kRoomTime));
    if (!room) {
      const int status = co_await refuse(exchange, asking, 503, "Too much is held for clients that do not read. Try again later.",
                                         "overloaded", "Retry-After: 1\r\n");
      co_return status;
    }
  }
  auto reply = say(*asking, kept);
  if (!reply) {
    const protocol::Protocol* owner = protocol::owner_of(kept);
    const bool own = owner == asking->api;
    const std::string_view misfit = own ? owner->misfit(kept, asking->question) : std::string_view();
    const bool unreadable = owner == nullptr || (own && misfit.empty());
    Outcome outcome;
    outcome.fate = unreadable ? Fate::error : Fate::miss;
    outcome.reason = unreadable ? "unreadable_entry" : own ? misfit : "other_api";
    outcome.threshold = asking->outcome.threshold;
    outcome.reuse = asking->outcome.reuse;
    outcome.reuse_reason = asking->outcome.reuse_reason;
    asking->outcome = std::move(outcome);
    co_return std::nullopt;
  }
  reply->headers = conclude(*asking);
  if (asking->question.stream && shared_.options.replay_pace.count() > 0) {
    const int status = co_await serve_paced(exchange, std::move(*reply));
    co_return status;
  }
  co_await exchange.respond(std::move(*reply));
  co_return 200;
}

Task<int> AnswerRoute::serve_paced(net::Exchange& exchange, net::Reply reply) {
  const std::string events = std::move(reply.body);
  const net::HeldBytes::Part held(shared_.held, events.size());
  reply.body.clear();
  bool listening = co_await exchange.begin(std::move(reply));
  boost::asio::steady_timer timer(executor_);
  std::string_view rest = events;
  while (listening && !rest.empty()) {
    const std::size_t end = std::min(rest.find("\n\n"), rest.size() - 2) + 2;
    listening = co_await exchange.write(rest.substr(0, end));
    rest.remove_prefix(end);
    if (rest.empty()) break;
    timer.expires_after(shared_.options.replay_pace);
    co_await timer.async_wait(net::as_values);
  }
  co_await exchange.finish();
  co_return 200;
}

Task<std::optional<int>> AnswerRoute::serve_hit(net::Exchange& exchange, AskingPtr asking, Hit hit) {
  Outcome& outcome = asking->outcome;
  outcome.fate = Fate::hit;
  outcome.storing = {Storing::State::no, "from_cache", {}};
  outcome.reason = {};
  outcome.layer = hit.layer;
  outcome.similarity = hit.similarity;
  outcome.entry_id = hit.entry->id;
  outcome.age = hit.age;
  if (hit.entry->expires) outcome.ttl_left = *hit.entry->expires - base::system_now();
  auto served = co_await serve(exchange, asking, hit.entry->response);
  co_return served;
}

Task<std::optional<int>> AnswerRoute::serve_landed(net::Exchange& exchange, AskingPtr asking, Flights::Match match,
                                                   Flight::Answered answered, Fate fate) {
  Outcome& outcome = asking->outcome;
  outcome.fate = fate;
  outcome.storing = {Storing::State::no, fate == Fate::hit ? "from_cache" : "coalesced", {}};
  outcome.reason = {};
  outcome.layer = match.same_text ? Layer::exact : Layer::semantic;
  outcome.similarity = match.similarity;
  outcome.entry_id = cache::entry_id(asking->scope, match.flight->asked().prompt, {});
  outcome.age = std::max(std::chrono::milliseconds{0}, std::chrono::milliseconds(base::system_now() - answered.created));
  auto served = co_await serve(exchange, asking, *answered.kept);
  co_return served;
}

Task<int> AnswerRoute::refuse(net::Exchange& exchange, AskingPtr asking, int status, std::string_view message, std::string_view code,
                              std::string_view headers) {
  net::Reply reply;
  reply.status = status;
  reply.body = asking->api->error_body(status, message, {}, code);
  asking->outcome.storing = {Storing::State::no, "no_whole_answer", std::string(code)};
  reply.headers = std::string(headers) + conclude(*asking);
  co_await exchange.respond(std::move(reply));
  co_return status;
}

Task<int> AnswerRoute::serve_uncached(net::Exchange& exchange, AskingPtr asking) {
  Flight::Asked asked;
  asked.scope = asking->scope;
  asked.prompt = asking->question.prompt;
  asked.surface = asking->api->surface();
  asked.stream = asking->question.stream;
  asked.include_usage = asking->question.include_usage;
  asked.may_come_back = asking->question.may_come_back;
  asked.reuse = asking->verdict.reuse;
  const decide::Verdict if_all_are_called = decide::judge_answer(shared_.options.reuse, asking->question.traits.functions);
  asked.while_open = std::max(asked.reuse, if_all_are_called.reuse);
  if (asking->verdict.tool_calls_only) asked.while_open = decide::Reuse::never;  // It may become a text.
  FlightOwner owner(shared_.flights, std::move(asked));
  const std::shared_ptr<Flight> mine = owner.flight();
  mine->set_embedding(asking->embedding);

  Flights::Near near;
  if (asking->embedding && asking->verdict.reuse == decide::Reuse::by_meaning) {
    near = [this, &asking](const Embedding& theirs) {
      return shared_.cache->would_answer(theirs, *asking->embedding, asking->outcome.threshold);
    };
  }
  const bool leads = asking->may_store() && !asking->wishes.only_if_cached;
  std::vector<std::shared_ptr<Flight>> tried;
  while (asking->may_follow && tried.size() < kMostFollowed) {
    auto match = leads ? shared_.flights.find_or_add(mine, near, tried)
                       : shared_.flights.find(asking->scope, asking->question.prompt, near, tried);
    if (!match) break;
    tried.push_back(match->flight);
    const auto served = co_await follow(exchange, asking, std::move(*match));
    if (served) co_return *served;
    if (exchange.gone().stop_requested()) co_return kCallerLeft;
  }
  if (leads && (!asking->may_follow || tried.size() == kMostFollowed)) shared_.flights.add(mine);
  const int status = co_await lead(exchange, asking, std::move(owner));
  co_return status;
}

Task<std::optional<int>> AnswerRoute::follow(net::Exchange& exchange, AskingPtr asking, Flights::Match match) {
  const std::shared_ptr<Flight> flight = match.flight;
  if (auto answered = flight->answered()) {  // It has landed, and is on its way into the store.
    if (!match.same_text && answered->reuse != decide::Reuse::by_meaning) co_return std::nullopt;
    auto served = co_await serve_landed(exchange, asking, std::move(match), std::move(*answered), Fate::hit);
    co_return served;
  }
  const Flight::Asked& theirs = flight->asked();
  const bool same_shape = theirs.stream && asking->question.stream && theirs.surface == asking->api->surface() &&
                          theirs.include_usage == asking->question.include_usage &&
                          (theirs.may_come_back || !asking->question.may_come_back);
  const bool may_read_along = theirs.while_open <= (match.same_text ? decide::Reuse::exact : decide::Reuse::by_meaning);
  Flight::Reader reader(flight, executor_);
  const std::stop_callback leave(exchange.gone(), [&reader] { reader.leave(); });
  if (same_shape && may_read_along && reader.from_the_start()) {
    asking->outcome.similarity = match.similarity;
    asking->outcome.layer = match.same_text ? Layer::exact : Layer::semantic;
    auto served = co_await follow_stream(exchange, asking, reader);
    co_return served;
  }
  const auto seen = co_await reader.end(shared_.options.follow_timeout);
  if (seen != Flight::Reader::Seen::end) co_return std::nullopt;
  auto answered = flight->answered();
  if (!answered || (!match.same_text && answered->reuse != decide::Reuse::by_meaning)) co_return std::nullopt;
  auto served = co_await serve_landed(exchange, asking, std::move(match), std::move(*answered), Fate::coalesced);
  co_return served;
}

Task<std::optional<int>> AnswerRoute::follow_stream(net::Exchange& exchange, AskingPtr asking, Flight::Reader& reader) {
  const auto head = co_await reader.head(net::after(shared_.options.follow_timeout));
  if (!head || !head->events) co_return std::nullopt;
  // Until the first piece is there nothing is lost by calling again.
  auto first = co_await reader.next(net::after(shared_.options.follow_timeout));
  if (first.seen != Flight::Reader::Seen::piece) co_return std::nullopt;
  asking->outcome.fate = Fate::coalesced;
  asking->outcome.storing = {Storing::State::no, "coalesced", {}};
  asking->outcome.reason = {};
  net::Reply reply;
  reply.content_type = head->content_type;
  reply.headers = conclude(*asking);
  reply.tail = *first.bytes;
  const bool listening = co_await exchange.begin(std::move(reply));
  if (listening) co_await relay(exchange, *asking->api, reader, true);
  co_return 200;
}

Task<int> AnswerRoute::lead(net::Exchange& exchange, AskingPtr asking, FlightOwner owner) {
  if (asking->wishes.only_if_cached) {
    const int status = co_await refuse(exchange, asking, 504, "The cache has no answer, and only-if-cached was asked for.", "not_cached",
                                        kDoNotRetry);
    co_return status;
  }
  Upstream* upstream = upstreams_.for_model(asking->question.model);
  if (upstream == nullptr) {
    const bool none = shared_.options.upstreams.empty();
    const int status = co_await refuse(
        exchange, asking, none ? 503 : 404,
        none ? "The cache has no answer, and no upstream is configured. Start the server with --upstream URL, or with "
               "OPENAI_BASE_URL and OPENAI_API_KEY set."
             : "No upstream is configured for this model. Add its name to the models of an [[upstream]].",
        none ? "no_upstream" : "model_not_found", kDoNotRetry);
    co_return status;
  }
  auto place = shared_.calls.begin(executor_);
  if (!place) {
    const int status = co_await refuse(exchange, asking, 503, "As many calls to upstreams are under way as may be. Try again later.",
                                       "too_many_calls", "Retry-After: 1\r\n");
    co_return status;
  }
  net::ClientRequest call;
  call.method = "POST";
  std::string_view path = exchange.request().path();
  if (path.ends_with('/')) path.remove_suffix(1);  // It is read as if it were not there, here and at the upstream.
  call.target = std::string(upstream_target(path)).append(upstream_query(query_of(exchange.request().target), upstream->options()));
  const ReadBy reader = asking->verdict.reuse == decide::Reuse::never ? ReadBy::one_caller : ReadBy::cache;
  call.headers = upstream_header_lines(exchange.request().headers, upstream->options(), shared_.options.compat, reader);
  // Who asks for the same as a plain answer counts on the usage, which a stream says only on demand.
  const protocol::Surface surface = asking->api->surface();
  const bool on_demand = surface == protocol::Surface::chat || surface == protocol::Surface::completions;
  asking->asks_usage = on_demand && asking->may_store() && asking->question.stream && !asking->question.include_usage && !upstream->refuses_usage();
  call.body = asking->asks_usage ? protocol::with_usage_asked_for(asking->body) : std::move(asking->body);
  asking->outcome.storing = {Storing::State::no, asking->may_store() ? "pending" : asking->not_storable, {}};
  call.stop = place->stop_token();
  owner.flight()->set_call(std::move(place), !asking->may_store());
  asking->outcome.forwarded = true;
  const std::shared_ptr<Flight> flight = owner.flight();
  const auto ended = [](std::exception_ptr thrown) {
    if (thrown) base::log_error("a call to the upstream ended in an exception: is there memory left?");
  };
  boost::asio::co_spawn(executor_, fly(asking, std::move(owner), upstream, std::move(call)), ended);
  const int status = co_await deliver(exchange, asking, flight);
  co_return status;
}

Task<int> AnswerRoute::deliver(net::Exchange& exchange, AskingPtr asking, std::shared_ptr<Flight> flight) {
  Flight::Reader reader(flight, executor_);
  const std::stop_callback leave(exchange.gone(), [&reader] { reader.leave(); });
  const auto head = co_await reader.head(net::SteadyTime::max());
  const auto failed = [&]() -> Task<int> {
    const ClientError failure = reader.failure().value_or(ClientError{net::ClientFailure::cancelled, {}});
    const FailureWords words = failure_words(failure);
    const int status = co_await refuse(exchange, asking, words.status, words.message, words.code, words.headers);
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
    auto piece = co_await reader.next(net::SteadyTime::max());
    if (exchange.gone().stop_requested()) co_return kCallerLeft;
    if (piece.seen == Flight::Reader::Seen::failed) {
      const int status = co_await failed();
      co_return status;
    }
    if (piece.bytes) reply.tail = *piece.bytes;
    reply.headers = head->headers + conclude(*asking);
    if (!reader.endless()) {
      co_await exchange.respond(std::move(reply));
      co_return head->status;
    }
    const bool listening = co_await exchange.begin(std::move(reply));
    piece.bytes.reset();
    if (listening) co_await relay(exchange, *asking->api, reader, false);
    co_return head->status;
  }
  reply.headers = head->headers + conclude(*asking);
  const bool listening = co_await exchange.begin(std::move(reply));
  if (listening) co_await relay(exchange, *asking->api, reader, true);
  co_return head->status;
}

// False: the caller has left, or the flight broke off. What then cannot be followed by an error event, a body that is no stream or a
// part of an event, ends without its last chunk.
Task<bool> AnswerRoute::relay(net::Exchange& exchange, const protocol::Protocol& api, Flight::Reader& reader, bool events) {
  EventBorder border;
  for (;;) {
    const auto piece = co_await reader.next(net::SteadyTime::max());
    if (piece.seen == Flight::Reader::Seen::piece) {
      const bool listening = co_await exchange.write(*piece.bytes);
      if (!listening) co_return false;
      border.sent(*piece.bytes);
      continue;
    }
    if (piece.seen == Flight::Reader::Seen::end) {
      const bool finished = co_await exchange.finish();
      co_return finished;
    }
    const bool has_left = piece.seen == Flight::Reader::Seen::late;
    if (has_left || !events || !border.reached()) co_return false;
    const FailureWords words = failure_words(reader.failure().value_or(ClientError{net::ClientFailure::cancelled, {}}));
    const std::string event = api.error_event(words.status, words.message, words.code);
    const bool listening = co_await exchange.write(event);
    if (listening) co_await exchange.finish();
    co_return false;
  }
}

}  // namespace sosie::gateway
