// upstreams.h: which upstream answers a model, and whether it may be asked now.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/server.h"
#include "net/backoff.h"
#include "net/http_client.h"

namespace sosie::gateway {

/// What all I/O threads know of one upstream. Thread-safety: safe.
struct UpstreamState {
  UpstreamOptions options;
  net::BaseUrl url;
  net::Backoff breaker;               ///< Open: it is not asked, and the caller gets 503 with Retry-After at once.
  std::atomic<unsigned> failures{0};  ///< In a row. The breaker hears of them from the fifth on.
};

/// The table, shared by all I/O threads; in the order of the configuration. Errors: invalid_argument (a URL).
using UpstreamTable = std::vector<std::unique_ptr<UpstreamState>>;
Result<UpstreamTable> make_upstreams(const std::vector<UpstreamOptions>& options);

/// One thread's connections to one upstream.
class Upstream {
 public:
  Upstream(UpstreamState& state, boost::asio::any_io_executor executor);

  /// Sends. A connection that cannot be made is tried once more: nothing was sent. A call that was sent is never repeated.
  /// While the breaker is open: ClientFailure::refused at once. Connection failures, silence, answers that break off before their head
  /// and 502, 503, 504 count against the upstream; any other answer counts for it.
  net::Task<net::ClientResult<net::ClientResponse>> send(net::ClientRequest request);

  const UpstreamOptions& options() const noexcept;
  void cancel();

 private:
  UpstreamState& state_;
  net::HttpClient client_;
};

/// One thread's upstreams. Thread-safety: none.
class Upstreams {
 public:
  Upstreams(UpstreamTable& table, boost::asio::any_io_executor executor);

  /// The first whose patterns have the model. Null: none has.
  Upstream* for_model(std::string_view model) const noexcept;
  /// For paths that name no model: the first with the pattern "*", else the first. Null: there is none.
  Upstream* any() const noexcept;
  void cancel();

 private:
  std::vector<std::unique_ptr<Upstream>> all_;
};

}  // namespace sosie::gateway
