#include "gateway/decisions.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "gateway/request_ids.h"

namespace sosie::gateway {
namespace {

using protocol::ScopePart;

constexpr std::size_t kPromptsOfScope = 4;

struct Slot {
  std::uint32_t number = 0;
  bool used = false;
  Decision decision;
};

std::uint64_t hash_of(std::string_view text) noexcept { return std::hash<std::string_view>()(text); }

/// A scope in which something was stored: what it is made of, and its last prompts.
struct Stored {
  struct Prompt {
    std::uint64_t hash = 0;
    std::string entry_id;
  };
  std::uint64_t scope = 0;  // Its hash; good enough for an explanation.
  std::shared_ptr<const ScopeParts> parts;
  std::vector<Prompt> prompts;  // The latest last.
};

struct TenantScopes {
  base::Digest tenant;
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

struct Decisions::Impl {
  RequestIds ids;

  mutable std::mutex ring_mutex;
  // Hits come by the ten thousands a second, and what is asked about is mostly the rest.
  std::vector<Slot> hits{kDecisions}, others{kDecisions};

  mutable std::mutex scopes_mutex;
  std::list<TenantScopes> tenants;  // The latest first.
  std::unordered_map<base::Digest, std::list<TenantScopes>::iterator, DigestHash> by_tenant;

  TenantScopes& scopes_of(const base::Digest& tenant) {
    if (const auto known = by_tenant.find(tenant); known != by_tenant.end()) {
      tenants.splice(tenants.begin(), tenants, known->second);
      return tenants.front();
    }
    tenants.push_front({tenant, {}});
    by_tenant.emplace(tenant, tenants.begin());
    if (tenants.size() > kTenants) {
      by_tenant.erase(tenants.back().tenant);
      tenants.pop_back();
    }
    return tenants.front();
  }
};

Decisions::Decisions() : impl_(std::make_shared<Impl>()) {}

std::string Decisions::new_id() { return impl_->ids.next(); }

void Decisions::record(std::string_view id, Decision decision) {
  const auto number = impl_->ids.number_of(id);
  if (!number) return;
  const std::lock_guard lock(impl_->ring_mutex);
  Slot& slot = (decision.outcome.fate == Fate::hit ? impl_->hits : impl_->others)[*number % kDecisions];
  slot.number = *number;
  slot.used = true;
  std::swap(slot.decision, decision);  // What was there dies with the argument, behind the lock.
}

std::optional<Decision> Decisions::find(std::string_view id, const base::Digest& tenant) const {
  const auto number = impl_->ids.number_of(id);
  if (!number) return std::nullopt;
  const std::lock_guard lock(impl_->ring_mutex);
  for (const std::vector<Slot>* ring : {&impl_->others, &impl_->hits}) {
    const Slot& slot = (*ring)[*number % kDecisions];
    if (slot.used && slot.number == *number && slot.decision.tenant == tenant) return slot.decision;
  }
  return std::nullopt;
}

void Decisions::note_scope(const base::Digest& tenant, const std::string& scope, const std::string& entry_id,
                           std::string_view prompt, std::shared_ptr<const ScopeParts> parts) {
  if (parts == nullptr) return;
  const std::uint64_t scope_hash = hash_of(scope), prompt_hash = hash_of(prompt);
  const std::lock_guard lock(impl_->scopes_mutex);
  std::list<Stored>& scopes = impl_->scopes_of(tenant).scopes;
  const auto known =
      std::find_if(scopes.begin(), scopes.end(), [&](const Stored& each) { return each.scope == scope_hash; });
  if (known != scopes.end())
    scopes.splice(scopes.begin(), scopes, known);
  else
    scopes.push_front({scope_hash, std::move(parts), {}});
  if (scopes.size() > kScopes) scopes.pop_back();
  std::vector<Stored::Prompt>& prompts = scopes.front().prompts;
  std::erase_if(prompts, [&](const Stored::Prompt& each) { return each.hash == prompt_hash; });
  if (prompts.size() == kPromptsOfScope) prompts.erase(prompts.begin());
  prompts.push_back({prompt_hash, entry_id});
}

std::optional<Decisions::Closest> Decisions::closest_scope(const Decision& decision) const {
  if (decision.parts == nullptr) return std::nullopt;
  const std::uint64_t scope_hash = hash_of(decision.scope), prompt_hash = hash_of(decision.prompt);
  const std::lock_guard lock(impl_->scopes_mutex);
  const auto tenant = impl_->by_tenant.find(decision.tenant);
  if (tenant == impl_->by_tenant.end()) return std::nullopt;
  const Stored* best = nullptr;
  std::pair<bool, std::size_t> best_rank{};
  Closest closest;
  for (const Stored& each : tenant->second->scopes) {
    if (each.scope == scope_hash) continue;
    const auto same = std::find_if(each.prompts.begin(), each.prompts.end(), [&](const Stored::Prompt& prompt) {
      return !decision.prompt.empty() && prompt.hash == prompt_hash;
    });
    std::pair<bool, std::size_t> rank{same == each.prompts.end(), 0};
    for_each_difference(*each.parts, *decision.parts, [&](const ScopePart*, const ScopePart*) { ++rank.second; });
    if (best != nullptr && !(rank < best_rank)) continue;
    best = &each;
    best_rank = rank;
    closest.same_prompt = !rank.first;
    closest.entry_id = closest.same_prompt ? same->entry_id : each.prompts.back().entry_id;
  }
  if (best == nullptr) return std::nullopt;
  closest.differing = differences(*best->parts, *decision.parts);
  return closest;
}

}  // namespace sosie::gateway
