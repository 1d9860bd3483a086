// router.h: which path is whose.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>

#include "gateway/chat_handler.h"
#include "gateway/json.h"
#include "gateway/langcache/route.h"
#include "gateway/local_routes.h"
#include "gateway/observe/explain_route.h"
#include "gateway/state.h"
#include "gateway/upstream/pass_through.h"
#include "gateway/upstream/upstreams.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// The handler of one I/O thread.
class Router final : public net::Handler {
 public:
  Router(GatewayState& state, boost::asio::any_io_executor executor);

  net::Task<void> handle(net::Exchange& exchange) override;
  net::Reply refusal(int status, std::string_view target) override;
  void cancel() override;

 private:
  net::Task<int> dispatch(net::Exchange& exchange, Route route);
  /// Takes the content coding off the request's body. Unset: all is well; else the status of the refusal.
  net::Task<std::optional<int>> decode(net::Exchange& exchange, Route route);
  net::Task<int> embeddings(net::Exchange& exchange);
  bool may_ask_encoder(const net::Request& request) const;
  net::Task<int> refuse_encoder(net::Exchange& exchange, Route route);
  net::Task<int> refuse(net::Exchange& exchange, Route route, int status, std::string_view message, std::string_view code,
                        std::string headers = {});

  GatewayState& state_;
  const boost::asio::any_io_executor executor_;
  const bool loopback_only_;
  JsonReader reader_;
  Upstreams upstreams_;
  PassThrough pass_through_;
  ChatHandler answers_;
  LocalRoutes local_;
  LangCacheRoute langcache_;
  ExplainRoute explain_;
};

}  // namespace sosie::gateway
