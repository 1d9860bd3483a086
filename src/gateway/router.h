// router.h: which path is whose.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "gateway/chat_route.h"
#include "gateway/json.h"
#include "gateway/langcache_route.h"
#include "gateway/local_routes.h"
#include "gateway/shared.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// The handler of one I/O thread.
class Router final : public net::Handler {
 public:
  /// `upstream` may be null.
  Router(Shared& shared, std::unique_ptr<net::HttpClient> upstream, boost::asio::any_io_executor executor);

  net::Task<void> handle(net::Exchange& exchange) override;
  net::Reply refusal(int status, std::string_view target) override;
  void cancel() override;

 private:
  net::Task<int> dispatch(net::Exchange& exchange, Route route);
  net::Task<int> refuse_cross_site(net::Exchange& exchange, Route route, std::string_view fault);
  net::Task<int> forward(net::Exchange& exchange);
  net::Task<int> refuse(net::Exchange& exchange, int status, std::string_view message);

  Shared& shared_;
  const bool loopback_only_;
  JsonReader reader_;
  const std::unique_ptr<net::HttpClient> upstream_;
  ChatRoute chat_;
  LocalRoutes local_;
  LangCacheRoute langcache_;
};

}  // namespace sosie::gateway
