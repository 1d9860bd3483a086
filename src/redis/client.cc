#include "redis/client.h"

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>

#include "redis/link.h"

namespace sosie::redis {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::steady_clock;

/// One run(), from its start to its last reply.
struct Call {
  Call(Pipeline pipeline, net::SteadyTime until) : commands(std::move(pipeline)), deadline(until) {}
  const Pipeline commands;
  net::SteadyTime deadline;
  net::SteadyTime sent_at;
  std::vector<Reply> replies;
  std::optional<Error> error;
  bool done = false;  // among the sent: given up, its replies are still to come
  bool sent_again = false;
  std::optional<asio::async_result<asio::use_awaitable_t<>, void()>::handler_type>
      wake;  // any_completion_handler of Boost 1.81 recurses for ever

  void finish() {
    done = true;
    if (auto waiting = std::exchange(wake, std::nullopt)) std::move (*waiting)();
  }
  void fail(Error why) {
    error = std::move(why);
    finish();
  }
};
using Calls = std::deque<std::shared_ptr<Call>>;

}  // namespace

/// All of it runs in handlers that exist only while a call is under way: an idle client needs no turning loop.
/// A call is woken last, when everything is in order again: what it does may lead back here.
struct Client::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::any_io_executor loop, Endpoint where, std::shared_ptr<net::Backoff> shared)
      : executor(std::move(loop)),
        endpoint(std::make_shared<const Endpoint>(std::move(where))),
        backoff(std::move(shared)),
        timer(executor) {}

  const asio::any_io_executor executor;
  const std::shared_ptr<const Endpoint> endpoint;
  const std::shared_ptr<net::Backoff> backoff;
  std::unique_ptr<asio::ssl::context> tls;
  std::shared_ptr<Link> link;  // nullptr: no connection
  bool is_open = false;        // else, with a link, it is being made
  Calls queued, sent;          // queued: until the link is open
  asio::steady_timer timer;
  std::optional<net::SteadyTime> alarm;

  void submit(std::shared_ptr<Call> call) {
    if (is_open && sent.empty() && !link->looks_alive()) drop_link();
    if (!link) {
      if (auto started = start_link(); !started) return call->fail(started.error());
    }
    set_alarm(call->deadline);
    if (is_open) {
      send(std::move(call));
    } else {
      queued.push_back(std::move(call));
    }
  }

  Result<void> start_link() {
    if (endpoint->tls.enabled && !tls) {
      auto made = make_tls_context(endpoint->tls);
      if (!made) return made.error();
      tls = std::make_unique<asio::ssl::context>(std::move(*made));
    }
    const auto now = steady_clock::now();
    if (!backoff->allows(now))
      return Error{ErrorCode::unavailable,
                   "the Redis server could not be used a moment ago and is left alone for a while; calls try again by "
                   "themselves"};
    link = std::make_shared<Link>(executor, endpoint, tls.get());
    asio::co_spawn(executor, link->open(now + endpoint->connect_timeout),
                   [self = shared_from_this(), mine = link](std::exception_ptr broken, Result<void> opened) {
                     if (self->link != mine) return;  // given up meanwhile
                     if (broken)
                       opened = Error{ErrorCode::internal, "connecting to the Redis server ended in an exception"};
                     self->opened(std::move(opened));
                   });
    return {};
  }

  void opened(Result<void> result) {
    Calls calls = std::exchange(queued, {});
    if (result) {
      backoff->succeeded();
      is_open = true;
      for (auto& call : calls) send(std::move(call));
      return;
    }
    backoff->failed(steady_clock::now());
    drop_link();
    rest();
    for (const auto& call : calls) call->fail(result.error());
  }

  void send(std::shared_ptr<Call> call) {
    call->sent_at = steady_clock::now();
    link->waiting += call->commands.bytes();
    sent.push_back(std::move(call));
    write();
    read();
  }

  void write() {
    if (link->writing || link->waiting.empty()) return;
    link->writing = true;
    link->leaving.swap(link->waiting);
    link->write(asio::buffer(link->leaving),
                [self = shared_from_this(), mine = link](const error_code& failed, std::size_t) {
                  if (self->link != mine) return;
                  mine->writing = false;
                  mine->leaving.clear();
                  if (failed) return self->lost("the connection to the Redis server broke: " + failed.message());
                  self->write();
                });
  }

  void read() {
    if (link->reading || sent.empty()) return;
    link->reading = true;
    const auto space = link->parser.space();
    link->read(asio::buffer(space.data(), space.size()),
               [self = shared_from_this(), mine = link](const error_code& failed, std::size_t count) {
                 if (self->link != mine) return;
                 mine->reading = false;
                 if (failed) return self->lost("the connection to the Redis server broke: " + failed.message());
                 mine->heard_at = steady_clock::now();
                 mine->parser.filled(count);
                 self->take_replies();
               });
  }

  void take_replies() {
    std::vector<std::shared_ptr<Call>> finished;
    std::optional<std::string> broken;
    while (true) {
      auto next = link->parser.next();
      if (!next) broken = next.error().message;
      if (!next || !*next) break;
      if ((*next)->kind == Reply::Kind::push) continue;
      if (sent.empty()) {
        broken = "the Redis server sent a reply that nobody asked for";
        break;
      }
      Call& call = *sent.front();
      call.replies.push_back(std::move(**next));
      if (call.replies.size() < call.commands.commands()) continue;
      if (!call.done) finished.push_back(std::move(sent.front()));
      sent.pop_front();
    }
    if (!broken) {
      if (sent.empty()) link->was_used = true;
      if (sent.empty() || nobody_waits()) {
        rest();
      } else {
        read();
      }
    }
    const auto self = shared_from_this();
    if (broken) lost(std::move(*broken));
    for (const auto& call : finished) call->finish();
  }

  /// The connection is gone: what a dead idle one was asked is asked again, the rest fails.
  void lost(std::string why) {
    const bool was_dead = link->was_used && !sent.empty() && link->heard_at < sent.front()->sent_at;
    Calls calls = std::exchange(sent, {});
    drop_link();
    rest();
    for (auto& call : calls) {
      if (call->done) continue;
      if (was_dead && !std::exchange(call->sent_again, true)) {
        call->replies.clear();
        submit(std::move(call));
      } else {
        call->fail({ErrorCode::unavailable, why});
      }
    }
  }

  void drop_link() {
    if (link) link->close();
    link = nullptr;
    is_open = false;
  }

  bool nobody_waits() const {
    return std::all_of(sent.begin(), sent.end(), [](const auto& call) { return call->done; });
  }

  /// Where nobody waits, no handler may be left behind.
  void rest() {
    if (!queued.empty() || !nobody_waits()) return;
    if (!sent.empty()) {  // replies to come that nobody wants
      sent.clear();
      drop_link();
    }
    if (!alarm) return;
    alarm.reset();
    timer.cancel();
  }

  void set_alarm(net::SteadyTime deadline) {
    if (alarm && *alarm <= deadline) return;
    alarm = deadline;
    timer.expires_at(deadline);
    timer.async_wait([self = shared_from_this()](const error_code& aborted) {
      if (!aborted) self->ring();
    });
  }

  /// A server that has brought something since is only slow: who is late gives up, and its replies are passed over
  /// where they come within the same time again, for the sake of the other calls. A silent one is not waited for.
  void ring() {
    const auto now = steady_clock::now();
    const auto is_late = [now](const auto& call) { return call->deadline <= now; };
    Calls late, others;
    std::copy_if(queued.begin(), queued.end(), std::back_inserter(late), is_late);
    std::erase_if(queued, is_late);
    bool is_stuck = false;
    for (const auto& call : sent) {
      if (!is_late(call)) continue;
      is_stuck = is_stuck || call->done || link->heard_at < call->sent_at;
      if (!call->done) late.push_back(call);
      call->deadline = now + (now - call->sent_at);
    }
    for (const auto& call : late) call->done = true;
    if (is_stuck) {
      others = std::exchange(sent, {});
      drop_link();
    } else if (link && !is_open && queued.empty()) {
      drop_link();  // nobody waits for it any longer
      backoff->failed(now);
    }
    alarm.reset();
    rest();
    for (const Calls* calls : {&queued, &sent}) {
      for (const auto& call : *calls) set_alarm(call->deadline);
    }
    for (const auto& call : late) call->fail({ErrorCode::deadline_exceeded, "the Redis server did not answer in time"});
    for (const auto& call : others) {
      if (!call->done)
        call->fail({ErrorCode::unavailable,
                    "the connection was closed because the Redis server did not answer another call in time"});
    }
  }

  void close() {
    Calls calls = std::exchange(queued, {});
    for (auto& call : std::exchange(sent, {})) calls.push_back(std::move(call));
    drop_link();
    rest();
    for (const auto& call : calls)
      if (!call->done) call->fail({ErrorCode::cancelled, "the Redis client was closed"});
  }
};

Client::Client(asio::any_io_executor executor, Endpoint endpoint, std::shared_ptr<net::Backoff> backoff)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(endpoint), std::move(backoff))) {}

Client::~Client() { close(); }

void Client::close() { impl_->close(); }

net::Task<Result<std::vector<Reply>>> Client::run(Pipeline commands, net::SteadyTime deadline) {
  if (commands.commands() == 0) co_return std::vector<Reply>();
  if (steady_clock::now() >= deadline)
    co_return Error{ErrorCode::deadline_exceeded, "no time was left to ask the Redis server"};
  const auto call = std::make_shared<Call>(std::move(commands), deadline);
  call->replies.reserve(call->commands.commands());
  impl_->submit(call);
  if (!call->done) {
    auto park = [&call](auto handler) { call->wake.emplace(std::move(handler)); };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(park, asio::use_awaitable);
  }
  if (call->error) co_return std::move(*call->error);
  co_return std::move(call->replies);
}

}  // namespace sosie::redis
