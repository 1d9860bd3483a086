// http_server.h: an HTTP/1.1 server. Who answers is a `Handler`; sockets, limits, deadlines and draining are here.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "net/held_bytes.h"
#include "net/http_message.h"
#include "net/task.h"
#include "sosie/result.h"

namespace sosie::net {

/// One request and the way back to its sender. Lives until its handler's coroutine has ended.
///
/// A handler answers once: with `respond`, or with `begin`, any number of `write`, and `finish`. One that ends without an
/// answer closes the connection. The tasks return whether the client still listens; after false nothing is sent.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const noexcept = 0;

  /// The handler may take the body out, and give none back.
  virtual std::string take_body() noexcept = 0;

  /// Puts `body` in the place of the request's, which was it in a content coding, and takes Content-Encoding out of the headers.
  virtual void set_decoded_body(std::string body) noexcept = 0;

  /// Requested, on the I/O thread, once the client has left or the server ends the connection: what is done for this client alone
  /// should end then, and the handler soon after. Clients are watched from the first call on, so call it before a long wait.
  ///
  /// A reset is the end. So is, nearly always, the end of the client's stream; but some clients close only their sending half and
  /// read on (BusyBox's wget, `nc`, some proxies). Over HTTP/1.1 they are told apart: before the answer by an interim "100 Continue",
  /// which every client skips and one that has left refuses with a reset; later by the next piece, which must come within 5 s.
  virtual std::stop_token gone() = 0;

  virtual Task<bool> respond(Reply reply) = 0;

  /// Starts an answer of unknown length (chunked); `head.body` and `head.tail` are its first bytes.
  virtual Task<bool> begin(Reply head) = 0;
  /// `bytes` outlives the task.
  virtual Task<bool> write(std::string_view bytes) = 0;
  virtual Task<bool> finish() = 0;
};

/// Answers requests; one object an I/O thread, and only that thread calls it.
class Handler {
 public:
  virtual ~Handler() = default;

  /// Answers; `exchange` outlives the task. Where it throws before it has answered, the client gets `refusal` 503 (no memory) or 500,
  /// and the connection ends.
  virtual Task<void> handle(Exchange& exchange) = 0;

  /// What the client is told when its request cannot be handed on or handled: 400, 408, 413, 431, 500 or 503.
  virtual Reply refusal(int status, std::string_view target) = 0;

  /// The grace period is over: make the tasks under way end soon.
  virtual void cancel() = 0;
};

/// Makes the handler of the I/O thread that `executor` runs on.
using HandlerFactory = std::function<std::unique_ptr<Handler>(boost::asio::any_io_executor executor)>;

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  std::size_t io_threads = 1;
  std::uint32_t max_header_bytes = 16 << 10;
  std::uint64_t max_body_bytes = 8 << 20;
  /// Beyond, the connection that has waited longest for a request gives way to the new one; where all have one, the new one is closed
  /// as soon as it is accepted. Fewer where the process may not open that many files.
  std::size_t max_connections = 4'096;
  Milliseconds header_timeout{10'000};  ///< First byte to last byte of the headers.
  Milliseconds body_timeout{30'000};    ///< Headers to the last byte of the body.
  Milliseconds idle_timeout{75'000};    ///< Between two requests.
  Milliseconds write_timeout{30'000};   ///< Between two successful writes.
  /// Counts what waits for clients that do not read, and says which of them is ended. Outlives the server. Null: nobody counts.
  HeldBytes* held = nullptr;
};

/// Thread-safety: every method may be called from any thread.
class HttpServer {
 public:
  /// Binds, listens and starts the I/O threads. Raises the process's soft limit of open files to the hard one; where that allows fewer
  /// connections than `max_connections` the log says so.
  /// Errors: invalid_argument (address), unavailable (port in use), permission_denied, resource_exhausted (128 open files or fewer).
  static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options, HandlerFactory factory);

  /// As `stop` without grace.
  ~HttpServer();

  std::uint16_t port() const noexcept;
  std::size_t connections() const noexcept;

  /// Stops accepting and closes idle connections; returns at once.
  void drain();

  /// Drains, waits for the requests in flight at most `grace`, then cancels them and ends the threads.
  /// Idempotent; a second caller waits for the first.
  void stop(Milliseconds grace);

  /// Ends the grace period of a `stop` under way.
  void hurry() noexcept;

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::net
