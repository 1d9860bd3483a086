#include "net/http_server.h"

#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <exception>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/fenced.h"
#include "base/log.h"
#include "net/http_session.h"

namespace sosie::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr Milliseconds kTick{100};
constexpr unsigned kAcceptedAtOnce = 64;
constexpr Milliseconds kAcceptPause{100};  // when the process has no file descriptor left

constexpr std::size_t kOtherDescriptors = 128;  // kept from clients: calls to the upstream, the store, logs

/// How many files this process may open: its soft limit is raised to the hard one.
std::size_t raised_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return SIZE_MAX;
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  if (limit.rlim_cur != limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur;
}

/// Lowers `max_connections` to what the process's limit of open files allows, and says so.
Result<void> fit_file_limit(std::size_t& max_connections) {
  const std::size_t files = raised_file_limit();
  if (max_connections <= SIZE_MAX - kOtherDescriptors && files >= max_connections + kOtherDescriptors) return {};
  const std::string allowed = "this process may open " + std::to_string(files) + " files";
  const std::string way_out = "raise the limit (ulimit -n, LimitNOFILE= of a systemd service, --ulimit nofile= of a container)";
  if (files <= kOtherDescriptors)
    return Error{ErrorCode::resource_exhausted, allowed + ", too few for a server: " + way_out + " to 1024 or more"};
  max_connections = files - kOtherDescriptors;
  base::log_warning("at most " + std::to_string(max_connections) + " connections at a time, because " + allowed + "; for more, " + way_out);
  return {};
}

Error listen_error(const error_code& failure, const HttpServerOptions& options) {
  const std::string where = options.address + ":" + std::to_string(options.port);
  if (failure == asio::error::address_in_use)
    return {ErrorCode::unavailable, "cannot listen on " + where + ": the port is in use; choose another, or 0 for any free one"};
  if (failure == asio::error::access_denied)
    return {ErrorCode::permission_denied, "cannot listen on " + where + ": not permitted; choose a port above 1023"};
  return {ErrorCode::unavailable, "cannot listen on " + where + ": " + failure.message()};
}

}  // namespace

class HttpServer::Impl {
 public:
  /// A thread, its sessions and their handler. Everything but `context` is touched by that thread only.
  struct Loop {
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    asio::steady_timer ticker{context};
    std::unique_ptr<Handler> handler;
    std::list<std::shared_ptr<HttpSession>> sessions;
    std::vector<pollfd> watched;  // by `watch`; kept for its memory
    std::vector<HttpSession*> watched_sessions;
    std::string date_line;
    std::time_t date_second = 0;
    bool draining = false, ending = false, ticking = false;
    std::thread thread;
  };

  explicit Impl(HttpServerOptions given) : options(std::move(given)) {
    for (std::size_t i = 0; i < options.io_threads; ++i) loops.push_back(std::make_unique<Loop>());
    acceptor.emplace(loops[0]->context);
    pause.emplace(loops[0]->context);
  }

  Result<void> listen() {
    error_code failure;
    const auto address = asio::ip::make_address(options.address, failure);
    if (failure)
      return Error{ErrorCode::invalid_argument, "listen address \"" + options.address + "\" is not an IP address; for example 127.0.0.1"};
    const tcp::endpoint endpoint(address, options.port);
    acceptor->open(endpoint.protocol(), failure);
    if (!failure) acceptor->set_option(asio::socket_base::reuse_address(true), failure);
    if (!failure) acceptor->bind(endpoint, failure);
    if (!failure) acceptor->listen(asio::socket_base::max_listen_connections, failure);
    if (!failure) acceptor->non_blocking(true, failure);
    if (failure) return listen_error(failure, options);
    port = acceptor->local_endpoint(failure).port();
    return {};
  }

  void run(const HandlerFactory& factory) {
    for (auto& loop : loops) {
      loop->handler = factory(loop->context.get_executor());
      tick(*loop);
    }
    accept();
    for (auto& loop : loops) loop->thread = std::thread([this, &loop = *loop] { run(loop); });
  }

  /// A loop outlives whatever is thrown in it: out of memory, what could not be begun again is begun a little later.
  void run(Loop& loop) {
    for (;;) {
      const auto ran = base::fenced([&] {
        if (!loop.ticking && !loop.ending) tick(loop);
        if (&loop == loops.front().get() && !accepting && acceptor->is_open()) accept();
        loop.context.run();
      });
      if (ran) return;
      base::log_error("an I/O thread goes on after a failure: " + ran.error().message);
      std::this_thread::sleep_for(kTick);
    }
  }

  Loop& take_turns() { return *loops[next_loop++ % loops.size()]; }

  void accept() {
    Loop& loop = take_turns();
    acceptor->async_accept(loop.context, [this, &loop](const error_code& failure, tcp::socket socket) {
      accepting = false;
      if (failure == asio::error::operation_aborted || !acceptor->is_open()) return;
      if (failure) {
        pause->expires_after(kAcceptPause);
        pause->async_wait([this](const error_code& aborted) {
          accepting = false;
          if (!aborted && acceptor->is_open()) accept();
        });
        accepting = true;
        return;
      }
      admit(loop, std::move(socket));
      // Those who queue behind it, too: where a thread has much to do, one for each of its turns would let them wait for seconds.
      for (unsigned i = 0; i < kAcceptedAtOnce; ++i) {
        Loop& next = take_turns();
        tcp::socket another(next.context);
        error_code none;  // Whatever it is, the next call says so again.
        acceptor->accept(another, none);
        if (none) break;
        admit(next, std::move(another));
      }
      accept();
    });
    accepting = true;
  }

  void admit(Loop& loop, tcp::socket socket) {
    const bool full = open.fetch_add(1, std::memory_order_relaxed) >= options.max_connections;
    try {
      asio::dispatch(loop.context, [this, &loop, full, socket = std::move(socket)]() mutable { welcome(loop, full, std::move(socket)); });
    } catch (...) {
      leave();
      throw;
    }
  }

  void welcome(Loop& loop, bool full, tcp::socket socket) {
    const auto served = base::fenced([&] {
      if (full && !make_room(loop)) return false;
      serve(loop, std::move(socket));
      return true;
    });
    if (!served || !*served) leave();
    if (!served) base::log_error("a connection was refused: " + served.error().message);
  }

  /// Ends the connection that can be spared most. False: every one has a request.
  static bool make_room(Loop& loop) {
    const auto spare = [](const auto& session) { return session->spare(); };
    HttpSession* least = nullptr;
    for (const auto& session : loop.sessions)
      if (spare(session) && (least == nullptr || *spare(session) < *least->spare())) least = session.get();
    if (least != nullptr) least->cancel();
    return least != nullptr;
  }

  /// One connection less.
  void leave() {
    {
      const std::lock_guard lock(mutex);
      open.fetch_sub(1, std::memory_order_relaxed);
    }
    closed.notify_all();
  }

  void serve(Loop& loop, tcp::socket socket) {
    auto session = std::make_shared<HttpSession>(std::move(socket), options, *loop.handler, loop.date_line);
    loop.sessions.push_front(session);
    const auto place = loop.sessions.begin();
    if (loop.draining) session->drain();
    // The list owns the session until its coroutine is over.
    const auto ended = [this, &loop, place](std::exception_ptr) {
      loop.sessions.erase(place);
      leave();
    };
    try {
      asio::co_spawn(loop.context, session->run(), ended);
    } catch (...) {
      loop.sessions.erase(place);
      throw;
    }
  }

  void tick(Loop& loop) {
    set_date(loop);
    const auto now = std::chrono::steady_clock::now();
    for (const auto& session : loop.sessions) session->expire(now);
    watch(loop, now);
    loop.ticker.expires_after(kTick);
    loop.ticker.async_wait([this, &loop](const error_code& aborted) {
      loop.ticking = false;
      if (!aborted && !loop.ending) tick(loop);
    });
    loop.ticking = true;
  }

  /// Looks which clients have left while their requests are at work. From outside, as deadlines are, and without reading: a request
  /// that is answered at once pays nothing, and what the client has sent ahead stays in the kernel.
  static void watch(Loop& loop, SteadyTime now) {
    loop.watched.clear();
    loop.watched_sessions.clear();
    for (const auto& session : loop.sessions) {
      const int socket = session->watched();
      if (socket < 0) continue;
      loop.watched.push_back({socket, POLLRDHUP, 0});
      loop.watched_sessions.push_back(session.get());
    }
    if (loop.watched.empty() || ::poll(loop.watched.data(), loop.watched.size(), 0) <= 0) return;
    for (std::size_t i = 0; i < loop.watched.size(); ++i)
      if (loop.watched[i].revents != 0) loop.watched_sessions[i]->notice(loop.watched[i].revents, now);
  }

  static void set_date(Loop& loop) {
    const std::time_t now = std::time(nullptr);
    if (now == loop.date_second) return;
    loop.date_second = now;
    std::tm parts{};
    gmtime_r(&now, &parts);
    // Not strftime, which would speak the locale's language.
    constexpr const char *kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
                         *kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[96];
    const int size = std::snprintf(text, sizeof text, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", kDays[parts.tm_wday], parts.tm_mday,
                                   kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    loop.date_line.assign(text, static_cast<std::size_t>(size));
  }

  void drain() {
    asio::post(loops[0]->context, [this] {
      error_code ignored;
      acceptor->close(ignored);
    });
    for (auto& loop : loops)
      asio::post(loop->context, [&loop = *loop] {
        loop.draining = true;
        // `cancel` inside only closes the socket; the coroutine ends, and the list changes, later.
        for (const auto& session : loop.sessions) session->drain();
      });
  }

  /// Whoever comes second waits for the first.
  void stop(Milliseconds grace) {
    std::call_once(stopped, [this, grace] { stop_once(grace); });
  }

  void stop_once(Milliseconds grace) {
    drain();
    const auto deadline = after(grace);
    {
      std::unique_lock lock(mutex);
      closed.wait_until(lock, deadline, [this] { return hurried || open.load() == 0; });
    }
    for (auto& loop : loops) asio::post(loop->context, [&loop = *loop] { loop.handler->cancel(); });
    wait_closed(kLastWordTime);
    for (auto& loop : loops)
      asio::post(loop->context, [&loop = *loop] {
        for (const auto& session : loop.sessions) session->cancel();
      });
    wait_closed(kCancelTime);
    for (auto& loop : loops) {
      asio::post(loop->context, [&loop = *loop] {
        loop.ending = true;  // A tick that is due already cannot be cancelled any more.
        loop.ticker.cancel();
      });
      loop->work.reset();
      if (open.load() != 0) loop->context.stop();
    }
    for (auto& loop : loops)
      if (loop->thread.joinable()) loop->thread.join();
    if (open.load() != 0) {
      base::log_error("a request did not end when it was cancelled; please report it");
      for (auto& loop : loops) static_cast<void>(loop.release());  // Its coroutine may still refer to all of this.
    }
  }

  void wait_closed(Milliseconds at_most) {
    std::unique_lock lock(mutex);
    closed.wait_for(lock, at_most, [this] { return open.load() == 0; });
  }

  static constexpr Milliseconds kLastWordTime{1'000};  // for the answers that say so
  static constexpr Milliseconds kCancelTime{5'000};

  const HttpServerOptions options;
  std::vector<std::unique_ptr<Loop>> loops;
  std::optional<tcp::acceptor> acceptor;
  std::optional<asio::steady_timer> pause;
  std::size_t next_loop = 0;
  bool accepting = false;  // or pausing
  std::uint16_t port = 0;

  std::atomic<std::size_t> open{0};
  std::mutex mutex;  // guards hurried, and the waits for open
  std::condition_variable closed;
  bool hurried = false;
  std::once_flag stopped;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { stop(Milliseconds{0}); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options, HandlerFactory factory) {
  if (options.io_threads == 0) return Error{ErrorCode::invalid_argument, "io_threads must be at least 1"};
  if (auto fits = fit_file_limit(options.max_connections); !fits) return fits.error();
  auto impl = std::make_unique<Impl>(std::move(options));
  if (auto listening = impl->listen(); !listening) return listening.error();
  impl->run(factory);
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

std::uint16_t HttpServer::port() const noexcept { return impl_->port; }
std::size_t HttpServer::connections() const noexcept { return impl_->open.load(); }
void HttpServer::drain() { impl_->drain(); }
void HttpServer::stop(Milliseconds grace) { impl_->stop(grace); }

void HttpServer::hurry() noexcept {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->hurried = true;
  }
  impl_->closed.notify_all();
}

}  // namespace sosie::net
