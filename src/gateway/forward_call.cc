// The part of ChatHandler that forwards a call to the upstream and shares what it brings, whoever still listens.
#include "base/clock.h"
#include "base/log.h"
#include "gateway/chat_handler.h"
#include "gateway/upstream/forwarding.h"
#include "net/held_bytes.h"
#include "net/sse.h"
#include "text/utf8.h"

namespace sosie::gateway {
namespace {

using net::ClientError;
using net::ClientFailure;
using net::ClientResponse;
using net::Task;

constexpr std::size_t kMaxEventBytes = 4 << 20;
constexpr std::size_t kPieceBytes = 64 << 10;      // of what has been collected, and is passed on after all
constexpr std::size_t kMaxWhenTight = 256 << 10;  // of an answer that is collected while memory is tight
constexpr net::Milliseconds kSettleTime{50};
constexpr net::Milliseconds kEmbeddingTime{30'000};  // behind the lookups; until then the shared call itself answers who asks again
constexpr net::Milliseconds kPatience{20};  // with those who still read a call that is complete

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

/// What the first line of an event with that field ("event:") says: a view of `raw`. Empty: there is none.
std::string_view line_of(std::string_view raw, std::string_view field) {
  while (!raw.empty()) {
    const std::size_t end = std::min(raw.find_first_of("\r\n"), raw.size());
    std::string_view line = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (!line.starts_with(field)) continue;
    line.remove_prefix(field.size());
    if (line.starts_with(' ')) line.remove_prefix(1);
    return line;
  }
  return {};
}

/// Appends an event less its top-level "usage"; as it is where its data is not all in one line.
void append_without_usage(std::string& out, const net::SseEvent& event) {
  const std::string_view data = line_of(event.raw, "data:");
  if (data != event.data) {
    out.append(event.raw);
    return;
  }
  out.reserve(out.size() + event.raw.size());  // It is held for readers: in no more room than it needs.
  const auto at = static_cast<std::size_t>(data.data() - event.raw.data());
  out.append(event.raw.substr(0, at)).append(protocol::without_member(data, "usage")).append(event.raw.substr(at + data.size()));
}

/// The call without what the gateway adds to it.
net::ClientRequest as_asked(const net::ClientRequest& call, std::string body) {
  net::ClientRequest again;
  again.method = call.method;
  again.target = call.target;
  again.headers = call.headers;
  again.body = std::move(body);
  again.stop = call.stop;
  return again;
}

bool may_refuse_usage(const net::ClientResult<ClientResponse>& answered) {
  const auto* response = std::get_if<ClientResponse>(&answered);
  return response != nullptr && (response->status() == 400 || response->status() == 422) && is_plain(response->headers());
}

/// Whether an error is about what the gateway adds to a call: those who do not know the field name it.
bool names_usage(std::string_view error) {
  return error.find("stream_options") != std::string_view::npos || error.find("include_usage") != std::string_view::npos;
}

/// The body, up to its end or to what an error has at most.
Task<net::ClientResult<std::string>> read_begin(ClientResponse& response) {
  constexpr std::size_t kLongestError = 64 << 10;
  std::string body;
  while (body.size() < kLongestError) {
    auto piece = co_await response.read();
    if (auto* failure = std::get_if<ClientError>(&piece)) co_return std::move(*failure);
    const std::string& bytes = std::get<std::string>(piece);
    if (bytes.empty()) break;
    body.append(bytes);
  }
  co_return body;
}

/// Why an answer that calls these tools is not stored, where the policy says never.
Storing refusal(const decide::ReusePolicy& policy, const decide::Verdict& request, const std::vector<std::string>& tools) {
  constexpr std::size_t kLongestName = 100;
  for (const std::string& tool : tools)
    if (const decide::Verdict verdict = decide::judge_answer(policy, {tool}); verdict.reuse == decide::Reuse::never)
      return {Storing::State::no, verdict.reason, std::string(text::prefix_of(tool, kLongestName))};
  return {Storing::State::no, request.reason, {}};
}

}  // namespace

void ChatHandler::abort_call(RequestContext& context, const std::shared_ptr<SharedCall>& shared_call, ClientError failure) {
  state_.shared_calls.remove(shared_call);
  if (failure.kind != ClientFailure::cancelled || !shared_call->has_no_subscribers()) {  // Else nobody waited for it any more.
    state_.metrics.upstream_failure(failure.kind);
    base::log_warning(std::string(to_string(context.api->surface())) + ": " + failure.error.message);
  }
  settle(context, {Storing::State::no, Reason::no_whole_answer, std::string(failure_words(failure).code)});
  shared_call->fail(std::move(failure));
}

Task<void> ChatHandler::forward(RequestContextPtr context, SharedCallOwner owner, Upstream* upstream, net::ClientRequest call) {
  const std::shared_ptr<SharedCall> shared_call = owner.shared_call();
  net::ClientRequest again = context->asks_usage ? as_asked(call, std::move(context->body)) : net::ClientRequest();
  state_.metrics.upstream_call();
  auto answered = co_await upstream->send(std::move(call));
  std::string begun;  // Of the answer's body, where it has been read already.
  if (context->asks_usage && may_refuse_usage(answered)) {
    ClientResponse& refusal = std::get<ClientResponse>(answered);
    auto said = co_await read_begin(refusal);
    if (auto* failure = std::get_if<ClientError>(&said)) {
      abort_call(*context, shared_call, std::move(*failure));
      co_return;
    }
    begun = std::get<std::string>(std::move(said));
    if (names_usage(begun)) {
      context->asks_usage = false;
      state_.metrics.upstream_call();
      answered = co_await upstream->send(std::move(again));
      const auto* response = std::get_if<ClientResponse>(&answered);
      if (response != nullptr && response->status() == 200) upstream->note_refuses_usage();
      begun.clear();
    }
  }
  std::string().swap(again.body);
  if (auto* failure = std::get_if<ClientError>(&answered)) {
    abort_call(*context, shared_call, std::move(*failure));
    co_return;
  }
  ClientResponse response = std::get<ClientResponse>(std::move(answered));
  const bool readable = response.status() == 200 && is_plain(response.headers());
  if (context->may_store()) {
    Storing storing{Storing::State::no, Reason::pending, {}};
    if (response.status() != 200) {
      storing = {Storing::State::no, Reason::upstream_status, std::to_string(response.status())};
    } else if (!readable) {
      storing = {Storing::State::no, Reason::content_encoding, "Content-Encoding"};
    } else if (context->question.stream && !is_event_stream(response.headers())) {
      storing = {Storing::State::no, Reason::not_a_stream, "Content-Type"};
    }
    settle(*context, std::move(storing));
  }
  SharedCall::Head head;
  head.status = response.status();
  head.content_type = response.headers().find("content-type").value_or("");
  head.headers = client_header_lines(response.headers());
  head.events = readable && context->question.stream && is_event_stream(response.headers());
  const bool events = head.events;
  // Only a good answer is for others, too: what went wrong for one of them need not go wrong for the next.
  if (!readable || (context->question.stream && !events)) {
    state_.shared_calls.remove(shared_call);
    shared_call->serve_subscribers_only();
  }
  shared_call->start(std::move(head));
  if (events) {
    co_await forward_stream(context, shared_call, std::move(response));
  } else {
    co_await forward_whole(context, shared_call, std::move(response), std::move(begun), readable && !context->question.stream);
  }
}

std::uint64_t ChatHandler::longest() const {
  if (state_.held.full()) return 0;
  return state_.held.tight() ? std::min<std::uint64_t>(kMaxWhenTight, state_.options.max_kept_bytes) : state_.options.max_kept_bytes;
}

Task<void> ChatHandler::forward_whole(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, ClientResponse response, std::string body, bool readable) {
  std::optional<net::HeldBytes::Part> held(std::in_place, state_.held);
  for (;;) {
    auto piece = co_await response.read();
    if (auto* failure = std::get_if<ClientError>(&piece)) {
      abort_call(*context, shared_call, std::move(*failure));
      co_return;
    }
    std::string& bytes = std::get<std::string>(piece);
    if (bytes.empty()) break;
    held->add(bytes.size());
    body.empty() ? static_cast<void>(body = std::move(bytes)) : static_cast<void>(body.append(bytes));
    if (body.size() <= longest()) continue;
    held.reset();
    const Reason why = body.size() > state_.options.max_kept_bytes ? Reason::too_long : Reason::memory;
    co_await forward_unretained(context, shared_call, std::move(response), std::move(body), why);
    co_return;
  }
  held.reset();
  std::variant<protocol::Kept, protocol::NotKept> kept = protocol::NotKept();
  if (readable && context->may_store()) kept = context->api->keep(reader_, body, context->question);
  co_await finish_call(context, shared_call, std::move(body), std::move(kept));
}

Task<void> ChatHandler::forward_unretained(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, ClientResponse response, std::string begun,
                                    Reason why) {
  state_.shared_calls.remove(shared_call);
  if (context->may_store()) {
    state_.metrics.not_kept();
    if (context->outcome.storing.reason == Reason::pending) settle(*context, {Storing::State::no, why, {}});
  }
  shared_call->stop_retaining();
  for (std::size_t at = 0; at < begun.size(); at += kPieceBytes) shared_call->add(begun.substr(at, kPieceBytes));
  std::string().swap(begun);
  for (;;) {
    const bool read = co_await shared_call->make_room(executor_);
    if (!read) co_return;  // Nobody is left, and nothing is kept: the call ends here.
    auto piece = co_await response.read();
    if (auto* failure = std::get_if<ClientError>(&piece)) {
      abort_call(*context, shared_call, std::move(*failure));
      co_return;
    }
    std::string& bytes = std::get<std::string>(piece);
    if (bytes.empty()) break;
    shared_call->add(std::move(bytes));
  }
  shared_call->complete({}, std::nullopt);
}

Task<void> ChatHandler::forward_stream(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, ClientResponse response) {
  using ForUsage = protocol::Assembler::ForUsage;
  std::optional<net::SseParser> events(std::in_place, kMaxEventBytes);
  auto assembler = context->api->assembler();
  std::size_t seen_bytes = 0;
  bool unretained = false;
  net::HeldBytes::Part held(state_.held);  // of the event under way
  std::optional<ClientError> failure;
  std::string out;
  for (bool ended = false; !ended && !assembler->done();) {
    auto piece = co_await response.read();
    if (auto* broken = std::get_if<ClientError>(&piece)) {
      failure = std::move(*broken);
      break;
    }
    const std::string& bytes = std::get<std::string>(piece);
    ended = bytes.empty();
    // Some upstreams leave out the blank line behind their last event.
    if (ended && !events->partial()) break;
    bool fits = events->feed(ended ? "\n\n" : std::string_view(bytes));
    // Only whole events are passed on, so that a cut never leaves half a line before the error event.
    while (const auto event = events->next()) {
      ForUsage extra = ForUsage::nothing;
      if (!event->data.empty()) extra = assembler->add(reader_, line_of(event->raw, "event:"), event->data);
      if (extra == ForUsage::nothing || !context->asks_usage) {
        out.append(event->raw);
      } else if (extra == ForUsage::member) {
        append_without_usage(out, *event);
      }
    }
    if (ended || assembler->done()) break;
    seen_bytes += out.size();
    shared_call->add(std::exchange(out, std::string()));
    held.set(events->rest().size());
    if (state_.held.tight() && events->rest().size() > kMaxWhenTight) fits = false;
    const bool too_long = seen_bytes > longest();
    if (!fits || (too_long && !context->asks_usage)) {
      // Whole events no longer matter: what follows is passed on as it comes.
      std::string rest(events->rest());
      held.set(0);
      events.reset();
      assembler.reset();
      const bool for_its_length = std::max(seen_bytes, rest.size()) > std::min<std::uint64_t>(kMaxEventBytes, state_.options.max_kept_bytes);
      const Reason why = for_its_length ? Reason::too_long : Reason::memory;
      co_await forward_unretained(context, shared_call, std::move(response), std::move(rest), why);
      co_return;
    }
    if (too_long && !unretained) {  // Events are read on, for one of them is not for the caller.
      unretained = true;
      state_.shared_calls.remove(shared_call);
      state_.metrics.not_kept();
      context->not_storable = seen_bytes > state_.options.max_kept_bytes ? Reason::too_long : Reason::memory;
      settle(*context, {Storing::State::no, context->not_storable, {}});
      assembler->forget();
      shared_call->stop_retaining();
    }
    if (unretained) {
      const bool read = co_await shared_call->make_room(executor_);
      if (!read) co_return;
    }
  }
  if (assembler->done() || assembler->ended() || assembler->failed()) {
    failure.reset();  // All is said, or the upstream has said itself what went wrong; at most the end itself is missing.
  } else if (!failure) {
    failure = ClientError{ClientFailure::cut, {ErrorCode::unavailable, "the upstream ended its stream in the middle"}};
  }
  if (failure) {
    shared_call->add(std::move(out));
    abort_call(*context, shared_call, std::move(*failure));
    co_return;
  }
  std::variant<protocol::Kept, protocol::NotKept> kept = protocol::NotKept();
  if (context->may_store()) kept = assembler->finish(reader_, context->question);
  co_await finish_call(context, shared_call, std::move(out), std::move(kept));
  co_await response.settle(kSettleTime);
}

Task<void> ChatHandler::finish_call(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, std::string last,
                             std::variant<protocol::Kept, protocol::NotKept> kept) {
  std::optional<SharedCall::Answered> answered;
  if (auto* whole = std::get_if<protocol::Kept>(&kept)) {
    const decide::Reuse reuse = decide::judge(state_.options.reuse, context->verdict, whole->tools);
    if (reuse != decide::Reuse::never) {
      answered = SharedCall::Answered{std::make_shared<const std::string>(std::move(whole->answer)), reuse, base::system_now()};
      settle(*context, {Storing::State::accepted, Reason::pending, {}});
    } else {
      settle(*context, refusal(state_.options.reuse, context->verdict, whole->tools));
    }
  } else if (const auto& why = std::get<protocol::NotKept>(kept); !why.empty()) {
    settle(*context, {Storing::State::no, why.reason, why.field});
  }
  if (!answered) {
    if (context->may_store()) state_.metrics.not_kept();
    state_.shared_calls.remove(shared_call);
    shared_call->complete(std::move(last), std::nullopt);
    co_return;
  }
  // First for those who wait: the store may take its time, and until it has the answer the shared call gives it.
  shared_call->complete(std::move(last), answered);
  co_await store(context, shared_call, *answered);
  state_.shared_calls.remove(shared_call);
}

Task<void> ChatHandler::store(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, SharedCall::Answered answered) {
  // First those who wait for the answer, then what nobody waits for.
  co_await shared_call->without_subscribers(executor_, net::after(kPatience));
  StoreOptions options;
  options.ttl = context->directives.ttl;
  options.exact_only = answered.reuse == decide::Reuse::exact;
  options.embedding = shared_call->embedding();
  Storing outcome{Storing::State::stored, {}, {}};
  if (context->verdict.reason == Reason::long_prompt) outcome.reason = Reason::long_prompt;
  if (!options.exact_only && !options.embedding) {
    // Lookups go first, for somebody waits for them; one that compares itself with this call embeds it.
    const RequestText asked(context);
    EmbeddingQueue::Then<EmbeddingQueue::Embedded> then = [asked](EmbeddingQueue::Embedded embedding, bool) { return embedding; };
    EmbeddingQueue::Known known = [shared_call] { return shared_call->embedding(); };
    auto embedded = co_await state_.embeddings.embed(executor_, asked.prompt, std::move(then), net::after(kEmbeddingTime), net::Urgency::later,
                                                      std::move(known));
    if (embedded && *embedded) {
      options.embedding = **embedded;
      shared_call->set_embedding(std::move(**embedded));
    } else {  // The very same text needs no embedding.
      options.exact_only = true;
      const ErrorCode code = embedded ? embedded->error().code : embedded.error().code;
      outcome.reason = Reason::embedding_failed;
      outcome.field = to_string(code);
    }
  }
  std::function<Result<EntryId>()> job = [cache = state_.cache, text = RequestText(context), kept = answered.kept,
                                          options]() -> Result<EntryId> {
    return cache->store({.prompt = text.prompt, .scope = text.scope}, *kept, options);
  };
  auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  const bool stored = ran && *ran;
  stored ? state_.metrics.stored() : state_.metrics.store_failed();
  if (stored) {
    settle(*context, std::move(outcome));
  } else if (ran) {
    const ErrorCode code = ran->error().code;
    settle(*context, {Storing::State::no, code == ErrorCode::resource_exhausted ? Reason::store_full : Reason::store_failed, std::string(to_string(code))});
  } else {
    settle(*context, {Storing::State::no, ran.error().code == ErrorCode::deadline_exceeded ? Reason::store_timeout : Reason::store_busy, {}});
  }
  if (stored)
    state_.decisions.note_scope(context->tenant.caller, context->scope, **ran, context->question.prompt, answered.created, context->parts);
}

}  // namespace sosie::gateway
