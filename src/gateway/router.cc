#include "gateway/router.h"

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "gateway/reply/openai_error.h"
#include "gateway/request/same_site.h"
#include "gateway/upstream/retry.h"
#include "net/content_coding.h"

namespace sosie::gateway {
namespace {

using net::Task;

Route route_of(std::string_view path) {
  if (path.starts_with("/v1/caches/")) return Route::langcache;
  if (path.starts_with(ExplainRoute::kPrefix)) return Route::explain;
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty() || path == "/v1") return Route::health;
  if (path == "/v1/chat/completions") return Route::chat;
  if (path == "/v1/completions") return Route::completions;
  if (path == "/v1/responses") return Route::responses;
  if (path == "/v1/messages") return Route::messages;
  if (path == "/v1/embeddings") return Route::embeddings;
  if (path == "/v1/models") return Route::models;
  if (path.starts_with("/v1/")) return Route::forward;
  if (path == "/healthz" || path == "/readyz") return Route::health;
  if (path == "/metrics") return Route::metrics;
  return Route::other;
}

/// Unset: every method.
std::string_view methods_of(Route route) {
  switch (route) {
    case Route::chat:
    case Route::completions:
    case Route::responses:
    case Route::messages:
    case Route::embeddings: return "POST";
    case Route::models:
    case Route::explain:
    case Route::health:
    case Route::metrics: return "GET, HEAD";
    default: return {};
  }
}

bool takes_method(Route route, std::string_view method) {
  const std::string_view methods = methods_of(route);
  if (methods.empty()) return true;
  return methods == "POST" ? method == "POST" : method == "GET" || method == "HEAD";
}

/// Whether the gateway itself reads the body; else it is passed on as it came.
bool reads_body(Route route) { return methods_of(route) == "POST" || route == Route::langcache; }

std::optional<protocol::Surface> surface_of(Route route) {
  switch (route) {
    case Route::chat: return protocol::Surface::chat;
    case Route::completions: return protocol::Surface::completions;
    case Route::responses: return protocol::Surface::responses;
    case Route::messages: return protocol::Surface::messages;
    case Route::embeddings: return protocol::Surface::embeddings;
    default: return std::nullopt;
  }
}

/// Whether a handshake for WebSockets, which clients of the Responses and realtime APIs try first.
bool wants_websocket(const net::Request& request) {
  if (request.method != "GET") return false;
  for (std::size_t i = 0; i < request.headers.size(); ++i)
    if (const auto [name, value] = request.headers[i]; net::same_name(name, "upgrade") && net::same_name(value, "websocket")) return true;
  return false;
}

/// Counts a request for as long as it is handled, however that ends.
class InFlight {
 public:
  explicit InFlight(Metrics& metrics) : metrics_(metrics) { metrics_.in_flight.fetch_add(1, std::memory_order_relaxed); }
  ~InFlight() { metrics_.in_flight.fetch_sub(1, std::memory_order_relaxed); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  Metrics& metrics_;
};

/// In the form of the route's API.
net::Reply error_reply(Route route, int status, std::string_view message, std::string_view code, std::string_view agent) {
  if (route == Route::langcache) {
    LangCacheError kind = LangCacheError::invalid_data;
    if (status == 401 || status == 403) kind = LangCacheError::insufficient_permissions;
    if (status == 413) kind = LangCacheError::payload_too_large;
    if (status == 500) kind = LangCacheError::unexpected;
    if (status == 503) kind = LangCacheError::out_of_memory;
    return langcache_error(kind, agent, message);
  }
  const auto surface = surface_of(route);
  if (!surface) return openai_error(status, message, {}, code);
  net::Reply reply;
  reply.status = status;
  reply.body = protocol::protocol_of(*surface).error_body(status, message, {}, code);
  return reply;
}

}  // namespace

Router::Router(GatewayState& state, boost::asio::any_io_executor executor)
    : state_(state),
      executor_(executor),
      loopback_only_(is_loopback_address(state.options.address)),
      upstreams_(state.upstreams, executor),
      pass_through_(state, upstreams_),
      answers_(state, reader_, upstreams_, pass_through_, executor),
      local_(state, reader_, executor),
      langcache_(state, reader_, executor),
      explain_(state, executor) {}

Task<void> Router::handle(net::Exchange& exchange) {
  const auto begin = std::chrono::steady_clock::now();
  const Route route = route_of(exchange.request().path());
  Metrics& metrics = state_.metrics;
  const InFlight in_flight(metrics);
  int status = 0;
  const net::HeaderList& headers = exchange.request().headers;
  const std::string_view bad_host = host_fault(headers), cross_site = cross_site_fault(headers, loopback_only_);
  if (!bad_host.empty()) {
    status = co_await refuse(exchange, route, 400, bad_host, "bad_host");
  } else if (!cross_site.empty()) {
    status = co_await refuse(exchange, route, 403, cross_site, "cross_site");
  } else if (wants_websocket(exchange.request())) {
    status = co_await refuse(exchange, route, 426, "WebSockets are not spoken here: send the request by HTTP/1.1.", "upgrade_required",
                             "Upgrade: HTTP/1.1\r\nConnection: Upgrade\r\n");
  } else if (takes_method(route, exchange.request().method)) {
    status = co_await dispatch(exchange, route);
  } else {
    const std::string message = "This path does not take the method " + exchange.request().method + ".";
    status = co_await refuse(exchange, route, 405, message, "method_not_allowed",
                             "Allow: " + std::string(methods_of(route)) + "\r\n");
  }
  metrics.request(route, status, std::chrono::steady_clock::now() - begin);
}

Task<int> Router::dispatch(net::Exchange& exchange, Route route) {
  if (reads_body(route) && exchange.request().headers.find("content-encoding")) {
    const auto refused = co_await decode(exchange, route);
    if (refused) co_return *refused;
  }
  switch (route) {
    case Route::chat:
    case Route::completions:
    case Route::responses:
    case Route::messages: co_return co_await answers_.handle(exchange, protocol::protocol_of(*surface_of(route)));
    case Route::embeddings: co_return co_await embeddings(exchange);
    case Route::langcache:
      if (!may_ask_encoder(exchange.request())) co_return co_await refuse_encoder(exchange, route);
      co_return co_await langcache_.handle(exchange);
    case Route::explain: co_return co_await explain_.handle(exchange);
    case Route::metrics: co_return co_await local_.metrics(exchange);
    case Route::health:
      if (exchange.request().path().starts_with("/healthz")) co_return co_await local_.healthy(exchange);
      if (exchange.request().path().starts_with("/readyz")) co_return co_await local_.ready(exchange);
      co_return co_await local_.root(exchange);
    case Route::models:
      if (upstreams_.any() == nullptr) co_return co_await local_.models(exchange);
      co_return co_await pass_through_.handle(exchange);
    case Route::forward:
      if (upstreams_.any() == nullptr)
        co_return co_await refuse(exchange, route, 404, "There is no such path here, and no upstream to ask: see --upstream.",
                                  "not_found");
      co_return co_await pass_through_.handle(exchange);
    case Route::other: break;
  }
  co_return co_await refuse(exchange, route, 404, "There is no such path. The API begins with /v1/.", "not_found");
}

Task<std::optional<int>> Router::decode(net::Exchange& exchange, Route route) {
  std::string coding = net::content_coding(exchange.request().headers);
  if (coding.empty()) {
    exchange.set_decoded_body(exchange.take_body());  // It was "identity".
    co_return std::nullopt;
  }
  const auto body = std::make_shared<const std::string>(exchange.take_body());
  std::function<Result<std::string>()> job = [coding, body, most = state_.options.max_body_bytes] {
    return net::decode_content(coding, *body, most);
  };
  auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (ran && *ran) {
    exchange.set_decoded_body(std::move(**ran));
    co_return std::nullopt;
  }
  if (!ran) {
    const int status = co_await refuse(exchange, route, 503, "The server is too busy to decode the request body. Try again later.", "overloaded",
                                       std::string(kRetrySoon));
    co_return status;
  }
  const Error& error = ran->error();
  const int wanted = error.code == ErrorCode::unsupported ? 415 : error.code == ErrorCode::resource_exhausted ? 413 : 400;
  const std::string message = "The request body cannot be decoded: " + error.message + ".";
  const int status = co_await refuse(exchange, route, wanted, message, "content_encoding",
                                     wanted == 415 ? "Accept-Encoding: " + std::string(net::kContentCodings) + "\r\n" : "");
  co_return status;
}

// The local encoder answers to its own name, and to every name where there is nobody else to ask.
Task<int> Router::embeddings(net::Exchange& exchange) {
  const bool has_encoder = !state_.options.embedding_model.empty();
  bool local = has_encoder && state_.options.upstreams.empty();
  if (has_encoder && !local) {
    std::string_view model;
    const auto root = reader_.read(exchange.request().body);
    local = root && root->is_object() && (*root)["model"].get_string().get(model) == simdjson::SUCCESS &&
            model == state_.options.embedding_model;
  }
  if (local && !may_ask_encoder(exchange.request())) {
    const int status = co_await refuse_encoder(exchange, Route::embeddings);
    co_return status;
  }
  if (local) {
    const int status = co_await local_.embeddings(exchange);
    co_return status;
  }
  const int status = co_await answers_.handle(exchange, protocol::protocol_of(protocol::Surface::embeddings));
  co_return status;
}

bool Router::may_ask_encoder(const net::Request& request) const {
  const ServerOptions& options = state_.options;
  return may_use_encoder(options, tenant_of(request.headers, query_of(request.target), options.tenant, options.compat));
}

Task<int> Router::refuse_encoder(net::Exchange& exchange, Route route) {
  const int status = co_await refuse(exchange, route, 401,
                                     "The encoder answers callers with a key: send yours as Authorization: Bearer KEY. Where nobody has one, "
                                     "start the server with [tenant] by = \"everyone\".",
                                     "missing_key", "WWW-Authenticate: Bearer\r\n");
  co_return status;
}

Task<int> Router::refuse(net::Exchange& exchange, Route route, int status, std::string_view message, std::string_view code,
                         std::string headers) {
  const std::string_view agent = exchange.request().headers.find("user-agent").value_or("");
  net::Reply reply = error_reply(route, status, message, code, agent);
  reply.headers = std::move(headers);
  const int said = reply.status;  // LangCache's API has its own.
  co_await exchange.respond(std::move(reply));
  co_return said;
}

net::Reply Router::refusal(int status, std::string_view target) {
  std::string_view message = "The request is not valid HTTP.";
  if (status == 413) message = "The request body is larger than this server allows.";
  if (status == 431) message = "The request headers are larger, or have more lines, than this server allows.";
  if (status == 408) message = "The request did not arrive in time.";
  if (status == 500) message = "The request failed. This is a bug: please report it, with the server's log.";
  if (status == 503) message = "The server has no memory left for this request. Try again later.";
  const Route route = route_of(target.substr(0, target.find('?')));
  state_.metrics.request(route, status, std::chrono::nanoseconds{0});
  net::Reply reply = error_reply(route, status, message, {}, {});
  if (status == 408 || status == 503) reply.headers = kRetrySoon;
  return reply;
}

void Router::cancel() { upstreams_.cancel(); }

}  // namespace sosie::gateway
