#include "gateway/flight.h"

#include <algorithm>

namespace sosie::gateway {
namespace {

constexpr std::size_t kRoom = 256 << 10;  // bytes that an endless flight may be ahead of its slowest reader; none where memory is tight

}  // namespace

Flight::~Flight() { held_.remove(held_bytes_ + kept_bytes_); }

void Flight::push(std::string bytes) {
  if (held_.tight()) drop_read();
  const std::size_t size = bytes.size();
  pieces_.push_back(std::make_shared<const std::string>(std::move(bytes)));
  held_bytes_ += size;
  held_.add(size);
}

void Flight::set_embedding(std::shared_ptr<const Embedding> embedding) {
  const std::lock_guard lock(mutex_);
  embedding_ = std::move(embedding);
}

std::shared_ptr<const Embedding> Flight::embedding() const {
  const std::lock_guard lock(mutex_);
  return embedding_;
}

void Flight::wake(std::vector<Waiter> waiters) {
  for (Waiter& waiter : waiters)
    boost::asio::dispatch(waiter.executor, [event = std::move(waiter.event)] { event->set(); });
}

void Flight::start(Head head) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  head_ = std::move(head);
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

void Flight::add(std::string bytes) {
  if (bytes.empty()) return;
  std::unique_lock lock(mutex_);
  if (ended_) return;
  push(std::move(bytes));
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

void Flight::set_call(std::shared_ptr<Calls::Call> call, bool only_for_readers) {
  const std::lock_guard lock(mutex_);
  call_ = std::move(call);
  only_for_readers_ = only_for_readers;
}

void Flight::serve_readers_only() {
  const std::lock_guard lock(mutex_);
  only_for_readers_ = true;
  note_readers();
}

void Flight::note_readers() {
  if (!call_) return;
  if (only_for_readers_ && readers_.empty())
    call_->stop();
  else
    call_->set_awaited(!readers_.empty());
}

void Flight::make_endless() {
  std::unique_lock lock(mutex_);
  endless_ = only_for_readers_ = true;
  note_readers();
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

std::size_t Flight::slowest() const {
  std::size_t least = end_position();
  for (const Reader* reader : readers_)
    if (reader->reads_pieces_) least = std::min(least, reader->position_);
  return least;
}

void Flight::drop_read() {
  for (const std::size_t least = slowest(); first_piece_ < least; ++first_piece_) {
    held_bytes_ -= pieces_.front()->size();
    held_.remove(pieces_.front()->size());
    pieces_.pop_front();
  }
}

net::Task<bool> Flight::make_room(boost::asio::any_io_executor executor) {
  const auto has_room = [this] {
    if (readers_.empty()) return true;
    drop_read();
    return held_bytes_ == 0 || (held_bytes_ < kRoom && !held_.tight());
  };
  co_await until(std::move(executor), net::SteadyTime::max(), has_room);
  const std::lock_guard lock(mutex_);
  co_return !readers_.empty();
}

void Flight::complete(std::string last, std::optional<Answered> answered) {
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

void Flight::fail(net::ClientError failure) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  failure_ = std::move(failure);
  ended_ = true;
  call_.reset();
  auto waiters = take_waiters();
  lock.unlock();
  wake(std::move(waiters));
}

bool Flight::is_alone() const {
  const std::lock_guard lock(mutex_);
  return readers_.empty();
}

net::Task<void> Flight::alone(boost::asio::any_io_executor executor, net::SteadyTime deadline) {
  co_await until(std::move(executor), deadline, [this] { return readers_.empty(); });
}

std::optional<Flight::Answered> Flight::answered() const {
  const std::lock_guard lock(mutex_);
  return answered_;
}

Flight::Reader::Reader(std::shared_ptr<Flight> flight, boost::asio::any_io_executor executor)
    : flight_(std::move(flight)), executor_(std::move(executor)) {
  const std::lock_guard lock(flight_->mutex_);
  position_ = flight_->first_piece_;
  from_the_start_ = position_ == 0;
  flight_->readers_.push_back(this);
  flight_->note_readers();
}

Flight::Reader::~Reader() {
  try {
    leave();
  } catch (...) {
    // Out of memory: whoever waits for this one to leave does so until its own time is over.
  }
}

void Flight::Reader::leave() {
  std::unique_lock lock(flight_->mutex_);
  if (left_) return;
  left_ = true;
  std::erase(flight_->readers_, this);
  flight_->note_readers();
  // This one may wait itself, and the pilot for room, or for the last to leave.
  auto waiters = flight_->take_waiters();
  lock.unlock();
  flight_->wake(std::move(waiters));
}

net::Task<std::optional<Flight::Head>> Flight::Reader::head(net::SteadyTime deadline) {
  Flight& flight = *flight_;
  co_await flight.until(executor_, deadline, [this, &flight] { return flight.head_ || flight.ended_ || left_; });
  const std::lock_guard lock(flight.mutex_);
  co_return left_ ? std::nullopt : flight.head_;
}

net::Task<Flight::Reader::Next> Flight::Reader::next(net::SteadyTime deadline) {
  Flight& flight = *flight_;
  const auto ready = [this, &flight] { return position_ < flight.end_position() || flight.ended_ || left_; };
  const bool seen = co_await flight.until(executor_, deadline, ready);
  std::unique_lock lock(flight.mutex_);
  if (!seen || left_) co_return Next{Seen::late, nullptr};
  if (position_ == flight.end_position())
    co_return Next{flight.failure_ ? Seen::failed : Seen::end, nullptr};
  auto bytes = flight.pieces_[position_++ - flight.first_piece_];
  auto waiters = flight.endless_ ? flight.take_waiters() : std::vector<Waiter>();
  lock.unlock();
  flight.wake(std::move(waiters));
  co_return Next{Seen::piece, std::move(bytes)};
}

net::Task<Flight::Reader::Seen> Flight::Reader::end(net::Milliseconds silence) {
  Flight& flight = *flight_;
  for (;;) {
    std::size_t seen = 0;
    {
      const std::lock_guard lock(flight.mutex_);
      reads_pieces_ = false;
      if (flight.failure_) co_return Seen::failed;
      if (flight.ended_) co_return Seen::end;
      if (flight.endless_ || left_) co_return Seen::late;
      seen = flight.end_position();
    }
    const auto moved = [this, &flight, seen] {
      return flight.ended_ || flight.endless_ || left_ || flight.end_position() != seen;
    };
    const bool more = co_await flight.until(executor_, net::after(silence), moved);
    if (!more) co_return Seen::late;
  }
}

std::optional<net::ClientError> Flight::Reader::failure() const {
  const std::lock_guard lock(flight_->mutex_);
  return flight_->failure_;
}

bool Flight::Reader::endless() const {
  const std::lock_guard lock(flight_->mutex_);
  return flight_->endless_;
}

}  // namespace sosie::gateway
