// explain_route.h: GET /v1/explain/{request-id}: what became of a request, to whoever made it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string_view>

#include "gateway/state.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// One an I/O thread.
class ExplainRoute {
 public:
  static constexpr std::string_view kPrefix = "/v1/explain/";

  ExplainRoute(GatewayState& state, boost::asio::any_io_executor executor);

  /// Answers the exchange and returns the status it answered with: 404 also for another tenant's requests.
  net::Task<int> handle(net::Exchange& exchange);

 private:
  GatewayState& state_;
  const boost::asio::any_io_executor executor_;
};

}  // namespace sosie::gateway
