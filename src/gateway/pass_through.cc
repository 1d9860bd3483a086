#include "gateway/pass_through.h"

#include <charconv>
#include <optional>
#include <string>

#include "base/log.h"
#include "gateway/forwarding.h"
#include "gateway/openai_error.h"
#include "gateway/outcome.h"

namespace sosie::gateway {
namespace {

using net::ClientError;
using net::ClientResponse;
using net::Task;

constexpr int kCallerLeft = 499;  // for the figures alone; the number that nginx made customary

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

bool looks_like_object(std::string_view body) {
  const std::size_t first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && body[first] == '{';
}

}  // namespace

PassThrough::PassThrough(Shared& shared, JsonReader& reader, Upstreams& upstreams)
    : shared_(shared), reader_(reader), upstreams_(upstreams) {}

Upstream* PassThrough::choose(const net::Request& request) {
  if (looks_like_object(request.body)) {
    std::string_view model;
    if (const auto root = reader_.read(request.body); root && (*root)["model"].get(model) == simdjson::SUCCESS)
      return upstreams_.for_model(model);
  }
  return upstreams_.any();
}

Task<int> PassThrough::handle(net::Exchange& exchange) {
  const net::Request& request = exchange.request();
  if (shared_.options.upstreams.empty()) {
    const int status =
        co_await refuse(exchange, 404, "There is no such path here, and no upstream to ask: see --upstream.", "not_found");
    co_return status;
  }
  net::ClientRequest call;
  call.method = request.method;
  call.target = upstream_target(request.target);
  if (call.target.empty()) {
    const int status = co_await refuse(exchange, 400, "The path is not plain.", "");
    co_return status;
  }
  Upstream* upstream = choose(request);
  if (upstream == nullptr) {
    const int status = co_await refuse(
        exchange, 404, "No upstream is configured for this model. Add its name to the models of an [[upstream]].", "model_not_found");
    co_return status;
  }
  call.headers = upstream_header_lines(request.headers, upstream->options(), shared_.options.compat, ReadBy::caller);
  call.body = exchange.take_body();
  call.stop = exchange.gone();
  shared_.metrics.upstream_call();
  auto answered = co_await upstream->send(std::move(call));
  if (const auto* failure = std::get_if<ClientError>(&answered)) {
    const int status = co_await fail(exchange, *failure);
    co_return status;
  }
  const int status = co_await relay(exchange, std::get<ClientResponse>(std::move(answered)));
  co_return status;
}

Task<int> PassThrough::relay(net::Exchange& exchange, ClientResponse response) {
  const int status = response.status();
  net::Reply head;
  head.status = status;
  head.content_type = {};  // Among the others, where it was.
  head.headers = untouched_header_lines(response.headers());
  head.dated = response.headers().find("date").has_value();
  head.length = length_of(response.headers());
  Outcome outcome;
  outcome.fate = Fate::bypass;
  outcome.reason = "not_cacheable";
  outcome.forwarded = true;
  append_outcome_headers(head.headers, outcome, {}, shared_.options.compat);
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
      if (!exchange.gone().stop_requested()) shared_.metrics.upstream_failure(failure->kind);
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
  shared_.metrics.upstream_failure(failure.kind);
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
