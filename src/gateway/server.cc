#include "gateway/server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <algorithm>
#include <functional>
#include <iterator>
#include <thread>

#include "base/log.h"
#include "gateway/reembedding.h"
#include "gateway/request/header_policy.h"
#include "gateway/router.h"
#include "gateway/state.h"
#include "net/http_server.h"
#include "net/url.h"

namespace sosie::gateway {
namespace {

constexpr std::chrono::seconds kSweepInterval{60};

/// Empty: the field may be ignored.
std::string why_not_ignored(std::string_view field) {
  // Parts without which answers would reach other callers or other questions.
  constexpr std::string_view kNever[] = {"tenant", "api",   "query",    "partition",    "model", "history", "last_turn",
                                         "input",  "tools", "messages", "instructions", "prompt", "system"};
  // Parts of no scope.
  constexpr std::string_view kNowhere[] = {"stream",          "stream_options",         "store",          "prompt_cache_key",
                                           "cache_control",   "prompt_cache_retention", "client_metadata"};
  // Whose parts go by the name that another API has for them.
  constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
      {"max_completion_tokens", "max_tokens"}, {"max_output_tokens", "max_tokens"}, {"stop_sequences", "stop"},
      {"reasoning", "reasoning_effort"},       {"text", "response_format or verbosity"}};
  if (field.empty() || field.starts_with('.') || field.ends_with('.') || field.find("..") != std::string_view::npos)
    return "it is no name of a field, nor names joined by dots";
  const std::string_view first = field.substr(0, field.find('.'));
  if (std::find(std::begin(kNever), std::end(kNever), first) != std::end(kNever)) return "it changes every answer";
  if (std::find(std::begin(kNowhere), std::end(kNowhere), first) != std::end(kNowhere)) return "it keeps no answers apart anyway";
  for (const auto& [name, known_as] : kOtherNames)
    if (field == name) return "name " + std::string(known_as) + ", as all APIs' field is called there";
  return {};
}

Result<void> check(const ServerOptions& options) {
  const auto at_least_1 = [](std::uint64_t value, std::string_view name) -> Result<void> {
    if (value != 0) return {};
    return Error{ErrorCode::invalid_argument, std::string(name) + " must be at least 1"};
  };
  for (const auto& checked :
       {at_least_1(options.io_threads, "io_threads"), at_least_1(options.encoder_threads, "encoder_threads"),
        at_least_1(options.max_queued, "max_queued"), at_least_1(options.max_header_bytes, "max_header_bytes"),
        at_least_1(options.max_body_bytes, "max_body_bytes"), at_least_1(options.max_connections, "max_connections"),
        at_least_1(options.max_upstream_calls, "max_upstream_calls")})
    if (!checked) return checked;
  for (const std::string& header : options.ignored_headers) {
    const auto fault = [&header](std::string_view why) {
      return Error{ErrorCode::invalid_argument, "ignored_headers must not name " + header + ": " + std::string(why)};
    };
    const HeaderUse use = use_of_request_header(header, options.compat);
    if (use == HeaderUse::credential || (options.tenant.by == TenantBy::header && header == options.tenant.header))
      return fault("[tenant] says who shares answers");
    if (use != HeaderUse::separates) return fault("it keeps no answers apart anyway");
  }
  for (const std::string& field : options.ignored_fields)
    if (const std::string why = why_not_ignored(field); !why.empty())
      return Error{ErrorCode::invalid_argument, "ignored_fields must not name " + field + ": " + why};
  return {};
}

net::HttpServerOptions to_http_options(const ServerOptions& options) {
  net::HttpServerOptions http;
  http.address = options.address;
  http.port = options.port;
  http.io_threads = options.io_threads;
  http.max_header_bytes = static_cast<std::uint32_t>(options.max_header_bytes);
  http.max_body_bytes = options.max_body_bytes;
  http.max_connections = options.max_connections;
  http.header_timeout = options.header_timeout;
  http.body_timeout = options.body_timeout;
  http.idle_timeout = options.idle_timeout;
  http.write_timeout = options.write_timeout;
  return http;
}

}  // namespace

struct Server::Impl {
  Impl(std::shared_ptr<SemanticCache> cache, ServerOptions options, UpstreamTable upstreams)
      : state(std::move(cache), std::move(options), std::move(upstreams)) {}

  void stop() {
    state.draining.store(true);
    http->stop(state.options.shutdown_grace);
    // A job left behind by its deadline still reports to an executor of `http`.
    state.encoders.join();
    state.writers.join();
  }

  GatewayState state;
  Reembedding reembedding{state};
  std::unique_ptr<net::HttpServer> http;  // ends before what its handlers use
};

Result<Server> Server::start(std::shared_ptr<SemanticCache> cache, ServerOptions options) {
  if (auto checked = check(options); !checked) return checked.error();
  auto upstreams = make_upstreams(options.upstreams);
  if (!upstreams) return upstreams.error();
  auto impl = std::make_unique<Impl>(std::move(cache), std::move(options), std::move(*upstreams));
  auto factory = [impl = impl.get()](boost::asio::any_io_executor executor) -> std::unique_ptr<net::Handler> {
    return std::make_unique<Router>(impl->state, executor);
  };
  net::HttpServerOptions http_options = to_http_options(impl->state.options);
  http_options.held = &impl->state.held;
  auto http = net::HttpServer::start(std::move(http_options), std::move(factory));
  if (!http) return http.error();
  impl->http = std::move(*http);
  impl->state.http.store(impl->http.get());
  impl->reembedding.start();
  return Server(std::move(impl));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::Server(Server&&) noexcept = default;
Server& Server::operator=(Server&& other) noexcept {
  if (this == &other) return *this;
  if (impl_) impl_->stop();
  impl_ = std::move(other.impl_);
  return *this;
}

Server::~Server() {
  if (impl_) impl_->stop();
}

std::uint16_t Server::port() const noexcept { return impl_->http->port(); }

std::string Server::url() const {
  const std::string& address = impl_->state.options.address;
  const bool v6 = address.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port());
}

void Server::run_until_signal(const std::function<void()>& ready) { wait_for_signal(*impl_, ready); }

// The waiting thread has nothing else to do: it also sweeps, which writes down hits and gives back what expired entries hold.
void Server::wait_for_signal(Impl& impl, const std::function<void()>& ready) {
  // Never destroyed: the last signal_set takes the default action back, and a late signal must not cut short what comes
  // after, for the store is about to be closed.
  static auto& context = *new boost::asio::io_context{1};
  static auto& signals = *new boost::asio::signal_set(context, SIGINT, SIGTERM);
  boost::asio::steady_timer sweep_timer(context);
  std::thread stopping;
  std::function<void()> sweep_later = [&] {
    sweep_timer.expires_after(kSweepInterval);
    sweep_timer.async_wait([&](const boost::system::error_code& cancelled) {
      if (cancelled || stopping.joinable()) return;
      if (auto swept = impl.state.cache->sweep(); !swept) base::log_warning("sweep: " + swept.error().message);
      impl.reembedding.start();
      sweep_later();
    });
  };
  sweep_later();
  signals.async_wait([&](const boost::system::error_code& failure, int) {
    if (failure) return;
    sweep_timer.cancel();
    base::log_info("stopping: requests in flight may finish; a second signal ends them");
    stopping = std::thread([&] {
      impl.stop();
      boost::asio::post(context, [&] { signals.cancel(); });
    });
    signals.async_wait([&](const boost::system::error_code& aborted, int) {
      if (!aborted) impl.http->hurry();
    });
  });
  if (ready) ready();
  context.run();
  if (stopping.joinable()) stopping.join();
}

void Server::stop() { impl_->stop(); }

}  // namespace sosie::gateway
