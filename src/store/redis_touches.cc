#include "store/redis_touches.h"

namespace sosie::store {

void RedisTouches::add(std::string_view id, std::int64_t now_ms) {
  std::lock_guard lock(mutex_);
  if (pending_.size() < kMostPending) pending_.push_back({std::string(id), now_ms});
}

bool RedisTouches::any() const {
  std::lock_guard lock(mutex_);
  return !pending_.empty();
}

std::vector<std::string> RedisTouches::take() {
  std::vector<std::string> taken;
  std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < kMostAtOnce && !pending_.empty(); ++i) {
    taken.push_back(std::move(pending_.front().id));
    taken.push_back(std::to_string(pending_.front().at_ms));
    pending_.pop_front();
  }
  return taken;
}

}  // namespace sosie::store
