#include "gateway/observe/explain_route.h"

#include "gateway/reply/openai_error.h"
#include "gateway/request/request_context.h"
#include "gateway/request/tenant.h"
#include "gateway/upstream/retry.h"

namespace sosie::gateway {

ExplainRoute::ExplainRoute(GatewayState& state, boost::asio::any_io_executor executor)
    : state_(state), executor_(std::move(executor)) {}

net::Task<int> ExplainRoute::handle(net::Exchange& exchange) {
  const std::string id(exchange.request().path().substr(kPrefix.size()));
  const net::Request& request = exchange.request();
  const ServerOptions& options = state_.options;
  const Tenant tenant = tenant_of(request.headers, query_of(request.target), options.tenant, options.compat);
  auto decision = state_.decisions.find(id, tenant.caller);
  if (!decision) {
    net::Reply reply = openai_error(404,
                                    "No such request of this caller is remembered: the latest are, by the x-sosie-request-id of their "
                                    "answers, for who sends the same credentials.",
                                    {}, "not_found");
    co_await exchange.respond(std::move(reply));
    co_return 404;
  }
  const bool with_candidates = may_use_encoder(options, tenant);
  std::function<Result<std::string>()> job = [&state = state_, id, decision = std::move(*decision),
                                              with_candidates]() -> Result<std::string> {
    return explain(id, decision, *state.cache, state.decisions.closest_scope(decision), with_candidates);
  };
  auto ran = co_await state_.encoders.run(executor_, std::move(job), net::after(state_.options.lookup_timeout));
  if (!ran || !*ran) {
    net::Reply reply = openai_error(503, "The cache is busy or failed. Try again later.", {}, "cache_unavailable");
    reply.headers = kRetrySoon;
    co_await exchange.respond(std::move(reply));
    co_return 503;
  }
  net::Reply reply;
  reply.body = std::move(**ran);
  co_await exchange.respond(std::move(reply));
  co_return 200;
}

}  // namespace sosie::gateway
