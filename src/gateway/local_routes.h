// local_routes.h: what is answered without an upstream: embeddings, the model list, health.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <stop_token>
#include <vector>

#include "gateway/embeddings.h"
#include "gateway/json.h"
#include "gateway/state.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// One an I/O thread. Each task answers the exchange and returns the status it answered with.
class LocalRoutes {
 public:
  LocalRoutes(GatewayState& state, JsonReader& reader, boost::asio::any_io_executor executor);

  /// POST /v1/embeddings
  net::Task<int> embeddings(net::Exchange& exchange);
  /// GET /v1/models
  net::Task<int> models(net::Exchange& exchange);
  /// GET / and /v1: who is there.
  net::Task<int> root(net::Exchange& exchange);
  /// GET /healthz: the process answers.
  net::Task<int> healthy(net::Exchange& exchange);
  /// GET /readyz: the encoder works, the store can be read and written, and no shutdown has begun.
  net::Task<int> ready(net::Exchange& exchange);
  /// GET /metrics
  net::Task<int> metrics(net::Exchange& exchange);

 private:
  using Embeddings = std::vector<Embedding>;
  net::Task<Result<Result<Embeddings>>> embed_slice(std::shared_ptr<const EmbeddingsRequest> request, std::size_t begin, std::size_t end,
                                                    net::Urgency urgency, std::stop_token stop);

  GatewayState& state_;
  JsonReader& reader_;
  const boost::asio::any_io_executor executor_;
};

}  // namespace sosie::gateway
