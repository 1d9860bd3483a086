// route.h: Redis LangCache's REST API under /v1/caches/{cacheId}/.
//
// The cacheId is the whole scope: with no keys configured any bearer token is accepted, and tells nobody apart.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <string>
#include <string_view>

#include "gateway/json.h"
#include "gateway/langcache/bodies.h"
#include "gateway/state.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// One an I/O thread.
class LangCacheRoute {
 public:
  LangCacheRoute(GatewayState& state, JsonReader& reader, boost::asio::any_io_executor executor);

  /// Answers the exchange and returns the status it answered with. REQUIRES: the path begins with "/v1/caches/".
  net::Task<int> handle(net::Exchange& exchange);

 private:
  net::Task<int> search(net::Exchange& exchange, std::string scope, bool in_conversation);
  net::Task<int> set(net::Exchange& exchange, std::string scope);
  net::Task<int> erase_matching(net::Exchange& exchange, std::string scope);
  net::Task<int> erase_one(net::Exchange& exchange, std::string scope, std::string id);
  net::Task<int> flush(net::Exchange& exchange, std::string scope);

  net::Task<int> refuse(net::Exchange& exchange, LangCacheError error, std::string detail, Faults faults);
  /// `busy`: no worker took the work, or not in time; else the cache said so.
  net::Task<int> fail(net::Exchange& exchange, Error error, bool busy);
  net::Task<int> empty(net::Exchange& exchange);

  GatewayState& state_;
  JsonReader& reader_;
  const boost::asio::any_io_executor executor_;
};

}  // namespace sosie::gateway
