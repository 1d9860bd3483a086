// state.h: what the routes of every I/O thread have in common.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "gateway/bulk_quota.h"
#include "gateway/inflight/shared_calls.h"
#include "gateway/lookup/embedding_queue.h"
#include "gateway/observe/explain.h"
#include "gateway/observe/metrics.h"
#include "gateway/options.h"
#include "gateway/upstream/calls.h"
#include "gateway/upstream/upstreams.h"
#include "net/held_bytes.h"
#include "net/http_server.h"
#include "net/worker_pool.h"
#include "sosie/cache.h"

namespace sosie::gateway {

/// Thread-safety: safe. Outlives the routes.
struct GatewayState {
  GatewayState(std::shared_ptr<SemanticCache> the_cache, ServerOptions the_options, UpstreamTable the_upstreams)
      : options(std::move(the_options)),
        cache(std::move(the_cache)),
        upstreams(std::move(the_upstreams)),
        encoders(options.encoder_threads, options.max_queued),
        writers(kWriters, options.max_queued),
        embeddings(*cache, encoders, options.encoder_threads, options.max_queued) {}

  // Writers wait for the disk together; none computes unless a store comes without its embedding.
  static constexpr std::size_t kWriters = 4;

  /// Of pieces, answers and replies together. Some slow readers of long answers fill it; they are ended before it is more.
  static constexpr std::size_t kMostHeldBytes = 64 << 20;

  const ServerOptions options;
  const std::shared_ptr<SemanticCache> cache;
  UpstreamTable upstreams;
  Metrics metrics;
  Calls calls{options.max_upstream_calls};
  net::HeldBytes held{kMostHeldBytes};
  SharedCalls shared_calls{held};
  DecisionLog decisions;
  BulkQuota bulk;
  std::atomic<bool> draining{false};
  std::atomic<const net::HttpServer*> http{nullptr};  // for its connection count, once it is known
  net::WorkerPool encoders, writers;  // Their jobs use what is above, and `embeddings`: the server joins them before anything goes.
  EmbeddingQueue embeddings;
};

}  // namespace sosie::gateway
