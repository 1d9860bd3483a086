// link.h: one connection to a Redis server, from its name to the commands it is ready for.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/task.h"
#include "redis/endpoint.h"
#include "redis/pipeline.h"
#include "redis/resp_parser.h"
#include "sosie/result.h"

namespace sosie::redis {

/// What RedisTls says, as a context.
/// Errors: invalid_argument (a file cannot be read; the text names which, not where).
Result<boost::asio::ssl::context> make_tls_context(const RedisTls& tls);

/// Thread-safety: none. One read and one write at a time, side by side. Kept by a shared_ptr while an operation is
/// under way.
class Link : public std::enable_shared_from_this<Link> {
 public:
  /// `tls`: where the endpoint asks for it, else nullptr; outlives the link.
  Link(const boost::asio::any_io_executor& executor, std::shared_ptr<const Endpoint> endpoint,
       boost::asio::ssl::context* tls);

  /// Resolves, connects, shakes hands, authenticates and chooses the database. Once.
  /// Errors: unavailable, deadline_exceeded, cancelled (closed meanwhile), those of to_error for the server's refusal.
  net::Task<Result<void>> open(net::SteadyTime deadline);

  /// `handler(error_code, count)`, never from within.
  template <class Handler>
  void read(boost::asio::mutable_buffer into, Handler&& handler) {
    if (tls_) {
      tls_->async_read_some(into, std::forward<Handler>(handler));
    } else {
      socket_.async_read_some(into, std::forward<Handler>(handler));
    }
  }
  template <class Handler>
  void write(boost::asio::const_buffer from, Handler&& handler) {
    if (tls_) {
      boost::asio::async_write(*tls_, from, std::forward<Handler>(handler));
    } else {
      boost::asio::async_write(socket_, from, std::forward<Handler>(handler));
    }
  }

  /// Whether an idle link can be used again, as far as can be known without asking the server.
  bool looks_alive() noexcept;

  /// Ends what is under way with an error.
  void close() noexcept;

  RespParser parser;
  std::string waiting, leaving;  ///< Commands not yet written, and those being written.
  bool writing = false, reading = false;
  bool was_used = false;     ///< Has answered all that it was asked, at least once.
  net::SteadyTime heard_at;  ///< When bytes came last.

 private:
  net::Task<Result<void>> connect(boost::asio::generic::stream_protocol::endpoint address, net::SteadyTime deadline);
  net::Task<Result<void>> connect_any(net::SteadyTime deadline);
  net::Task<Result<void>> shake_hands();
  net::Task<Result<void>> greet();
  void set_alarm(net::SteadyTime deadline);
  Error failure(const boost::system::error_code& why, std::string_view doing) const;

  const boost::asio::any_io_executor executor_;
  const std::shared_ptr<const Endpoint> endpoint_;
  boost::asio::generic::stream_protocol::socket socket_;
  std::optional<boost::asio::ssl::stream<boost::asio::generic::stream_protocol::socket&>> tls_;
  boost::asio::steady_timer alarm_;
  unsigned round_ = 0;  // tells a late alarm that its operation is over
  bool timed_out_ = false, closed_ = false;
};

}  // namespace sosie::redis
