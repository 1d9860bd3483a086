// upstreams.h: which upstream answers a model, and whether it may be asked now.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/options.h"
#include "net/backoff.h"
#include "net/http_client.h"

namespace sosie::gateway {

/// Whether an upstream may be asked. Closed: always. Five failures in a row open it: nobody may, for a time that doubles with every
/// further failure, 1 s to 30 s. Then one call at a time tries, and a success closes it. Thread-safety: safe. Time is given.
class Breaker {
 public:
  using Time = net::Backoff::Time;
  static constexpr unsigned kOpensAfter = 5;
  static constexpr std::chrono::milliseconds kFirstPause{1'000}, kLongestPause{30'000};

  explicit Breaker(std::string name) : name_(std::move(name)) {}

  bool allows(Time now);
  void failed(Time now);
  void succeeded();
  /// Of a call that was let in and ended without telling anything of the upstream.
  void abandoned(Time now);
  /// Until somebody may try; 0: now.
  std::chrono::milliseconds wait(Time now) { return backoff_.wait(now); }

 private:
  const std::string name_;  // for the log
  net::Backoff backoff_{kFirstPause, kLongestPause};
  std::atomic<unsigned> failures_{0};  // in a row; the backoff hears of them from the last that is forgiven on
};

/// What all I/O threads know of one upstream. Thread-safety: safe.
struct UpstreamState {
  UpstreamState(UpstreamOptions the_options, net::BaseUrl the_url)
      : options(std::move(the_options)), url(std::move(the_url)), breaker(options.name) {}

  const UpstreamOptions options;
  const net::BaseUrl url;
  Breaker breaker;
  std::atomic<bool> refuses_usage{false};  ///< It has refused a request for what its stream has used, and taken the same without.
};

/// Shared by all I/O threads; in the order of the configuration.
using UpstreamTable = std::vector<std::unique_ptr<UpstreamState>>;

/// Errors: invalid_argument (a URL; no model at all).
Result<UpstreamTable> make_upstreams(const std::vector<UpstreamOptions>& options);

/// One thread's connections to one upstream.
class Upstream {
 public:
  Upstream(UpstreamState& state, boost::asio::any_io_executor executor);

  /// Sends. A connection that cannot be made is tried once more: nothing was sent. A call that was sent is never repeated.
  /// While the breaker is open: ClientFailure::refused at once. Connection failures, silence, answers that break off before their head
  /// and 502, 503, 504 count against the upstream; any other answer counts for it. Neither: `cancel`, and the request's own deadline.
  net::Task<net::ClientResult<net::ClientResponse>> send(net::ClientRequest request);

  const UpstreamOptions& options() const noexcept { return state_.options; }
  bool refuses_usage() const noexcept { return state_.refuses_usage.load(std::memory_order_relaxed); }
  void note_refuses_usage() noexcept { state_.refuses_usage.store(true, std::memory_order_relaxed); }
  void cancel() { client_.cancel(); }

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
