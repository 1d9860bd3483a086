#include "gateway/upstream/upstreams.h"

#include <algorithm>
#include <optional>

#include "base/log.h"
#include "text/glob.h"

namespace sosie::gateway {
namespace {

using net::ClientError;
using net::ClientFailure;
using net::ClientResponse;
using std::chrono::steady_clock;

net::HttpClientOptions to_client_options(const UpstreamOptions& options) {
  net::HttpClientOptions client;
  client.connect_timeout = options.connect_timeout;
  client.first_byte_timeout = options.first_byte_timeout;
  client.idle_timeout = options.idle_timeout;
  client.total_timeout = options.total_timeout;
  client.connect_tries = 2;
  client.max_response_bytes = 0;  // Whoever reads it takes piece by piece.
  return client;
}

bool answers(const UpstreamOptions& options, std::string_view model) {
  return std::any_of(options.models.begin(), options.models.end(),
                     [model](const std::string& pattern) { return text::matches_glob(pattern, model); });
}

/// What an answer says of the one who gave it: these are given by proxies in front of a server that is down, or overwhelmed.
bool is_failure(int status) { return status == 502 || status == 503 || status == 504; }

/// Tells the breaker how a call ended, also of one whose coroutine is destroyed under way.
class Attempt {
 public:
  explicit Attempt(Breaker& breaker) : breaker_(breaker) {}
  ~Attempt() {
    if (!good_) {
      breaker_.abandoned(steady_clock::now());
    } else if (*good_) {
      breaker_.succeeded();
    } else {
      breaker_.failed(steady_clock::now());
    }
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void ended(bool good) { good_ = good; }

 private:
  Breaker& breaker_;
  std::optional<bool> good_;
};

}  // namespace

bool Breaker::allows(Time now) {
  // A healthy upstream costs no lock.
  return failures_.load(std::memory_order_relaxed) < kOpensAfter || backoff_.allows(now);
}

void Breaker::failed(Time now) {
  const unsigned failures = failures_.fetch_add(1) + 1;
  if (failures < kOpensAfter) return;
  backoff_.failed(now);
  if (failures == kOpensAfter)
    base::log_warning("upstream " + name_ + " failed " + std::to_string(failures) +
                      " times in a row: it is left alone for a moment, then tried now and then");
}

void Breaker::succeeded() {
  if (failures_.load(std::memory_order_relaxed) == 0) return;
  if (failures_.exchange(0) < kOpensAfter) return;
  backoff_.succeeded();
  base::log_info("upstream " + name_ + " answers again");
}

void Breaker::abandoned(Time now) {
  if (failures_.load(std::memory_order_relaxed) >= kOpensAfter) backoff_.abandoned(now);
}

Result<UpstreamTable> make_upstreams(const std::vector<UpstreamOptions>& options) {
  UpstreamTable table;
  for (const UpstreamOptions& each : options) {
    auto url = net::parse_base_url(each.base_url);
    if (!url) return url.error();
    if (each.models.empty())
      return Error{ErrorCode::invalid_argument, "upstream " + each.name + " has no models: name some, or \"*\" for all"};
    table.push_back(std::make_unique<UpstreamState>(each, std::move(*url)));
  }
  return table;
}

Upstream::Upstream(UpstreamState& state, boost::asio::any_io_executor executor)
    : state_(state), client_(std::move(executor), state.url, to_client_options(state.options)) {}

net::Task<net::ClientResult<ClientResponse>> Upstream::send(net::ClientRequest request) {
  const auto begin = steady_clock::now();
  if (!state_.breaker.allows(begin)) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(state_.breaker.wait(begin));
    co_return ClientError{ClientFailure::refused,
                          {ErrorCode::unavailable, "upstream " + state_.options.name + " has failed repeatedly and is left alone for now"},
                          std::max(wait, std::chrono::seconds{1})};
  }
  Attempt attempt(state_.breaker);
  const net::SteadyTime deadline = request.deadline;
  auto answered = co_await client_.send(std::move(request));
  if (const auto* failure = std::get_if<ClientError>(&answered)) {
    const bool by_caller = failure->kind == ClientFailure::cancelled || steady_clock::now() >= deadline;
    if (!by_caller) attempt.ended(false);
  } else {
    attempt.ended(!is_failure(std::get<ClientResponse>(answered).status()));
  }
  co_return answered;
}

Upstreams::Upstreams(UpstreamTable& table, boost::asio::any_io_executor executor) {
  for (const auto& state : table) all_.push_back(std::make_unique<Upstream>(*state, executor));
}

Upstream* Upstreams::for_model(std::string_view model) const noexcept {
  for (const auto& each : all_)
    if (answers(each->options(), model)) return each.get();
  return nullptr;
}

Upstream* Upstreams::any() const noexcept {
  for (const auto& each : all_) {
    const auto& models = each->options().models;
    if (std::find(models.begin(), models.end(), "*") != models.end()) return each.get();
  }
  return all_.empty() ? nullptr : all_.front().get();
}

void Upstreams::cancel() {
  for (const auto& each : all_) each->cancel();
}

}  // namespace sosie::gateway
