#include "gateway/inflight/shared_calls.h"

#include <algorithm>

namespace sosie::gateway {

std::optional<SharedCalls::Match> SharedCalls::find_locked(std::string_view scope, std::string_view prompt, const Near& near,
                                                   const std::vector<std::shared_ptr<SharedCall>>& tried) const {
  const auto found = by_scope_.find(scope);
  if (found == by_scope_.end()) return std::nullopt;
  std::optional<Match> nearest;
  for (auto shared_call = found->second.rbegin(); shared_call != found->second.rend(); ++shared_call) {
    if (std::find(tried.begin(), tried.end(), *shared_call) != tried.end()) continue;
    if ((*shared_call)->asked().prompt == prompt) return Match{*shared_call, true, {1}};
    if (!near || (*shared_call)->asked().reuse != decide::Reuse::by_meaning) continue;
    const auto embedding = (*shared_call)->embedding();
    if (!embedding) continue;
    const auto similarity = near(*embedding);
    if (similarity && (!nearest || nearest->similarity < *similarity)) nearest = Match{*shared_call, false, *similarity};
  }
  return nearest;
}

std::optional<SharedCalls::Match> SharedCalls::find(std::string_view scope, std::string_view prompt, const Near& near,
                                            const std::vector<std::shared_ptr<SharedCall>>& tried) const {
  const std::lock_guard lock(mutex_);
  return find_locked(scope, prompt, near, tried);
}

std::optional<SharedCalls::Match> SharedCalls::find_or_add(const std::shared_ptr<SharedCall>& mine, const Near& near,
                                                   const std::vector<std::shared_ptr<SharedCall>>& tried) {
  const std::lock_guard lock(mutex_);
  auto match = find_locked(mine->asked().scope, mine->asked().prompt, near, tried);
  if (match) return match;
  by_scope_[mine->asked().scope].push_back(mine);
  ++count_;
  return std::nullopt;
}

void SharedCalls::add(const std::shared_ptr<SharedCall>& shared_call) {
  const std::lock_guard lock(mutex_);
  by_scope_[shared_call->asked().scope].push_back(shared_call);
  ++count_;
}

void SharedCalls::remove(const std::shared_ptr<SharedCall>& shared_call) {
  const std::lock_guard lock(mutex_);
  const auto found = by_scope_.find(shared_call->asked().scope);
  if (found == by_scope_.end()) return;
  count_ -= std::erase(found->second, shared_call);
  if (found->second.empty()) by_scope_.erase(found);
}

bool SharedCalls::has_finished(std::string_view scope, std::string_view prompt) const {
  if (count_.load(std::memory_order_relaxed) == 0) return false;
  const auto match = find(scope, prompt, {}, {});
  return match && match->shared_call->answered();
}

std::vector<std::shared_ptr<SharedCall>> SharedCalls::unembedded(std::string_view scope) const {
  std::vector<std::shared_ptr<SharedCall>> shared_calls;
  const std::lock_guard lock(mutex_);
  const auto found = by_scope_.find(scope);
  if (found == by_scope_.end()) return shared_calls;
  for (auto each = found->second.rbegin(); each != found->second.rend() && shared_calls.size() < kMostUnembedded; ++each)
    if ((*each)->asked().reuse == decide::Reuse::by_meaning && !(*each)->embedding()) shared_calls.push_back(*each);
  return shared_calls;
}

bool SharedCalls::any(std::string_view scope) const {
  const std::lock_guard lock(mutex_);
  return by_scope_.contains(scope);
}

SharedCallOwner::~SharedCallOwner() {
  if (!shared_call_) return;
  try {
    shared_calls_->remove(shared_call_);
    shared_call_->fail({net::ClientFailure::cut, {ErrorCode::internal, "the call ended before its answer did"}});
  } catch (...) {
    // Out of memory even for this: the others wait until their own time is over.
  }
}

}  // namespace sosie::gateway
