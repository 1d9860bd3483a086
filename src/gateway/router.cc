#include "gateway/router.h"

#include "base/log.h"
#include "gateway/forwarding.h"
#include "gateway/openai_error.h"
#include "gateway/same_site.h"

namespace sosie::gateway {
namespace {

using net::ClientError;
using net::ClientResponse;
using net::Task;

Route route_of(std::string_view path) {
  if (path == "/v1/chat/completions") return Route::chat;
  if (path == "/v1/embeddings") return Route::embeddings;
  if (path == "/v1/models") return Route::models;
  if (path.starts_with("/v1/caches/")) return Route::langcache;
  if (path.starts_with("/v1/")) return Route::forward;
  if (path == "/healthz" || path == "/readyz") return Route::health;
  if (path == "/metrics") return Route::metrics;
  return Route::other;
}

bool takes_method(Route route, std::string_view method) {
  switch (route) {
    case Route::chat:
    case Route::embeddings: return method == "POST";
    case Route::models:
    case Route::health:
    case Route::metrics: return method == "GET" || method == "HEAD";
    default: return true;
  }
}

}  // namespace

Router::Router(Shared& shared, std::unique_ptr<net::HttpClient> upstream, boost::asio::any_io_executor executor)
    : shared_(shared),
      loopback_only_(is_loopback_address(shared.options.address)),
      upstream_(std::move(upstream)),
      chat_(shared, reader_, upstream_.get(), executor),
      local_(shared, reader_, executor),
      langcache_(shared, reader_, executor) {}

Task<void> Router::handle(net::Exchange& exchange) {
  const auto begin = std::chrono::steady_clock::now();
  const Route route = route_of(exchange.request().path());
  Metrics& metrics = shared_.metrics;
  metrics.in_flight.fetch_add(1, std::memory_order_relaxed);
  int status = 405;
  const std::string_view cross_site = cross_site_fault(exchange.request().headers, loopback_only_);
  if (!cross_site.empty()) {
    status = co_await refuse_cross_site(exchange, route, cross_site);
  } else if (takes_method(route, exchange.request().method)) {
    status = co_await dispatch(exchange, route);
  } else {
    net::Reply reply = openai_error(405, "This path does not take the method " + exchange.request().method + ".", {},
                                    "method_not_allowed");
    reply.headers = route == Route::chat || route == Route::embeddings ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n";
    co_await exchange.respond(std::move(reply));
  }
  metrics.in_flight.fetch_sub(1, std::memory_order_relaxed);
  metrics.request(route, status, std::chrono::steady_clock::now() - begin);
}

Task<int> Router::dispatch(net::Exchange& exchange, Route route) {
  switch (route) {
    case Route::chat: co_return co_await chat_.handle(exchange);
    case Route::embeddings: co_return co_await local_.embeddings(exchange);
    case Route::langcache: co_return co_await langcache_.handle(exchange);
    case Route::metrics: co_return co_await local_.metrics(exchange);
    case Route::health:
      if (exchange.request().path() == "/healthz") co_return co_await local_.healthy(exchange);
      co_return co_await local_.ready(exchange);
    case Route::models:
      if (!upstream_) co_return co_await local_.models(exchange);
      co_return co_await forward(exchange);
    case Route::forward:
      if (!upstream_)
        co_return co_await refuse(exchange, 404, "There is no such path here, and no upstream to ask: see --upstream.");
      co_return co_await forward(exchange);
    case Route::other: break;
  }
  co_return co_await refuse(exchange, 404, "There is no such path. The API begins with /v1/.");
}

Task<int> Router::refuse_cross_site(net::Exchange& exchange, Route route, std::string_view fault) {
  const std::string_view agent = exchange.request().headers.find("user-agent").value_or("");
  net::Reply reply = route == Route::langcache
                         ? langcache_error(LangCacheError::insufficient_permissions, agent, fault)
                         : openai_error(403, fault, {}, "cross_site");
  co_await exchange.respond(std::move(reply));
  co_return 403;
}

Task<int> Router::forward(net::Exchange& exchange) {
  const net::Request& request = exchange.request();
  net::ClientRequest call;
  call.method = request.method;
  call.target = upstream_target(request.target);
  if (call.target.empty()) {
    const int status = co_await refuse(exchange, 400, "The path is not plain.");
    co_return status;
  }
  call.headers = upstream_header_lines(request.headers, shared_.options.upstreams.front().api_key);
  call.body = exchange.take_body();
  shared_.metrics.upstream_call();
  auto answered = co_await upstream_->send(std::move(call));
  if (const auto* failure = std::get_if<ClientError>(&answered)) {
    shared_.metrics.upstream_failure(failure->kind);
    base::log_warning("forward: " + failure->error.message);
    net::Reply reply = upstream_failure_reply(*failure);
    const int status = reply.status;
    co_await exchange.respond(std::move(reply));
    co_return status;
  }
  ClientResponse response = std::get<ClientResponse>(std::move(answered));
  const std::string content_type(response.headers().find("content-type").value_or(""));
  net::Reply head;
  head.status = response.status();
  head.content_type = content_type;
  head.headers = client_header_lines(response.headers()) + uncached_header_lines("bypass", "not_cacheable", true, false);
  const bool bodiless = head.status == 204 || head.status == 304 || exchange.request().method == "HEAD";
  if (bodiless) {
    co_await exchange.respond(std::move(head));
    co_return response.status();
  }
  bool listening = co_await exchange.begin(std::move(head));
  while (listening) {
    auto piece = co_await response.read();
    if (const auto* failure = std::get_if<ClientError>(&piece)) {
      shared_.metrics.upstream_failure(failure->kind);
      co_return response.status();  // The client sees the connection end before the last chunk.
    }
    const std::string& bytes = std::get<std::string>(piece);
    if (bytes.empty()) break;
    listening = co_await exchange.write(bytes);
  }
  co_await exchange.finish();
  co_return response.status();
}

Task<int> Router::refuse(net::Exchange& exchange, int status, std::string_view message) {
  net::Reply reply = openai_error(status, message, {}, status == 404 ? "not_found" : "");
  co_await exchange.respond(std::move(reply));
  co_return status;
}

net::Reply Router::refusal(int status, std::string_view target) {
  std::string_view message = "The request is not valid HTTP.";
  if (status == 413) message = "The request body is larger than this server allows.";
  if (status == 431) message = "The request headers are larger than this server allows.";
  if (status == 408) message = "The request did not arrive in time.";
  shared_.metrics.request(route_of(target.substr(0, target.find('?'))), status, std::chrono::nanoseconds{0});
  if (target.starts_with("/v1/caches/"))
    return langcache_error(status == 413 ? LangCacheError::payload_too_large : LangCacheError::invalid_data, {},
                           message);
  return openai_error(status, message);
}

void Router::cancel() {
  if (upstream_) upstream_->cancel();
}

}  // namespace sosie::gateway
