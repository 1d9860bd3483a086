// shared_calls.h: the calls in flight that others may join: of a scope, by the same text or by meaning.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/inflight/shared_call.h"

namespace sosie::gateway {

/// Thread-safety: every method may be called from any thread.
class SharedCalls {
 public:
  /// `held` counts what the calls hold for their subscribers, and outlives them.
  explicit SharedCalls(net::HeldBytes& held) : held_(held) {}

  struct Match {
    std::shared_ptr<SharedCall> shared_call;
    bool same_text = true;
    Similarity similarity{1};
  };

  /// Whether another question's embedding is near enough: the cache's own decision. Unset: it is not.
  using Near = std::function<std::optional<Similarity>(const Embedding&)>;

  /// The newest call with the same text, else the nearest by meaning (`near` may be empty; only calls whose answers may be used
  /// so). None that is among `tried`.
  std::optional<Match> find(std::string_view scope, std::string_view prompt, const Near& near,
                            const std::vector<std::shared_ptr<SharedCall>>& tried) const;

  /// As `find`; where nothing is found `mine` joins the registry, in one step.
  std::optional<Match> find_or_add(const std::shared_ptr<SharedCall>& mine, const Near& near,
                                   const std::vector<std::shared_ptr<SharedCall>>& tried);

  void add(const std::shared_ptr<SharedCall>& shared_call);
  /// Does nothing where it is not there.
  void remove(const std::shared_ptr<SharedCall>& shared_call);

  /// Whether there is one with the same text that is complete and may answer. Cheap where no call is in flight.
  bool has_finished(std::string_view scope, std::string_view prompt) const;

  /// The newest few of the scope that may answer by meaning, and have no embedding yet: whoever embeds them holds up other tenants.
  std::vector<std::shared_ptr<SharedCall>> unembedded(std::string_view scope) const;

  /// Whether a call is in flight in the scope.
  bool any(std::string_view scope) const;

  net::HeldBytes& held() const noexcept { return held_; }

 private:
  static constexpr std::size_t kMostUnembedded = 4;

  std::optional<Match> find_locked(std::string_view scope, std::string_view prompt, const Near& near,
                                   const std::vector<std::shared_ptr<SharedCall>>& tried) const;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  net::HeldBytes& held_;
  std::atomic<std::size_t> count_{0};
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<SharedCall>>, Hash, std::equal_to<>> by_scope_;
};

/// Whoever makes a shared call owns one of these from before the call can be found until it is over. When it goes, also by an
/// exception before the upstream was asked, the call is found no more, and where it has not ended those who wait for it see it fail.
class SharedCallOwner {
 public:
  /// `shared_calls` outlives it.
  SharedCallOwner(SharedCalls& shared_calls, SharedCall::Asked asked) : shared_calls_(&shared_calls), shared_call_(std::make_shared<SharedCall>(std::move(asked), shared_calls.held())) {}
  SharedCallOwner(SharedCallOwner&&) noexcept = default;
  SharedCallOwner& operator=(SharedCallOwner&&) = delete;
  ~SharedCallOwner();

  const std::shared_ptr<SharedCall>& shared_call() const noexcept { return shared_call_; }

 private:
  SharedCalls* shared_calls_;
  std::shared_ptr<SharedCall> shared_call_;
};

}  // namespace sosie::gateway
