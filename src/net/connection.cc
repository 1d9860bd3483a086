#include "net/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <utility>

#include "net/resolve.h"

namespace sosie::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kTlsRead = 4 << 10;

}  // namespace

/// Closes the connection at the deadline, unless it goes out of scope before.
class Connection::Alarm {
 public:
  Alarm(Connection& connection, SteadyTime deadline) : connection_(connection) {
    const unsigned round = ++connection.round_;
    connection.timer_.expires_at(deadline);
    connection.timer_.async_wait([weak = connection.weak_from_this(), round](const error_code& aborted) {
      const auto self = weak.lock();
      if (aborted || !self || self->round_ != round) return;
      self->timed_out_ = true;
      error_code ignored;
      self->socket_.close(ignored);
    });
  }
  ~Alarm() {
    ++connection_.round_;
    connection_.timer_.cancel();
  }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

 private:
  Connection& connection_;
};

asio::ssl::context Connection::make_tls_context() {
  asio::ssl::context context(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.native_handle(), SSL_MODE_RELEASE_BUFFERS);  // 34 KB less for each stream that waits
  error_code ignored;  // Without a store every handshake fails, and says so.
  context.set_default_verify_paths(ignored);
  context.set_verify_mode(asio::ssl::verify_peer, ignored);
  return context;
}

Connection::Connection(const asio::any_io_executor& executor, asio::ssl::context* tls) : socket_(executor), timer_(executor) {
  if (tls) tls_.emplace(socket_, *tls);
}

Task<Result<std::shared_ptr<Connection>>> Connection::open(asio::any_io_executor executor, BaseUrl url,
                                                           asio::ssl::context& tls, SteadyTime deadline, std::stop_token stop) {
  auto endpoints = co_await resolve(executor, url.host, url.port, deadline);
  if (!endpoints) co_return endpoints.error();
  Error last{ErrorCode::unavailable, "the upstream has no address"};
  for (std::size_t i = 0; i < endpoints->size(); ++i) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) break;
    // A dead address must leave time for the others.
    const SteadyTime share = now + (deadline - now) / static_cast<long>(endpoints->size() - i);
    auto connection = std::make_shared<Connection>(executor, url.tls ? &tls : nullptr);
    const std::stop_callback close(stop, [&connection] { connection->close(); });
    auto connected = co_await connection->connect((*endpoints)[i], share);
    if (connected && url.tls) connected = co_await connection->handshake(url.host, deadline);
    if (connected) co_return connection;
    last = connected.error();
    if (stop.stop_requested()) break;
  }
  co_return last;
}

Task<Result<void>> Connection::connect(tcp::endpoint endpoint, SteadyTime deadline) {
  const Alarm alarm(*this, deadline);
  auto [failure] = co_await socket_.async_connect(endpoint, as_values);
  if (failure) co_return fail(failure, "connecting to the upstream");
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  if (!tls_) socket_.non_blocking(true, ignored);
  co_return Result<void>();
}

Task<Result<void>> Connection::handshake(std::string host, SteadyTime deadline) {
  const Alarm alarm(*this, deadline);
  error_code failure;
  asio::ip::make_address(host, failure);
  const bool is_name = static_cast<bool>(failure);
  if (is_name && SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str()) != 1)
    co_return Error{ErrorCode::internal, "cannot set the server's name for TLS"};
  tls_->set_verify_callback(asio::ssl::host_name_verification(host), failure);
  auto [broken] = co_await tls_->async_handshake(asio::ssl::stream_base::client, as_values);
  if (broken) co_return fail(broken, "TLS handshake with the upstream");
  co_return Result<void>();
}

Task<Result<std::string_view>> Connection::read(std::span<char> scratch, SteadyTime deadline) {
  const Alarm alarm(*this, deadline);
  error_code failure;
  std::size_t count = 0;
  if (tls_) {
    tls_buffer_.resize(kTlsRead);
    scratch = tls_buffer_;
    std::tie(failure, count) = co_await tls_->async_read_some(asio::buffer(scratch.data(), scratch.size()), as_values);
  } else {
    // A peer that is quicker than we are leaves nothing to wait for, and yet the others of this thread must have their turn.
    if (std::exchange(read_at_once_, true)) co_await asio::post(socket_.get_executor(), as_values);
    for (;;) {
      count = socket_.read_some(asio::buffer(scratch.data(), scratch.size()), failure);
      if (failure != asio::error::would_block && failure != asio::error::try_again) break;
      read_at_once_ = false;
      std::tie(failure) = co_await socket_.async_wait(Tcp::socket::wait_read, as_values);
      if (failure) break;
    }
  }
  // A TLS stream cut without its close message may be an attacker's cut: an error, not an end.
  if (failure == asio::error::eof) co_return std::string_view{};
  if (failure) co_return fail(failure, "reading from the upstream");
  co_return std::string_view(scratch.data(), count);
}

Task<Result<void>> Connection::write(std::string_view head, std::string_view body, SteadyTime deadline) {
  const Alarm alarm(*this, deadline);
  const std::array<asio::const_buffer, 2> buffers{asio::buffer(head), asio::buffer(body)};
  error_code failure;
  std::size_t count = 0;
  sent_some_ = true;  // until it is known: whoever is cancelled here cannot tell
  if (tls_) {
    // A record that was not taken whole counts as nothing: the peer cannot read it.
    std::tie(failure, count) = co_await asio::async_write(*tls_, buffers, as_values);
  } else {
    std::tie(failure, count) = co_await asio::async_write(socket_, buffers, as_values);
  }
  sent_some_ = count > 0;
  if (failure) co_return fail(failure, "writing to the upstream");
  co_return Result<void>();
}

bool Connection::reusable() noexcept {
  if (closed_ || !socket_.is_open()) return false;
  // Nothing may be readable on an idle connection: not an end, and not bytes that nobody asked for.
  char byte;
  const auto count = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Connection::close() noexcept {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
}

Error Connection::fail(const error_code& failure, std::string_view doing) {
  const bool was_closed = closed_;
  close();
  if (timed_out_) return {ErrorCode::deadline_exceeded, std::string(doing) + " took too long"};
  if (was_closed) return {ErrorCode::cancelled, std::string(doing) + " was cancelled"};
  if (failure == asio::error::no_descriptors)
    return {ErrorCode::unavailable, std::string(doing) + " failed: this process has no file descriptor left; raise its limit (ulimit -n)"};
  return {ErrorCode::unavailable, std::string(doing) + " failed: " + failure.message()};
}

}  // namespace sosie::net
