#include "gateway/observe/decision_log.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "gateway/observe/request_ids.h"

namespace sosie::gateway {
namespace {

using protocol::ScopePart;

constexpr std::size_t kPromptsOfScope = 4;

std::uint64_t bytes_of(const ScopeParts& parts) {
  std::uint64_t bytes = 0;
  for (const ScopePart& part : parts) bytes += sizeof part + part.name.capacity() + part.shown.capacity();
  return bytes;
}

std::uint64_t bytes_of(const Decision& decision) {
  std::uint64_t bytes = sizeof decision + decision.scope.capacity() + decision.prompt.capacity() + decision.outcome.entry_id.capacity();
  if (decision.parts != nullptr) bytes += bytes_of(*decision.parts);
  for (const std::string& each : decision.not_obeyed) bytes += sizeof each + each.capacity();
  return bytes;
}

/// The last decisions, in the order they were recorded: kDecisions, or as many as fit into a number of bytes.
class Ring {
 public:
  explicit Ring(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  /// `decision` is then what stood in its place, for the caller to free.
  void add(std::uint32_t number, Decision& decision) {
    const std::uint64_t bytes = bytes_of(decision);
    if (count_ == decisions_.size()) pass_oldest();
    while (count_ > 0 && bytes_ + bytes > max_bytes_) {
      decisions_[first_] = {};
      pass_oldest();
    }
    const std::size_t at = (first_ + count_++) % decisions_.size();
    numbers_[at] = number;
    sizes_[at] = bytes;
    bytes_ += bytes;
    std::swap(decisions_[at], decision);
  }

  /// Null: it is not there.
  const Decision* find(std::uint32_t number) const {
    for (std::size_t i = count_; i-- > 0;) {
      const std::size_t at = (first_ + i) % decisions_.size();
      if (numbers_[at] == number) return &decisions_[at];
    }
    return nullptr;
  }

  Decision* find(std::uint32_t number) { return const_cast<Decision*>(std::as_const(*this).find(number)); }

  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  void pass_oldest() {
    bytes_ -= sizes_[first_];
    first_ = (first_ + 1) % decisions_.size();
    --count_;
  }

  const std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
  std::size_t first_ = 0, count_ = 0;
  // Numbers stand by themselves: who looks for one reads nothing else.
  std::vector<std::uint32_t> numbers_ = std::vector<std::uint32_t>(DecisionLog::kDecisions);
  std::vector<std::uint64_t> sizes_ = std::vector<std::uint64_t>(DecisionLog::kDecisions);
  std::vector<Decision> decisions_ = std::vector<Decision>(DecisionLog::kDecisions);
};

std::uint64_t hash_of(std::string_view text) noexcept { return std::hash<std::string_view>()(text); }

/// A scope in which something was stored: what it is made of, and its last prompts.
struct Stored {
  struct Prompt {
    std::uint64_t hash = 0;
    std::string entry_id;
    TimePoint time;
  };
  std::uint64_t scope = 0;  // Its hash; good enough for an explanation.
  std::shared_ptr<const ScopeParts> parts;
  std::vector<Prompt> prompts;  // The latest last.

  std::uint64_t bytes() const { return sizeof *this + bytes_of(*parts) + kPromptsOfScope * (sizeof(Prompt) + 32); }
};

struct CallerScopes {
  base::Digest caller;
  std::list<Stored> scopes;  // The latest first.
};

struct DigestHash {
  // A digest's bytes are as good as any hash of them.
  std::size_t operator()(const base::Digest& digest) const noexcept {
    std::size_t hash = 0;
    std::memcpy(&hash, digest.data(), sizeof hash);
    return hash;
  }
};

std::string difference(const ScopePart* there, const ScopePart* here) {
  const auto shown = [](const ScopePart* part) { return part == nullptr ? std::string("not given") : part->shown; };
  std::string text = (there != nullptr ? there : here)->name;
  if ((there != nullptr && there->shown.empty()) || (here != nullptr && here->shown.empty())) return text;
  return text.append(" (").append(shown(there)).append(" there, ").append(shown(here)).append(" here)");
}

/// Calls `visit` with what stands on one side only, or on both with different bytes; null for the side that lacks it.
template <class Visit>
void for_each_difference(const ScopeParts& there, const ScopeParts& here, Visit visit) {
  auto a = there.begin();
  auto b = here.begin();
  while (a != there.end() || b != here.end()) {
    const int order = a == there.end() ? 1 : b == here.end() ? -1 : a->name.compare(b->name);
    if (order < 0) {
      visit(&*a++, nullptr);
    } else if (order > 0) {
      visit(nullptr, &*b++);
    } else {
      if (a->hash != b->hash) visit(&*a, &*b);
      ++a;
      ++b;
    }
  }
}

}  // namespace

std::vector<std::string> differences(const ScopeParts& there, const ScopeParts& here) {
  std::vector<std::string> found;
  for_each_difference(there, here, [&](const ScopePart* a, const ScopePart* b) { found.push_back(difference(a, b)); });
  return found;
}

struct DecisionLog::Impl {
  RequestIds ids;

  mutable std::mutex ring_mutex;
  // Hits come by the ten thousands a second, and what is asked about is mostly the rest.
  Ring hits{kHitBytes}, others{kOtherBytes};

  mutable std::mutex scopes_mutex;
  std::list<CallerScopes> callers;  // The latest first.
  std::unordered_map<base::Digest, std::list<CallerScopes>::iterator, DigestHash> by_caller;
  std::uint64_t scope_bytes = 0;

  std::list<Stored>& scopes_of(const base::Digest& caller) {
    if (const auto known = by_caller.find(caller); known != by_caller.end()) {
      callers.splice(callers.begin(), callers, known->second);
    } else {
      callers.push_front({caller, {}});
      by_caller.emplace(caller, callers.begin());
    }
    return callers.front().scopes;
  }

  void drop_oldest_scope(std::list<Stored>& scopes) {
    scope_bytes -= scopes.back().bytes();
    scopes.pop_back();
  }

  /// Whoever has been silent longest loses first. The scope noted last stays.
  void keep_bounds() {
    if (callers.front().scopes.size() > kScopes) drop_oldest_scope(callers.front().scopes);
    while (callers.size() > kCallers || scope_bytes > kScopeBytes) {
      drop_oldest_scope(callers.back().scopes);
      if (!callers.back().scopes.empty()) continue;
      by_caller.erase(callers.back().caller);
      callers.pop_back();
    }
  }
};

DecisionLog::DecisionLog() : impl_(std::make_shared<Impl>()) {}

std::string DecisionLog::new_id() { return impl_->ids.next(); }

void DecisionLog::record(std::string_view id, Decision decision) {
  const auto number = impl_->ids.number_of(id);
  if (!number) return;
  const std::lock_guard lock(impl_->ring_mutex);
  (decision.outcome.cache_status == CacheStatus::hit ? impl_->hits : impl_->others).add(*number, decision);  // What was there dies behind the lock.
}

void DecisionLog::note_storing(std::string_view id, Storing storing) {
  const auto number = impl_->ids.number_of(id);
  if (!number) return;
  const std::lock_guard lock(impl_->ring_mutex);
  if (Decision* decision = impl_->others.find(*number)) decision->outcome.storing = std::move(storing);
}

std::optional<Decision> DecisionLog::find(std::string_view id, const base::Digest& caller) const {
  const auto number = impl_->ids.number_of(id);
  if (!number) return std::nullopt;
  const std::lock_guard lock(impl_->ring_mutex);
  for (const Ring* ring : {&impl_->others, &impl_->hits}) {
    const Decision* found = ring->find(*number);
    if (found != nullptr && found->caller == caller) return *found;
  }
  return std::nullopt;
}

void DecisionLog::note_scope(const base::Digest& caller, const std::string& scope, const std::string& entry_id, std::string_view prompt,
                           TimePoint time, std::shared_ptr<const ScopeParts> parts) {
  if (parts == nullptr) return;
  const std::uint64_t scope_hash = hash_of(scope), prompt_hash = hash_of(prompt);
  const std::lock_guard lock(impl_->scopes_mutex);
  std::list<Stored>& scopes = impl_->scopes_of(caller);
  const auto known =
      std::find_if(scopes.begin(), scopes.end(), [&](const Stored& each) { return each.scope == scope_hash; });
  if (known != scopes.end()) {
    scopes.splice(scopes.begin(), scopes, known);
  } else {
    scopes.push_front({scope_hash, std::move(parts), {}});
    impl_->scope_bytes += scopes.front().bytes();
  }
  std::vector<Stored::Prompt>& prompts = scopes.front().prompts;
  if (const auto same = std::find_if(prompts.begin(), prompts.end(), [&](const auto& each) { return each.hash == prompt_hash; });
      same != prompts.end()) {
    time = std::min(time, same->time);  // It was there before, if with another answer.
    prompts.erase(same);
  }
  if (prompts.size() == kPromptsOfScope) prompts.erase(prompts.begin());
  prompts.push_back({prompt_hash, entry_id, time});
  impl_->keep_bounds();
}

std::uint64_t DecisionLog::bytes() const {
  const std::scoped_lock lock(impl_->ring_mutex, impl_->scopes_mutex);
  return impl_->hits.bytes() + impl_->others.bytes() + impl_->scope_bytes;
}

std::optional<DecisionLog::Closest> DecisionLog::closest_scope(const Decision& decision) const {
  if (decision.parts == nullptr) return std::nullopt;
  const std::uint64_t scope_hash = hash_of(decision.scope), prompt_hash = hash_of(decision.prompt);
  const std::lock_guard lock(impl_->scopes_mutex);
  const auto caller = impl_->by_caller.find(decision.caller);
  if (caller == impl_->by_caller.end()) return std::nullopt;
  const auto was_there = [&decision](const Stored::Prompt& prompt) { return prompt.time <= decision.time; };
  const Stored* best = nullptr;
  std::pair<bool, std::size_t> best_rank{};
  Closest closest;
  for (const Stored& each : caller->second->scopes) {
    if (each.scope == scope_hash) continue;
    const auto latest = std::find_if(each.prompts.rbegin(), each.prompts.rend(), was_there);
    if (latest == each.prompts.rend()) continue;
    const auto same = std::find_if(each.prompts.begin(), each.prompts.end(), [&](const Stored::Prompt& prompt) {
      return !decision.prompt.empty() && prompt.hash == prompt_hash && was_there(prompt);
    });
    std::pair<bool, std::size_t> rank{same == each.prompts.end(), 0};
    for_each_difference(*each.parts, *decision.parts, [&](const ScopePart*, const ScopePart*) { ++rank.second; });
    if (best != nullptr && !(rank < best_rank)) continue;
    best = &each;
    best_rank = rank;
    closest.same_prompt = !rank.first;
    closest.entry_id = closest.same_prompt ? same->entry_id : latest->entry_id;
  }
  if (best == nullptr) return std::nullopt;
  closest.differing = differences(*best->parts, *decision.parts);
  return closest;
}

}  // namespace sosie::gateway
