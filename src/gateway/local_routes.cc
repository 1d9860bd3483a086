#include "gateway/local_routes.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "gateway/bulk_quota.h"
#include "gateway/reply/openai_error.h"
#include "gateway/request/request_context.h"
#include "gateway/request/tenant.h"
#include "gateway/upstream/retry.h"

namespace sosie::gateway {
namespace {

using net::Task;

// Texts of one job, and their bytes unless it is one text: so few that a lookup never waits long behind a large request.
constexpr std::size_t kSlice = 16;
constexpr std::size_t kSliceBytes = 4 << 10;
constexpr net::Milliseconds kSliceTime{30'000};

/// The end of the slice that begins at `at`.
std::size_t slice_end(const std::vector<std::string>& texts, std::size_t at) {
  std::size_t end = at, bytes = 0;
  do {
    bytes += texts[end++].size();
  } while (end < texts.size() && end - at < kSlice && bytes + texts[end].size() <= kSliceBytes);
  return end;
}

net::Reply too_long(std::size_t index, const Embedder& embedder) {
  return openai_error(400,
                      "input " + std::to_string(index) + " is longer than the model's window of " + std::to_string(embedder.max_tokens()) +
                          " tokens; split it",
                      "input", "context_length_exceeded");
}

}  // namespace

LocalRoutes::LocalRoutes(GatewayState& state, JsonReader& reader, boost::asio::any_io_executor executor)
    : state_(state), reader_(reader), executor_(std::move(executor)) {}

Task<int> LocalRoutes::embeddings(net::Exchange& exchange) {
  const Embedder& embedder = state_.cache->embedder();
  auto read = read_embeddings_request(reader_, exchange.request().body, embedder.dimension());
  if (const auto* bad = std::get_if<BadRequest>(&read)) {
    net::Reply reply = openai_error(400, bad->message, bad->param);
    co_await exchange.respond(std::move(reply));
    co_return 400;
  }
  const auto request = std::make_shared<const EmbeddingsRequest>(std::get<EmbeddingsRequest>(std::move(read)));
  const std::vector<std::string>& inputs = request->inputs;
  const auto long_one = std::find_if(inputs.begin(), inputs.end(), [&](const std::string& each) { return embedder.is_too_long(each); });
  if (long_one != inputs.end()) {  // What the encoder would find as well, after reading all of it.
    net::Reply reply = too_long(static_cast<std::size_t>(long_one - inputs.begin()), embedder);
    co_await exchange.respond(std::move(reply));
    co_return 400;
  }
  static_cast<void>(exchange.take_body());  // It may be large, and the work long.
  const bool bulk = slice_end(inputs, 0) < inputs.size() || inputs.front().size() > kSliceBytes;
  const net::Request& asked = exchange.request();
  const Tenant tenant = tenant_of(asked.headers, query_of(asked.target), state_.options.tenant, state_.options.compat);
  const auto place = bulk ? state_.bulk.take(tenant.id) : std::nullopt;
  if (bulk && !place) {
    net::Reply reply = openai_error(429, "Several large requests of yours are being embedded. Send fewer at a time.", {}, "rate_limit_exceeded");
    reply.headers = kRetrySoon;
    co_await exchange.respond(std::move(reply));
    co_return 429;
  }
  Embeddings all;
  for (std::size_t at = 0, end = 0; at < inputs.size(); at = end) {
    end = slice_end(inputs, at);
    auto ran = co_await embed_slice(request, at, end, bulk ? net::Urgency::bulk : net::Urgency::normal, exchange.gone());
    if (exchange.gone().stop_requested()) co_return kCallerLeft;
    if (!ran || !*ran) {
      net::Reply reply = openai_error(503, "The encoder is busy or failed. Try again later.", {}, "encoder_unavailable");
      reply.headers = kRetrySoon;
      co_await exchange.respond(std::move(reply));
      co_return 503;
    }
    Embeddings& slice = **ran;
    const auto cut = std::find_if(slice.begin(), slice.end(), [](const Embedding& each) { return each.truncated; });
    if (cut != slice.end()) {
      const std::size_t index = at + static_cast<std::size_t>(cut - slice.begin());
      net::Reply reply = too_long(index, embedder);
      co_await exchange.respond(std::move(reply));
      co_return 400;
    }
    std::move(slice.begin(), slice.end(), std::back_inserter(all));
  }
  net::Reply reply;
  reply.body = render_embeddings(all, request->base64, state_.options.embedding_model);
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

// A single text is embedded beside those of other requests.
Task<Result<Result<LocalRoutes::Embeddings>>> LocalRoutes::embed_slice(std::shared_ptr<const EmbeddingsRequest> request, std::size_t begin,
                                                                      std::size_t end, net::Urgency urgency, std::stop_token stop) {
  const auto deadline = net::after(kSliceTime);
  if (request->inputs.size() == 1) {
    EmbeddingQueue::Then<Result<Embeddings>> then = [request](EmbeddingQueue::Embedded embedding, bool) -> Result<Embeddings> {
      if (!embedding) return std::move(embedding).error();
      return Embeddings{**embedding};
    };
    auto embedded = co_await state_.embeddings.embed(executor_, request->inputs.front(), std::move(then), deadline, urgency, {}, std::move(stop));
    co_return embedded;
  }
  std::function<Result<Embeddings>()> job = [cache = state_.cache, request, begin, end] {
    const auto slice = std::span(request->inputs).subspan(begin, end - begin);
    const std::vector<std::string_view> texts(slice.begin(), slice.end());
    return cache->embedder().embed(texts);
  };
  auto embedded = co_await state_.encoders.run(executor_, std::move(job), deadline, urgency, std::move(stop));
  co_return embedded;
}

Task<int> LocalRoutes::models(net::Exchange& exchange) {
  net::Reply reply;
  reply.body = R"({"object":"list","data":[)";
  if (!state_.options.embedding_model.empty()) {
    reply.body.append(R"({"id":)");
    append_json_string(reply.body, state_.options.embedding_model);
    reply.body.append(R"(,"object":"model","created":0,"owned_by":"sosie"})");
  }
  reply.body.append("]}");
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

Task<int> LocalRoutes::root(net::Exchange& exchange) {
  net::Reply reply;
  reply.body = R"({"name":"sosie","paths":["/v1/","/healthz","/readyz","/metrics"]})";
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

Task<int> LocalRoutes::healthy(net::Exchange& exchange) {
  net::Reply reply;
  reply.body = R"({"status":"ok"})";
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

Task<int> LocalRoutes::ready(net::Exchange& exchange) {
  const auto deadline = net::after(state_.options.lookup_timeout);
  std::string_view trouble;
  std::string why;
  const auto note = [&](const Result<Result<void>>& ran, std::string_view failed, std::string_view slow) {
    if (!ran) {
      trouble = ran.error().code == ErrorCode::resource_exhausted ? "overloaded" : slow;
    } else if (!*ran) {
      trouble = failed;
      why = ran->error().message;
    }
  };
  if (state_.draining.load()) {
    trouble = "draining";
  } else {
    // Not a lookup, which would count as a miss.
    std::function<Result<void>()> embed = [cache = state_.cache]() -> Result<void> {
      const std::string_view text = "ready?";
      auto embedded = cache->embedder().embed(std::span(&text, 1));
      return embedded ? Result<void>() : Result<void>(embedded.error());
    };
    const auto embedded = co_await state_.encoders.run(executor_, std::move(embed), deadline);
    note(embedded, "encoder_failed", "slow");
  }
  if (trouble.empty()) {
    std::function<Result<void>()> check = [cache = state_.cache] { return cache->check(); };
    const auto checked = co_await state_.writers.run(executor_, std::move(check), deadline);
    note(checked, "store_unavailable", "store_slow");
  }
  net::Reply reply;
  reply.status = trouble.empty() ? 200 : 503;
  reply.body = R"({"status":")" + std::string(trouble.empty() ? "ready" : trouble) + '"';
  if (!why.empty()) append_json_string(reply.body.append(R"(,"reason":)"), why);
  reply.body.push_back('}');
  const int status = reply.status;
  co_await exchange.respond(std::move(reply));
  co_return status;
}

Task<int> LocalRoutes::metrics(net::Exchange& exchange) {
  Metrics::Gauges gauges;
  if (const net::HttpServer* http = state_.http.load()) gauges.connections = http->connections();
  gauges.queued = state_.encoders.queued() + state_.embeddings.queued() + state_.writers.queued();
  gauges.upstream_calls = state_.calls.count();
  gauges.held_bytes = state_.held.count();
  gauges.ended_readers = state_.held.ended();
  std::optional<CacheStats> stats;
  if (state_.cache->is_local()) {
    stats = state_.cache->stats();
  } else {
    std::function<CacheStats()> job = [cache = state_.cache] { return cache->stats(); };
    auto ran = co_await state_.writers.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
    if (ran) stats = *ran;  // Else the rest is still worth knowing.
  }
  net::Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = state_.metrics.render(stats, gauges);
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

}  // namespace sosie::gateway
