#include "store/store_writer.h"

#include <string>
#include <utility>
#include <vector>

namespace sosie::store {
namespace {

// One commit takes at most so much, to bound how long its first writer waits.
constexpr std::size_t kMostWritesPerCommit = 256;
constexpr std::uint64_t kMostBytesPerCommit = std::uint64_t{16} << 20;
// Chores that a commit does on the side.
constexpr std::size_t kExpiredPerCommit = 32;
constexpr std::size_t kUsagesPerCommit = 64;

}  // namespace

// A task that looks at every entry must see every earlier write, and is committed alone.
bool StoreWriter::Write::alone() const { return !std::holds_alternative<Put>(task) && !std::holds_alternative<Erase>(task); }

std::uint64_t StoreWriter::Write::bytes() const {
  const Put* put = std::get_if<Put>(&task);
  return put != nullptr ? put->bytes : 0;
}

Result<std::uint64_t> StoreWriter::submit(Task task) {
  Write write{std::move(task)};
  queue_.submit(
      write, [this](std::span<Write* const> batch, const Write& next) { return joins(batch, next); },
      [this](std::span<Write* const> batch) { commit(batch); });
  return std::move(write.result);
}

bool StoreWriter::joins(std::span<Write* const> batch, const Write& next) const {
  if (next.alone() || batch.front()->alone() || batch.size() >= kMostWritesPerCommit) return false;
  std::uint64_t bytes = next.bytes();
  for (const Write* write : batch) bytes += write->bytes();
  // Together the new entries must fit under the bound, so that eviction never needs to look among them.
  return bytes <= kMostBytesPerCommit && (max_bytes_ == 0 || bytes <= max_bytes_);
}

void StoreWriter::commit(std::span<Write* const> batch) {
  std::lock_guard busy(commit_mutex_);
  auto done = attempt(batch);
  if (done) return;
  if (batch.size() == 1) {
    batch.front()->result = std::move(done).error();
    return;
  }
  // One bad write must not fail its neighbours.
  for (Write* write : batch) {
    if (auto single = attempt({&write, 1}); !single) write->result = std::move(single).error();
  }
}

Result<void> StoreWriter::attempt(std::span<Write* const> batch) {
  Transaction transaction(table_, residents_, texts_);
  if (auto begun = transaction.begin(); !begun) return begun;
  std::uint64_t stored = 0, erased = 0, expired = 0, evicted = 0;
  bool thorough = false;
  for (Write* write : batch) {
    write->result = std::uint64_t{0};
    if (auto performed = perform(*write, transaction); !performed) return performed;
    if (!write->result) continue;  // Refused by a rule; the others go on.
    if (std::holds_alternative<Put>(write->task)) ++stored;
    if (std::holds_alternative<Sweep>(write->task)) expired += *write->result;
    if (std::holds_alternative<Erase>(write->task) || std::holds_alternative<EraseAll>(write->task)) erased += *write->result;
    thorough |= std::holds_alternative<Sweep>(write->task) || std::holds_alternative<Settle>(write->task);
  }
  auto swept = expire(transaction, last_now_ms_.load(std::memory_order_relaxed), kExpiredPerCommit);
  if (!swept) return std::move(swept).error();
  expired += *swept;
  double clock = 0;
  auto removed = evict(transaction, clock);
  if (!removed) return std::move(removed).error();
  evicted += *removed;

  const std::vector<Record*> touched = residents_.take_touched(thorough ? SIZE_MAX : kUsagesPerCommit);
  Result<void> done;
  for (Record* record : touched) {
    if (done) done = transaction.save_usage(*record);
  }
  if (done) done = transaction.commit();
  if (!done) {
    residents_.give_back_touched(touched);
    return done;
  }
  residents_.age(clock);
  counters_.stored += stored;
  counters_.erased += erased;
  counters_.expired += expired;
  counters_.evicted += evicted;
  return {};
}

Result<void> StoreWriter::perform(Write& write, Transaction& transaction) {
  if (Put* put = std::get_if<Put>(&write.task)) {
    const auto dimension = transaction.dimension(put->keys.partition);
    if (dimension && !put->entry->exact_only && *dimension != put->keys.vector.size()) {
      write.result = Error{ErrorCode::invalid_argument, "the vector has " + std::to_string(put->keys.vector.size()) +
                                                            " dimensions, the others beside it have " + std::to_string(*dimension)};
      return {};
    }
    return transaction.put(next_row_++, put->id, put->entry, put->keys);
  }
  if (const Erase* erase = std::get_if<Erase>(&write.task)) {
    auto removed = transaction.remove(erase->id);
    if (!removed) return std::move(removed).error();
    write.result = std::uint64_t{*removed};
    return {};
  }
  if (const EraseAll* all = std::get_if<EraseAll>(&write.task)) {
    if (!all->matches) {
      write.result = residents_.size();
      return transaction.remove_all();
    }
    std::uint64_t count = 0;
    Result<void> done;
    residents_.for_each([&](Record* record) {
      if (!done || !all->matches(*record)) return;
      ++count;
      if (auto removed = transaction.remove(record->id); !removed) done = std::move(removed).error();
    });
    write.result = count;
    return done;
  }
  if (const Sweep* sweep = std::get_if<Sweep>(&write.task)) {
    auto removed = expire(transaction, sweep->now_ms, SIZE_MAX);
    if (!removed) return std::move(removed).error();
    write.result = *removed;
  }
  return {};
}

Result<std::uint64_t> StoreWriter::expire(Transaction& transaction, std::int64_t now_ms, std::size_t limit) {
  std::uint64_t count = 0;
  Result<void> done;
  residents_.for_expired(now_ms, [&](Record* record) {
    if (count >= limit) return false;
    if (transaction.changes(record->id)) return true;  // This very transaction has replaced or removed it.
    auto removed = transaction.remove(record->id);
    if (!removed) done = std::move(removed).error();
    ++count;
    return done.has_value();
  });
  if (!done) return std::move(done).error();
  return count;
}

Result<std::uint64_t> StoreWriter::evict(Transaction& transaction, double& clock) {
  std::uint64_t count = 0;
  Result<void> done;
  if (max_bytes_ == 0 || transaction.bytes_after() <= max_bytes_) return count;
  residents_.for_least_valuable([&](Record* record) {
    if (transaction.changes(record->id)) return true;
    clock = record->queued_priority;
    auto removed = transaction.remove(record->id);
    if (!removed) done = std::move(removed).error();
    ++count;
    return done.has_value() && transaction.bytes_after() > max_bytes_;
  });
  if (!done) return std::move(done).error();
  return count;
}

}  // namespace sosie::store
