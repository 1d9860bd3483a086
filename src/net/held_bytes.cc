#include "net/held_bytes.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

namespace sosie::net {

void HeldBytes::add(std::size_t bytes) {
  if (count_.fetch_add(bytes, std::memory_order_relaxed) + bytes > limit_) end_slowest();
}

Task<bool> HeldBytes::room(boost::asio::any_io_executor executor, SteadyTime deadline) {
  constexpr Milliseconds kLook{2};
  boost::asio::steady_timer timer(executor);
  while (full()) {
    if (std::chrono::steady_clock::now() >= deadline) co_return false;
    timer.expires_after(kLook);
    co_await timer.async_wait(as_values);
  }
  co_return true;
}

void HeldBytes::end_slowest() {
  const std::lock_guard lock(mutex_);
  if (ending_ || waiting_.empty() || !full()) return;
  ending_ = true;
  ended_.fetch_add(1, std::memory_order_relaxed);
  Waiting::Client& slowest = *waiting_.front();
  slowest.ending = true;
  boost::asio::post(slowest.executor, [client = std::weak_ptr(waiting_.front())] {
    if (const auto there = client.lock()) there->end();
  });
}

HeldBytes::Waiting::Waiting(HeldBytes& held, std::size_t bytes, boost::asio::any_io_executor executor, std::function<void()> end)
    : held_(held), bytes_(bytes) {
  {
    const std::lock_guard lock(held_.mutex_);
    place_ = held_.waiting_.insert(held_.waiting_.end(), std::make_shared<Client>(Client{std::move(executor), std::move(end)}));
  }
  held_.add(bytes_);
}

HeldBytes::Waiting::~Waiting() {
  std::shared_ptr<Client> client;
  {
    const std::lock_guard lock(held_.mutex_);
    client = std::move(*place_);
    held_.waiting_.erase(place_);
  }
  held_.remove(bytes_);
  if (!client->ending) return;
  // Behind what is running now: it lets go of what else was held for this client.
  boost::asio::post(client->executor, [&held = held_] {
    {
      const std::lock_guard lock(held.mutex_);
      held.ending_ = false;
    }
    held.end_slowest();
  });
}

void HeldBytes::Waiting::took() {
  const std::lock_guard lock(held_.mutex_);
  held_.waiting_.splice(held_.waiting_.end(), held_.waiting_, place_);
}

}  // namespace sosie::net
