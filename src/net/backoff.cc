#include "net/backoff.h"

#include <algorithm>
#include <utility>

namespace sosie::net {

Backoff::Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest, std::uint32_t seed)
    : first_(first), longest_(longest), random_(seed) {}

bool Backoff::allows(Time now) {
  std::lock_guard lock(mutex_);
  if (failures_ == 0) return true;
  if (now < until_) return false;
  trying_ = true;
  until_ = now + longest_;  // the others wait for this one, but not for ever: it may never tell
  return true;
}

void Backoff::failed(Time now) {
  std::lock_guard lock(mutex_);
  // Callers that failed together count once.
  if (failures_ > 0 && !trying_ && now < until_) return;
  trying_ = false;
  ++failures_;
  auto pause = first_;
  for (unsigned i = 1; i < failures_ && pause < longest_; ++i) pause *= 2;
  pause = std::min(pause, longest_);
  until_ = now + std::chrono::milliseconds(
                     std::uniform_int_distribution<std::int64_t>(pause.count() / 2, pause.count())(random_));
}

void Backoff::succeeded() {
  std::lock_guard lock(mutex_);
  failures_ = 0;
  trying_ = false;
}

void Backoff::abandoned(Time now) {
  std::lock_guard lock(mutex_);
  if (!std::exchange(trying_, false)) return;
  until_ = now;
}

std::chrono::milliseconds Backoff::wait(Time now) {
  std::lock_guard lock(mutex_);
  if (failures_ == 0 || now >= until_) return std::chrono::milliseconds{0};
  return std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
}

}  // namespace sosie::net
