// pass_through.h: requests that the cache has nothing to do with, and their answers, both untouched.
#pragma once

#include <optional>

#include "gateway/request/request_context.h"
#include "gateway/state.h"
#include "gateway/upstream/upstreams.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// Any method and any path below /v1/. One an I/O thread.
class PassThrough {
 public:
  PassThrough(GatewayState& state, Upstreams& upstreams);

  /// Asks the upstream that has the body's "model" (any, where it names none) and passes its answer on as it comes, no faster than the
  /// caller reads, with the length that the upstream gave it. Answers the exchange; returns the status.
  net::Task<int> handle(net::Exchange& exchange);

  /// The same for a request of an API that is understood here, but not this time: the upstream may take it. Unset: nothing was done,
  /// for it may not be passed on, or nobody can be asked.
  net::Task<std::optional<int>> handle_unread(net::Exchange& exchange, const NotRead& not_read);

 private:
  net::Task<int> forward(net::Exchange& exchange, std::string body, Upstream* upstream, Reason reason);
  net::Task<int> relay(net::Exchange& exchange, net::ClientResponse response, Reason reason);
  net::Task<int> fail(net::Exchange& exchange, const net::ClientError& failure);
  net::Task<int> refuse(net::Exchange& exchange, int status, std::string_view message, std::string_view code);

  GatewayState& state_;
  Upstreams& upstreams_;
};

}  // namespace sosie::gateway
