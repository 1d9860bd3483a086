#include "gateway/upstream/pass_through.h"

#include <simdjson.h>

#include <charconv>
#include <optional>
#include <string>

#include "base/log.h"
#include "gateway/reply/openai_error.h"
#include "gateway/reply/outcome.h"
#include "gateway/upstream/forwarding.h"

namespace sosie::gateway {
namespace {

using net::ClientError;
using net::ClientResponse;
using net::Task;

std::optional<std::uint64_t> length_of(const net::HeaderList& headers) {
  const auto text = headers.find("content-length");
  if (!text) return std::nullopt;
  std::uint64_t length = 0;
  const auto [end, failure] = std::from_chars(text->data(), text->data() + text->size(), length);
  if (failure != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return length;
}

bool has_body(const net::Request& request, int status) {
  return request.method != "HEAD" && status != 204 && status != 304;
}

/// The "model" of a body that is a JSON object, read no further than that takes: what else stands there need not be readable.
/// Unset: it has none, or several. `body` may get more room behind its end.
std::optional<std::string> model_of(std::string& body) {
  namespace ondemand = simdjson::ondemand;
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || body[first] != '{') return std::nullopt;
  body.reserve(body.size() + net::kBodyPadding);
  ondemand::parser parser;
  ondemand::document document;
  ondemand::object members;
  if (parser.iterate(simdjson::padded_string_view(body.data(), body.size(), body.capacity())).get(document) != simdjson::SUCCESS ||
      document.get_object().get(members) != simdjson::SUCCESS)
    return std::nullopt;
  std::optional<std::string> model;
  for (auto member : members) {
    std::string_view key, value;
    if (member.unescaped_key().get(key) != simdjson::SUCCESS) break;  // Here it is no JSON any more.
    if (key != "model") continue;
    if (model || member.value().get_string().get(value) != simdjson::SUCCESS) return std::nullopt;
    model = value;
  }
  return model;
}

}  // namespace

PassThrough::PassThrough(GatewayState& state, Upstreams& upstreams) : state_(state), upstreams_(upstreams) {}

Task<int> PassThrough::handle(net::Exchange& exchange) {
  std::string body = exchange.take_body();
  const auto model = model_of(body);
  Upstream* upstream = model ? upstreams_.for_model(*model) : upstreams_.any();
  const int status = co_await forward(exchange, std::move(body), upstream, Reason::not_cacheable);
  co_return status;
}

Task<std::optional<int>> PassThrough::handle_unread(net::Exchange& exchange, const NotRead& not_read) {
  if (!not_read.may_forward || state_.options.upstreams.empty()) co_return std::nullopt;
  std::string body = exchange.take_body();
  if (not_read.has_member) body = protocol::without_member(body, kCacheMember);
  // A model that cannot be read goes to one that takes every model, and to nobody else.
  Upstream* upstream = upstreams_.for_model(model_of(body).value_or(""));
  if (upstream == nullptr) co_return std::nullopt;
  const int status = co_await forward(exchange, std::move(body), upstream, Reason::unreadable_request);
  co_return status;
}

Task<int> PassThrough::forward(net::Exchange& exchange, std::string body, Upstream* upstream, Reason reason) {
  const net::Request& request = exchange.request();
  if (state_.options.upstreams.empty()) {
    const int status =
        co_await refuse(exchange, 404, "There is no such path here, and no upstream to ask: see --upstream.", "not_found");
    co_return status;
  }
  net::ClientRequest call;
  call.method = request.method;
  call.target = upstream_target(request.path());
  if (call.target.empty()) {
    const int status = co_await refuse(exchange, 400, "The path is not plain.", "");
    co_return status;
  }
  if (upstream == nullptr) {
    const int status = co_await refuse(
        exchange, 404, "No upstream is configured for this model. Add its name to the models of an [[upstream]].", "model_not_found");
    co_return status;
  }
  call.target.append(upstream_query(query_of(request.target), upstream->options()));
  call.headers = upstream_header_lines(request.headers, upstream->options(), state_.options.compat, ReadBy::caller);
  call.body = std::move(body);
  call.stop = exchange.gone();
  const auto place = state_.calls.begin({});  // Its caller's leaving stops it, nobody else.
  if (!place) {
    net::Reply reply = openai_error(503, "As many calls to upstreams are under way as may be. Try again later.", {}, "too_many_calls");
    reply.headers = "Retry-After: 1\r\n";
    co_await exchange.respond(std::move(reply));
    co_return 503;
  }
  state_.metrics.upstream_call();
  auto answered = co_await upstream->send(std::move(call));
  if (const auto* failure = std::get_if<ClientError>(&answered)) {
    const int status = co_await fail(exchange, *failure);
    co_return status;
  }
  const int status = co_await relay(exchange, std::get<ClientResponse>(std::move(answered)), reason);
  co_return status;
}

Task<int> PassThrough::relay(net::Exchange& exchange, ClientResponse response, Reason reason) {
  const int status = response.status();
  net::Reply head;
  head.status = status;
  head.content_type = {};  // Among the others, where it was.
  head.headers = untouched_header_lines(response.headers());
  head.dated = response.headers().find("date").has_value();
  head.length = length_of(response.headers());
  Outcome outcome;
  outcome.cache_status = CacheStatus::bypass;
  outcome.reason = reason;
  outcome.forwarded = true;
  append_outcome_headers(head.headers, outcome, {}, state_.options.compat);
  // Where the length is known, nobody waits for the head alone: it leaves with the first piece.
  std::string first;
  if (head.length.value_or(0) != 0 && has_body(exchange.request(), status)) {
    auto piece = co_await response.read();
    if (const auto* failure = std::get_if<ClientError>(&piece)) {
      const int failed = co_await fail(exchange, *failure);
      co_return failed;
    }
    first = std::get<std::string>(std::move(piece));
    head.tail = first;
  }
  bool listening = co_await exchange.begin(std::move(head));
  while (listening) {
    auto piece = co_await response.read();
    if (const auto* failure = std::get_if<ClientError>(&piece)) {
      if (!exchange.gone().stop_requested()) state_.metrics.upstream_failure(failure->kind);
      co_return status;  // The caller sees the connection end before the answer does.
    }
    const std::string& bytes = std::get<std::string>(piece);
    if (bytes.empty()) break;
    listening = co_await exchange.write(bytes);
  }
  co_await exchange.finish();
  co_return status;
}

Task<int> PassThrough::fail(net::Exchange& exchange, const ClientError& failure) {
  if (exchange.gone().stop_requested()) co_return kCallerLeft;
  state_.metrics.upstream_failure(failure.kind);
  base::log_warning("forward: " + failure.error.message);
  net::Reply reply = upstream_failure_reply(failure);
  const int status = reply.status;
  co_await exchange.respond(std::move(reply));
  co_return status;
}

Task<int> PassThrough::refuse(net::Exchange& exchange, int status, std::string_view message, std::string_view code) {
  net::Reply reply = openai_error(status, message, {}, code);
  co_await exchange.respond(std::move(reply));
  co_return status;
}

}  // namespace sosie::gateway
