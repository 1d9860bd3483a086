#include "redis/link.h"

#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <vector>

#include "net/resolve.h"

namespace sosie::redis {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Stream = asio::generic::stream_protocol;

/// The commands that make a fresh connection ready. `checked`: the first so many of their replies must not be errors.
Pipeline greeting(const Endpoint& endpoint, std::size_t& checked) {
  Pipeline commands;
  const bool has_login = !endpoint.username.empty() || !endpoint.password.empty();
  const std::string_view user =
      endpoint.username.empty() ? std::string_view("default") : std::string_view(endpoint.username);
  if (endpoint.protocol == 3) {
    if (has_login) {
      commands.add({"HELLO", "3", "AUTH", user, endpoint.password});
    } else {
      commands.add({"HELLO", "3"});
    }
  } else if (!endpoint.username.empty()) {
    commands.add({"AUTH", user, endpoint.password});
  } else if (has_login) {
    commands.add({"AUTH", endpoint.password});
  }
  if (endpoint.db != 0) commands.add({"SELECT", std::to_string(endpoint.db)});
  checked = commands.commands();
  commands.add({"CLIENT", "SETINFO", "lib-name", "sosie"});  // servers before 7.2 do not know it
  return commands;
}

}  // namespace

Result<asio::ssl::context> make_tls_context(const RedisTls& tls) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  error_code failure;
  context.set_verify_mode(tls.verify ? asio::ssl::verify_peer : asio::ssl::verify_none, failure);
  if (tls.ca_file.empty()) {
    context.set_default_verify_paths(failure);  // without a store every handshake fails, and says so
  } else {
    context.load_verify_file(tls.ca_file, failure);
    if (failure)
      return Error{ErrorCode::invalid_argument, "the file of Redis TLS authorities (ca_file) cannot be read as PEM"};
  }
  if (!tls.client_certificate.empty()) {
    context.use_certificate_chain_file(tls.client_certificate, failure);
    if (failure) return Error{ErrorCode::invalid_argument, "the Redis client certificate cannot be read as PEM"};
    // An encrypted key is refused; OpenSSL itself would ask at the terminal.
    context.set_password_callback([](std::size_t, asio::ssl::context::password_purpose) { return std::string(); },
                                  failure);
    context.use_private_key_file(tls.client_key, asio::ssl::context::pem, failure);
    if (failure)
      return Error{ErrorCode::invalid_argument,
                   "the key of the Redis client certificate cannot be read, is encrypted, or is not the certificate's"};
  }
  return context;
}

Link::Link(const asio::any_io_executor& executor, std::shared_ptr<const Endpoint> endpoint, asio::ssl::context* tls)
    : executor_(executor), endpoint_(std::move(endpoint)), socket_(executor), alarm_(executor) {
  if (tls) tls_.emplace(socket_, *tls);
}

net::Task<Result<void>> Link::open(net::SteadyTime deadline) {
  auto done = co_await connect_any(deadline);
  if (done) {
    set_alarm(deadline);
    if (tls_) done = co_await shake_hands();
    if (done) done = co_await greet();
  }
  ++round_;
  alarm_.cancel();
  if (!done) close();
  co_return done;
}

net::Task<Result<void>> Link::connect_any(net::SteadyTime deadline) {
  std::vector<Stream::endpoint> addresses;
  if (!endpoint_->unix_socket.empty()) {
    constexpr std::size_t kLongest = 107;  // sockaddr_un
    if (endpoint_->unix_socket.size() > kLongest)
      co_return Error{ErrorCode::invalid_argument, "the path of the Redis socket is over 107 bytes"};
    addresses.emplace_back(asio::local::stream_protocol::endpoint(endpoint_->unix_socket));
  } else {
    auto found = co_await net::resolve(executor_, endpoint_->host, endpoint_->port, deadline);
    if (!found) co_return found.error();
    addresses.assign(found->begin(), found->end());
  }
  Result<void> last = Error{ErrorCode::deadline_exceeded, "connecting to the Redis server took too long"};
  for (std::size_t i = 0; i < addresses.size() && !closed_; ++i) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= deadline) break;
    // A dead address must leave time for the others.
    last = co_await connect(addresses[i], now + (deadline - now) / static_cast<long>(addresses.size() - i));
    if (last) co_return last;
  }
  const std::string place =
      !endpoint_->unix_socket.empty() ? endpoint_->unix_socket : endpoint_->host + " port " + std::to_string(endpoint_->port);
  co_return Error{last.error().code, last.error().message + ": is it running at " + place + "?"};
}

net::Task<Result<void>> Link::connect(Stream::endpoint address, net::SteadyTime deadline) {
  set_alarm(deadline);
  auto [failed] = co_await socket_.async_connect(address, net::as_values);
  ++round_;
  if (failed || closed_) {
    const Error error = failure(failed, "connecting to the Redis server");
    error_code ignored;
    socket_.close(ignored);
    timed_out_ = false;
    co_return error;
  }
  error_code ignored;  // a unix socket has no such option
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  co_return Result<void>();
}

net::Task<Result<void>> Link::shake_hands() {
  const std::string& host = endpoint_->host;
  error_code failed;
  asio::ip::make_address(host, failed);
  const bool is_name = static_cast<bool>(failed);
  if (is_name && SSL_set_tlsext_host_name(tls_->native_handle(), host.c_str()) != 1)
    co_return Error{ErrorCode::internal, "cannot set the Redis server's name for TLS"};
  if (endpoint_->tls.verify) tls_->set_verify_callback(asio::ssl::host_name_verification(host), failed);
  auto [broken] = co_await tls_->async_handshake(asio::ssl::stream_base::client, net::as_values);
  if (broken) co_return failure(broken, "the TLS handshake with the Redis server");
  co_return Result<void>();
}

net::Task<Result<void>> Link::greet() {
  std::size_t checked = 0;
  const Pipeline commands = greeting(*endpoint_, checked);
  error_code failed;
  std::size_t count = 0;
  const auto from = asio::buffer(commands.bytes());
  if (tls_) {
    std::tie(failed, count) = co_await asio::async_write(*tls_, from, net::as_values);
  } else {
    std::tie(failed, count) = co_await asio::async_write(socket_, from, net::as_values);
  }
  if (failed) co_return failure(failed, "greeting the Redis server");
  for (std::size_t seen = 0; seen < commands.commands();) {
    auto next = parser.next();
    if (!next) co_return Error{ErrorCode::unavailable, next.error().message};
    if (*next) {
      const Reply& reply = **next;
      if (reply.kind == Reply::Kind::push) continue;
      if (seen < checked && reply.is_error()) co_return to_error(reply);
      ++seen;
      continue;
    }
    const auto space = parser.space();
    const auto into = asio::buffer(space.data(), space.size());
    if (tls_) {
      std::tie(failed, count) = co_await tls_->async_read_some(into, net::as_values);
    } else {
      std::tie(failed, count) = co_await socket_.async_read_some(into, net::as_values);
    }
    if (failed) co_return failure(failed, "greeting the Redis server");
    parser.filled(count);
  }
  co_return Result<void>();
}

void Link::set_alarm(net::SteadyTime deadline) {
  const unsigned round = ++round_;
  alarm_.expires_at(deadline);
  alarm_.async_wait([weak = weak_from_this(), round](const error_code& aborted) {
    const auto self = weak.lock();
    if (aborted || !self || self->round_ != round) return;
    self->timed_out_ = true;
    error_code ignored;
    self->socket_.close(ignored);
  });
}

bool Link::looks_alive() noexcept {
  if (closed_ || !socket_.is_open() || !parser.is_empty()) return false;
  char byte;
  const auto count = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
  return count > 0 && tls_;  // TLS has words of its own; else nothing may come that nobody asked for
}

void Link::close() noexcept {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
}

Error Link::failure(const error_code& why, std::string_view doing) const {
  if (timed_out_) return {ErrorCode::deadline_exceeded, std::string(doing) + " took too long"};
  if (closed_) return {ErrorCode::cancelled, std::string(doing) + " was cancelled"};
  return {ErrorCode::unavailable, std::string(doing) + " failed: " + why.message()};
}

}  // namespace sosie::redis
