#include "gateway/upstream/calls.h"

#include <boost/asio/post.hpp>
#include <utility>

namespace sosie::gateway {

Calls::Call::Call(Calls& calls, boost::asio::any_io_executor executor) : calls_(calls), executor_(std::move(executor)) {}

Calls::Call::~Call() {
  const std::lock_guard lock(calls_.mutex_);
  if (unawaited_) calls_.unawaited_.erase(place_);
  if (counted_) --calls_.count_;
}

void Calls::Call::stop() {
  boost::asio::post(executor_, [stop = stop_]() mutable { stop.request_stop(); });
}

void Calls::Call::set_awaited(bool awaited) {
  const std::lock_guard lock(calls_.mutex_);
  if (awaited == !unawaited_ || !counted_) return;
  unawaited_ = !awaited;
  if (awaited)
    calls_.unawaited_.erase(place_);
  else
    place_ = calls_.unawaited_.insert(calls_.unawaited_.end(), this);
}

std::shared_ptr<Calls::Call> Calls::begin(boost::asio::any_io_executor executor) {
  auto call = std::make_shared<Call>(*this, std::move(executor));
  const std::lock_guard lock(mutex_);
  if (count_ >= most_) {
    if (unawaited_.empty()) return nullptr;
    Call& stopped = *unawaited_.front();
    stopped.stop();
    unawaited_.pop_front();
    stopped.unawaited_ = stopped.counted_ = false;
    --count_;
  }
  ++count_;
  call->counted_ = true;
  return call;
}

std::size_t Calls::count() const {
  const std::lock_guard lock(mutex_);
  return count_;
}

}  // namespace sosie::gateway
