#include "gateway/inflight/shared_call.h"

#include <algorithm>

namespace sosie::gateway {
namespace {

constexpr std::size_t kRoom = 256 << 10;  // bytes that a call that is no longer retained may be ahead of its slowest subscriber; none where memory is tight

}  // namespace

SharedCall::~SharedCall() { held_.remove(held_bytes_ + kept_bytes_); }

void SharedCall::push(std::string bytes) {
  if (held_.tight()) drop_read();
  const std::size_t size = bytes.size();
  pieces_.push_back(std::make_shared<const std::string>(std::move(bytes)));
  held_bytes_ += size;
  held_.add(size);
}

void SharedCall::set_embedding(std::shared_ptr<const Embedding> embedding) {
  const std::lock_guard lock(mutex_);
  embedding_ = std::move(embedding);
}

std::shared_ptr<const Embedding> SharedCall::embedding() const {
  const std::lock_guard lock(mutex_);
  return embedding_;
}

void SharedCall::wake(std::vector<Waiter> waiters) {
  for (Waiter& waiter : waiters)
    boost::asio::dispatch(waiter.executor, [event = std::move(waiter.event)] { event->set(); });
}

void SharedCall::start(Head head) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  head_ = std::move(head);
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

void SharedCall::add(std::string bytes) {
  if (bytes.empty()) return;
  std::unique_lock lock(mutex_);
  if (ended_) return;
  push(std::move(bytes));
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

void SharedCall::set_call(std::shared_ptr<Calls::Call> call, bool only_for_subscribers) {
  const std::lock_guard lock(mutex_);
  call_ = std::move(call);
  only_for_subscribers_ = only_for_subscribers;
}

void SharedCall::serve_subscribers_only() {
  const std::lock_guard lock(mutex_);
  only_for_subscribers_ = true;
  note_subscribers();
}

void SharedCall::note_subscribers() {
  if (!call_) return;
  if (only_for_subscribers_ && subscribers_.empty())
    call_->stop();
  else
    call_->set_awaited(!subscribers_.empty());
}

void SharedCall::stop_retaining() {
  std::unique_lock lock(mutex_);
  unretained_ = only_for_subscribers_ = true;
  note_subscribers();
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

std::size_t SharedCall::slowest() const {
  std::size_t least = end_position();
  for (const Subscriber* subscriber : subscribers_)
    if (subscriber->reads_pieces_) least = std::min(least, subscriber->position_);
  return least;
}

void SharedCall::drop_read() {
  for (const std::size_t least = slowest(); first_piece_ < least; ++first_piece_) {
    held_bytes_ -= pieces_.front()->size();
    held_.remove(pieces_.front()->size());
    pieces_.pop_front();
  }
}

net::Task<bool> SharedCall::make_room(boost::asio::any_io_executor executor) {
  const auto has_room = [this] {
    if (subscribers_.empty()) return true;
    drop_read();
    return held_bytes_ == 0 || (held_bytes_ < kRoom && !held_.tight());
  };
  co_await until(std::move(executor), net::SteadyTime::max(), has_room);
  const std::lock_guard lock(mutex_);
  co_return !subscribers_.empty();
}

void SharedCall::complete(std::string last, std::optional<Answered> answered) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  if (!last.empty()) push(std::move(last));
  answered_ = std::move(answered);
  if (answered_ && answered_->kept) {
    kept_bytes_ = answered_->kept->size();
    held_.add(kept_bytes_);
  }
  ended_ = true;
  call_.reset();
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

void SharedCall::fail(net::ClientError failure) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  failure_ = std::move(failure);
  ended_ = true;
  call_.reset();
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

bool SharedCall::has_no_subscribers() const {
  const std::lock_guard lock(mutex_);
  return subscribers_.empty();
}

net::Task<void> SharedCall::without_subscribers(boost::asio::any_io_executor executor, net::SteadyTime deadline) {
  co_await until(std::move(executor), deadline, [this] { return subscribers_.empty(); });
}

std::optional<SharedCall::Answered> SharedCall::answered() const {
  const std::lock_guard lock(mutex_);
  return answered_;
}

SharedCall::Subscriber::Subscriber(std::shared_ptr<SharedCall> shared_call, boost::asio::any_io_executor executor)
    : shared_call_(std::move(shared_call)), executor_(std::move(executor)) {
  const std::lock_guard lock(shared_call_->mutex_);
  position_ = shared_call_->first_piece_;
  from_the_start_ = position_ == 0;
  shared_call_->subscribers_.push_back(this);
  shared_call_->note_subscribers();
}

SharedCall::Subscriber::~Subscriber() {
  try {
    leave();
  } catch (...) {
    // Out of memory: whoever waits for this one to leave does so until its own time is over.
  }
}

void SharedCall::Subscriber::leave() {
  std::unique_lock lock(shared_call_->mutex_);
  if (left_) return;
  left_ = true;
  std::erase(shared_call_->subscribers_, this);
  shared_call_->note_subscribers();
  // This one may wait itself, and who forwards the call for room, or for the last to leave.
  auto waiters = shared_call_->take_waiters();
  lock.unlock();
  shared_call_->wake(std::move(waiters));
}

net::Task<std::optional<SharedCall::Head>> SharedCall::Subscriber::head(net::SteadyTime deadline) {
  SharedCall& shared_call = *shared_call_;
  co_await shared_call.until(executor_, deadline, [this, &shared_call] { return shared_call.head_ || shared_call.ended_ || left_; });
  const std::lock_guard lock(shared_call.mutex_);
  co_return left_ ? std::nullopt : shared_call.head_;
}

net::Task<SharedCall::Subscriber::Next> SharedCall::Subscriber::next(net::SteadyTime deadline) {
  SharedCall& shared_call = *shared_call_;
  const auto ready = [this, &shared_call] { return position_ < shared_call.end_position() || shared_call.ended_ || left_; };
  const bool seen = co_await shared_call.until(executor_, deadline, ready);
  std::unique_lock lock(shared_call.mutex_);
  if (!seen || left_) co_return Next{Seen::late, nullptr};
  if (position_ == shared_call.end_position())
    co_return Next{shared_call.failure_ ? Seen::failed : Seen::end, nullptr};
  auto bytes = shared_call.pieces_[position_++ - shared_call.first_piece_];
  auto waiters = shared_call.unretained_ ? shared_call.take_waiters() : std::vector<Waiter>();
  lock.unlock();
  shared_call.wake(std::move(waiters));
  co_return Next{Seen::piece, std::move(bytes)};
}

net::Task<SharedCall::Subscriber::Seen> SharedCall::Subscriber::end(net::Milliseconds silence) {
  SharedCall& shared_call = *shared_call_;
  for (;;) {
    std::size_t seen = 0;
    {
      const std::lock_guard lock(shared_call.mutex_);
      reads_pieces_ = false;
      if (shared_call.failure_) co_return Seen::failed;
      if (shared_call.ended_) co_return Seen::end;
      if (shared_call.unretained_ || left_) co_return Seen::late;
      seen = shared_call.end_position();
    }
    const auto moved = [this, &shared_call, seen] {
      return shared_call.ended_ || shared_call.unretained_ || left_ || shared_call.end_position() != seen;
    };
    const bool more = co_await shared_call.until(executor_, net::after(silence), moved);
    if (!more) co_return Seen::late;
  }
}

std::optional<net::ClientError> SharedCall::Subscriber::failure() const {
  const std::lock_guard lock(shared_call_->mutex_);
  return shared_call_->failure_;
}

bool SharedCall::Subscriber::unretained() const {
  const std::lock_guard lock(shared_call_->mutex_);
  return shared_call_->unretained_;
}

}  // namespace sosie::gateway
