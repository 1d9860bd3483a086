// connection.h: one TCP or TLS connection to a server; every operation has a deadline.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

#include "net/task.h"
#include "net/url.h"
#include "sosie/result.h"

namespace sosie::net {

/// Thread-safety: none; one operation at a time, all on the executor's thread. Every error closes the connection.
/// Errors of the operations: deadline_exceeded, unavailable, cancelled (`close` was called).
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  /// Certificates are verified against the system's store (SSL_CERT_FILE and SSL_CERT_DIR replace it) and the host's name.
  static boost::asio::ssl::context make_tls_context();

  /// Resolves, connects and, where the URL says so, shakes hands. `stop`, requested on the executor's thread, ends all but resolving.
  static Task<Result<std::shared_ptr<Connection>>> open(boost::asio::any_io_executor executor, BaseUrl url,
                                                        boost::asio::ssl::context& tls, SteadyTime deadline, std::stop_token stop = {});

  Connection(const boost::asio::any_io_executor& executor, boost::asio::ssl::context* tls);

  /// Some bytes, to be used before the next await; none: the peer has ended the stream. `scratch` is touched only once bytes are
  /// there, so that all connections of a thread may share it: one that waits holds no memory for what may come. (TLS has to.)
  Task<Result<std::string_view>> read(std::span<char> scratch, SteadyTime deadline);

  /// All of both. The views outlive the task.
  Task<Result<void>> write(std::string_view head, std::string_view body, SteadyTime deadline);

  /// Whether the last `write`, failed or not, has sent anything.
  bool sent_some() const noexcept { return sent_some_; }

  /// Whether an idle connection can be used again, as far as can be known without asking the peer.
  bool reusable() noexcept;

  void close() noexcept;

 private:
  class Alarm;
  using Tcp = boost::asio::ip::tcp;

  Task<Result<void>> connect(Tcp::endpoint endpoint, SteadyTime deadline);
  Task<Result<void>> handshake(std::string host, SteadyTime deadline);
  Error fail(const boost::system::error_code& failure, std::string_view doing);

  Tcp::socket socket_;
  std::optional<boost::asio::ssl::stream<Tcp::socket&>> tls_;
  std::vector<char> tls_buffer_;
  boost::asio::steady_timer timer_;
  unsigned round_ = 0;  // tells a late alarm that its operation is over
  bool timed_out_ = false;
  bool closed_ = false;
  bool sent_some_ = false;
  bool read_at_once_ = false;  // the last read had nothing to wait for
};

}  // namespace sosie::net
