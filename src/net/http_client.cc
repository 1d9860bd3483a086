#include "net/http_client.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <limits>
#include <set>
#include <stop_token>
#include <utility>
#include <variant>
#include <vector>

#include "net/connection.h"
#include "net/http_parser.h"

namespace sosie::net {
namespace {

constexpr std::uint32_t kMaxHeaderBytes = 64 << 10;
constexpr std::size_t kReadBytes = 16 << 10;
constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr Milliseconds kConnectPause{50};

ClientError to_client_error(Error error, ClientFailure otherwise) {
  const ClientFailure kind = error.code == ErrorCode::deadline_exceeded ? ClientFailure::timeout
                             : error.code == ErrorCode::cancelled       ? ClientFailure::cancelled
                                                                        : otherwise;
  return {kind, std::move(error)};
}

ClientError parse_error(Parse state) {
  if (state == Parse::body_too_large)
    return {ClientFailure::too_large, {ErrorCode::resource_exhausted, "the upstream's answer is larger than allowed"}};
  if (state == Parse::header_too_large)
    return {ClientFailure::too_large, {ErrorCode::resource_exhausted, "the headers of the upstream's answer are larger, or have more lines, than allowed"}};
  return {ClientFailure::malformed, {ErrorCode::unavailable, "the upstream's answer is not valid HTTP"}};
}

ClientError cancelled() { return {ClientFailure::cancelled, {ErrorCode::cancelled, "the call was cancelled"}}; }

}  // namespace

struct HttpClient::Impl {
  struct Idle {
    std::shared_ptr<Connection> connection;
    SteadyTime since;
  };

  boost::asio::any_io_executor executor;
  BaseUrl url;
  HttpClientOptions options;
  boost::asio::ssl::context tls;
  std::deque<Idle> idle;  // oldest first
  std::set<std::shared_ptr<Connection>> busy;
  std::vector<char> scratch = std::vector<char>(kReadBytes);
  bool is_cancelled = false;

  std::shared_ptr<Connection> take_idle() {
    const auto now = std::chrono::steady_clock::now();
    while (!idle.empty()) {
      Idle newest = std::move(idle.back());
      idle.pop_back();
      if (now - newest.since < options.max_idle_time && newest.connection->reusable()) return newest.connection;
      newest.connection->close();
    }
    return nullptr;
  }

  /// A fresh connection, tried for as often as the options say. Every failure but our own cancelling is `connect`.
  Task<ClientResult<std::shared_ptr<Connection>>> open(SteadyTime deadline, std::stop_token stop) {
    for (unsigned left = options.connect_tries;; --left) {
      auto opened = co_await Connection::open(executor, url, tls, std::min(after(options.connect_timeout), deadline), stop);
      if (is_cancelled || stop.stop_requested()) co_return cancelled();
      if (opened) co_return std::move(*opened);
      if (left <= 1 || after(kConnectPause) >= deadline) co_return ClientError{ClientFailure::connect, opened.error()};
      boost::asio::steady_timer pause(executor, kConnectPause);
      co_await pause.async_wait(as_values);
    }
  }

  void release(const std::shared_ptr<Connection>& connection, bool keep) {
    busy.erase(connection);
    if (!keep || is_cancelled) {
      connection->close();
      return;
    }
    idle.push_back({connection, std::chrono::steady_clock::now()});
    if (idle.size() > options.max_idle_connections) {
      idle.front().connection->close();
      idle.pop_front();
    }
  }
};

/// Owns a busy connection: gives it back where the answer came to its end, else closes it.
struct ClientResponse::State {
  State(HttpClient::Impl& the_client, std::shared_ptr<Connection> the_connection, const ClientRequest& request, SteadyTime the_deadline)
      : client(the_client),
        connection(std::move(the_connection)),
        parser(kMaxHeaderBytes, the_client.options.max_response_bytes == 0 ? kNoLimit : the_client.options.max_response_bytes,
               request.method == "HEAD"),
        deadline(the_deadline),
        stopper(request.stop, Close{*connection}) {
    client.busy.insert(connection);
  }
  ~State() { client.release(connection, complete && rest.empty() && parser.keep_alive()); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  HttpClient::Impl& client;
  std::shared_ptr<Connection> connection;
  ResponseParser parser;
  SteadyTime deadline;
  std::string rest;  // read, and not parsed: a header line that is not complete
  bool complete = false;

  struct Close {
    Connection& connection;
    void operator()() const noexcept { connection.close(); }
  };
  std::stop_callback<Close> stopper;

  /// Reads once and parses. Unset: all is well.
  Task<std::optional<ClientError>> advance(SteadyTime until) {
    auto bytes = co_await connection->read(client.scratch, std::min(until, deadline));
    if (!bytes) co_return to_client_error(bytes.error(), ClientFailure::cut);
    if (bytes->empty()) {
      if (parser.end() != Parse::done)
        co_return ClientError{ClientFailure::cut, {ErrorCode::unavailable, "the upstream ended its answer in the middle"}};
      complete = true;
      co_return std::nullopt;
    }
    // Nearly always all of it is parsed at once, and nothing need be kept.
    std::string_view unread = *bytes;
    const bool kept = !rest.empty();
    if (kept) unread = rest.append(*bytes);
    const Fed fed = parser.feed(unread);
    kept ? rest.erase(0, fed.consumed) : rest.assign(unread.substr(fed.consumed));
    if (fed.state == Parse::done) {
      complete = true;
    } else if (fed.state != Parse::need_more) {
      co_return parse_error(fed.state);
    }
    co_return std::nullopt;
  }
};

ClientResponse::ClientResponse(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientResponse::ClientResponse(ClientResponse&&) noexcept = default;
ClientResponse& ClientResponse::operator=(ClientResponse&&) noexcept = default;
ClientResponse::~ClientResponse() = default;

int ClientResponse::status() const noexcept { return state_->parser.status(); }
const HeaderList& ClientResponse::headers() const noexcept { return state_->parser.headers(); }

Task<ClientResult<std::string>> ClientResponse::read() {
  State& state = *state_;
  while (state.parser.body().empty() && !state.complete) {
    auto failure = co_await state.advance(after(state.client.options.idle_timeout));
    if (failure) co_return std::move(*failure);
  }
  co_return std::exchange(state.parser.body(), std::string());
}

Task<void> ClientResponse::settle(Milliseconds wait) {
  if (!state_->complete) {
    co_await state_->advance(after(wait));
  }
}

HttpClient::HttpClient(boost::asio::any_io_executor executor, BaseUrl url, HttpClientOptions options) {
  // Loading the system's certificates takes 20 ms: only where they are needed.
  auto tls = url.tls ? Connection::make_tls_context() : boost::asio::ssl::context(boost::asio::ssl::context::tls_client);
  impl_.reset(new Impl{std::move(executor), std::move(url), options, std::move(tls), {}, {}});
}
HttpClient::~HttpClient() = default;

Task<ClientResult<ClientResponse>> HttpClient::send(ClientRequest request) {
  Impl& impl = *impl_;
  const SteadyTime deadline = std::min(after(impl.options.total_timeout), request.deadline);
  std::string head = request.method + " " + impl.url.path + request.target + " HTTP/1.1\r\nHost: " + impl.url.authority() + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH")
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  head += request.headers + "\r\n";

  for (bool again = false;; again = true) {
    if (impl.is_cancelled || request.stop.stop_requested()) co_return cancelled();
    // Once is what an idle connection may cost: the second try is on a fresh one.
    auto connection = again ? nullptr : impl.take_idle();
    const bool kept = connection != nullptr;
    if (!kept) {
      auto opened = co_await impl.open(deadline, request.stop);
      if (auto* failure = std::get_if<ClientError>(&opened)) co_return std::move(*failure);
      connection = std::get<std::shared_ptr<Connection>>(std::move(opened));
    }
    auto state = std::make_unique<ClientResponse::State>(impl, connection, request, deadline);
    auto written = co_await connection->write(head, request.body, std::min(after(impl.options.idle_timeout), deadline));
    if (!written) {
      if (kept && !connection->sent_some() && written.error().code == ErrorCode::unavailable) continue;
      co_return to_client_error(written.error(), ClientFailure::cut);
    }
    std::string().swap(request.body);  // All of it is sent, and the answer may be long in coming.
    const SteadyTime first_byte = after(impl.options.first_byte_timeout);
    while (!state->parser.header_done()) {
      auto failure = co_await state->advance(first_byte);
      if (failure) co_return std::move(*failure);
    }
    co_return ClientResponse(std::move(state));
  }
}

void HttpClient::cancel() {
  impl_->is_cancelled = true;
  for (const auto& connection : impl_->busy) connection->close();
  for (const auto& each : impl_->idle) each.connection->close();
}

}  // namespace sosie::net
