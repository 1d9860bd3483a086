// bulk_quota.h: how many large requests to the encoder a tenant may have at work.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "base/digest.h"

namespace sosie::gateway {

/// Thread-safety: safe. Outlives its places.
class BulkQuota {
 public:
  static constexpr std::size_t kMostOfATenant = 4;

  /// One request at work, until it goes.
  class Place {
   public:
    Place(BulkQuota& quota, const base::Digest& tenant) : quota_(&quota), tenant_(tenant) {}
    Place(Place&& other) noexcept : quota_(std::exchange(other.quota_, nullptr)), tenant_(other.tenant_) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (quota_ != nullptr) quota_->give_back(tenant_);
    }

   private:
    BulkQuota* quota_;
    base::Digest tenant_;
  };

  /// Unset: the tenant has as many as it may.
  std::optional<Place> take(const base::Digest& tenant) {
    const std::lock_guard lock(mutex_);
    std::size_t& count = taken_[tenant];
    if (count >= kMostOfATenant) return std::nullopt;
    ++count;
    return std::optional<Place>(std::in_place, *this, tenant);
  }

 private:
  void give_back(const base::Digest& tenant) {
    const std::lock_guard lock(mutex_);
    const auto found = taken_.find(tenant);
    if (--found->second == 0) taken_.erase(found);
  }

  std::mutex mutex_;
  std::map<base::Digest, std::size_t> taken_;  // none is 0
};

}  // namespace sosie::gateway
