// http_client.h: an HTTP/1.1 client of one server, with kept connections and answers read piece by piece.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>

#include "net/http_message.h"
#include "net/task.h"
#include "net/url.h"
#include "sosie/result.h"

namespace sosie::net {

struct HttpClientOptions {
  Milliseconds connect_timeout{5'000};
  Milliseconds first_byte_timeout{600'000};  ///< From the request written to the answer's headers.
  Milliseconds idle_timeout{60'000};         ///< Between two reads, and for writing the request.
  Milliseconds total_timeout{900'000};
  unsigned connect_tries = 1;                ///< For a connection that cannot be made: nothing was sent yet.
  std::uint64_t max_response_bytes = 32 << 20;  ///< 0: any length.
  std::size_t max_idle_connections = 32;
  Milliseconds max_idle_time{4'000};  ///< Shorter than servers keep idle connections (5 s and more), so that none dies in our hands.
};

/// What went wrong, for counting; the message is in the error.
enum class ClientFailure {
  connect,    ///< There was no connection: nothing was sent.
  timeout,
  cut,
  malformed,
  too_large,
  cancelled,
  refused,    ///< Not even tried: the server has failed too often of late.
};

struct ClientError {
  ClientFailure kind;
  Error error;
  std::chrono::seconds retry_after{0};  ///< Of `refused`: when it may be worth another try. At least 1.
};

/// Either a `T`, or a `ClientError`.
template <class T>
using ClientResult = std::variant<T, ClientError>;

struct ClientRequest {
  std::string method = "GET";
  std::string target;   ///< Path and query below the base URL's path, e.g. "/chat/completions".
  std::string headers;  ///< Lines, each ending in CRLF; without Host, Content-Length and Connection.
  std::string body;
  SteadyTime deadline = SteadyTime::max();  ///< Of the whole call, as `total_timeout`; the earlier counts.
  /// Ends the call, also while its answer is being read: ClientFailure::cancelled. Requested on the client's thread.
  std::stop_token stop = {};
};

class HttpClient;

/// An answer whose headers have arrived. Movable; destroyed before its end, it closes its connection.
class ClientResponse {
 public:
  ClientResponse(ClientResponse&&) noexcept;
  ClientResponse& operator=(ClientResponse&&) noexcept;
  ~ClientResponse();

  int status() const noexcept;
  const HeaderList& headers() const noexcept;

  /// The next piece of the body, empty at its end. Whoever saw the end has the whole body, as its length or chunks say.
  Task<ClientResult<std::string>> read();

  /// For an answer whose content is known to be over: waits a moment for its formal end, so that the connection is kept.
  Task<void> settle(Milliseconds wait);

 private:
  friend class HttpClient;
  struct State;
  explicit ClientResponse(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Thread-safety: none; lives on its executor's thread and outlives its tasks and their answers.
class HttpClient {
 public:
  HttpClient(boost::asio::any_io_executor executor, BaseUrl url, HttpClientOptions options);
  ~HttpClient();

  /// Sends, and waits for the headers of the answer. Never sends twice: a kept connection that has died is replaced only as long
  /// as it has not taken a byte of the request.
  Task<ClientResult<ClientResponse>> send(ClientRequest request);

  /// Ends every call under way, and refuses new ones.
  void cancel();

 private:
  friend class ClientResponse;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::net
