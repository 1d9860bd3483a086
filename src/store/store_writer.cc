#include "store/store_writer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/fenced.h"
#include "store/finite.h"

namespace sosie::store {
namespace {

// One commit takes at most so much, to bound how long its first writer waits.
constexpr std::size_t kMostWritesPerCommit = 256;
constexpr std::uint64_t kMostBytesPerCommit = std::uint64_t{16} << 20;
// On a full disk, where the log of a commit has little room.
constexpr std::size_t kMostRemovedOnFullDisk = 64;
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
  const auto done = base::fenced([&] { commit_each(batch); });
  if (done) return;
  for (Write* write : batch) write->result = done.error();
}

void StoreWriter::commit_each(std::span<Write* const> batch) {
  std::lock_guard busy(commit_mutex_);
  auto done = attempt_and_mend(batch);
  if (done) return;
  // One bad write must not fail its neighbours.
  for (Write* write : batch) {
    if (batch.size() > 1) done = attempt_and_mend({&write, 1});
    if (!done && done.error().code == ErrorCode::resource_exhausted && remedies_ != nullptr && write->makes_room()) {
      done = remove_on_full_disk(*write);
    }
    if (!done) write->result = std::move(done).error();
  }
}

Result<void> StoreWriter::attempt_and_mend(std::span<Write* const> batch) {
  auto done = attempt(batch);
  if (done || remedies_ == nullptr) return done;
  const auto next_row = remedies_->mend(done.error(), next_row_);
  if (!next_row) return done;
  next_row_ = *next_row;
  return attempt(batch);
}

Result<void> StoreWriter::remove_on_full_disk(Write& write) {
  Write* const one = &write;
  remedies_->make_room();
  auto done = attempt({&one, 1}, false);
  const EraseAll* all = std::get_if<EraseAll>(&write.task);
  const bool is_all = all != nullptr && !all->matches;
  if (!done && !is_all && !std::holds_alternative<Erase>(write.task)) done = remove_bit_by_bit(write);
  if (!done && is_all) {
    const std::uint64_t count = residents_.size();
    if (remedies_->begin_anew()) {
      write.result = count;
      counters_.erased += count;
      done = {};
    }
  }
  remedies_->keep_room();
  return done;
}

// The log of each commit takes the place of the last one's. What is removed before a failure stays so.
Result<void> StoreWriter::remove_bit_by_bit(Write& write) {
  std::vector<index::RowId> ids;
  const Sweep* sweep = std::get_if<Sweep>(&write.task);
  if (const EraseAll* all = std::get_if<EraseAll>(&write.task)) {
    residents_.for_each([&](Record* record) {
      if (all->matches(*record)) ids.push_back(record->id);
    });
  } else {
    residents_.for_expired(sweep->now_ms, [&](Record* record) {
      ids.push_back(record->id);
      return true;
    });
  }
  std::size_t most = kMostRemovedOnFullDisk;
  for (std::size_t at = 0; at < ids.size();) {
    remedies_->make_room();
    const auto some = std::span(ids).subspan(at, std::min(most, ids.size() - at));
    auto done = remove(some);
    if (done) {
      at += some.size();
      (sweep != nullptr ? counters_.expired : counters_.erased) += some.size();
    } else if (most > 1) {
      most /= 4;
    } else {
      return done;
    }
  }
  write.result = std::uint64_t{ids.size()};
  return {};
}

Result<void> StoreWriter::remove(std::span<const index::RowId> ids) {
  Transaction transaction(table_, residents_, texts_);
  if (auto begun = transaction.begin(); !begun) return begun;
  for (const index::RowId& id : ids)
    if (auto removed = transaction.remove(id); !removed) return std::move(removed).error();
  return transaction.commit();
}

Result<void> StoreWriter::attempt(std::span<Write* const> batch, bool with_chores) {
  Transaction transaction(table_, residents_, texts_);
  if (auto begun = transaction.begin(); !begun) return begun;
  std::uint64_t stored = 0, erased = 0, damaged = 0, expired = 0, evicted = 0;
  bool thorough = false;
  for (Write* write : batch) {
    write->result = std::uint64_t{0};
    if (auto performed = perform(*write, transaction); !performed) return performed;
    if (!write->result) continue;  // Refused by a rule; the others go on.
    if (std::holds_alternative<Put>(write->task)) ++stored;
    if (std::holds_alternative<Sweep>(write->task)) expired += *write->result;
    const Erase* erase = std::get_if<Erase>(&write->task);
    if (write->removes()) (erase != nullptr && erase->damaged_row != 0 ? damaged : erased) += *write->result;
    thorough |= std::holds_alternative<Sweep>(write->task) || std::holds_alternative<Settle>(write->task);
  }
  std::vector<Record*> touched;
  double clock = 0;
  Result<void> done;
  if (with_chores) {
    auto swept = expire(transaction, last_now_ms_.load(std::memory_order_relaxed), kExpiredPerCommit);
    if (!swept) return std::move(swept).error();
    expired += *swept;
    auto removed = evict(batch, transaction, clock);
    if (!removed) return std::move(removed).error();
    evicted += *removed;
    touched = residents_.take_touched(thorough ? SIZE_MAX : kUsagesPerCommit);
    for (Record* record : touched) {
      if (done) done = transaction.save_usage(*record);
    }
  }
  if (done) done = transaction.commit();
  if (!done) {
    residents_.give_back_touched(touched);
    return done;
  }
  residents_.age(clock);
  counters_.stored += stored;
  counters_.erased += erased;
  counters_.damaged += damaged;
  counters_.expired += expired;
  counters_.evicted += evicted;
  return {};
}

Result<void> StoreWriter::perform(Write& write, Transaction& transaction) {
  if (Put* put = std::get_if<Put>(&write.task)) {
    const auto dimension = transaction.dimension(put->keys.partition);
    if (dimension && !put->entry->exact_only && *dimension != put->keys.vector.size()) {
      write.result = other_dimension(put->keys.vector.size(), *dimension);
      return {};
    }
    return transaction.put(next_row_++, put->id, put->entry, put->keys);
  }
  if (const Erase* erase = std::get_if<Erase>(&write.task)) {
    const Record* present = residents_.record(erase->id);
    const bool is_replaced = present == nullptr || present->row != erase->damaged_row || transaction.changes(erase->id);
    if (erase->damaged_row != 0 && is_replaced) return {};
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
  if (const MoveAll* all = std::get_if<MoveAll>(&write.task)) {
    for (const Move& move : all->moves) {
      if (const auto beside = transaction.dimension(move.to); beside && *beside != move.vector.size()) {
        write.result = other_dimension(move.vector.size(), *beside);
        return {};
      }
    }
    std::uint64_t count = 0;
    for (const Move& move : all->moves) {
      const auto id = parse_id(move.id);
      auto moved = id ? transaction.move(*id, move) : false;
      if (!moved) return std::move(moved).error();
      count += *moved ? 1 : 0;
    }
    write.result = count;
  }
  if (const Note* note = std::get_if<Note>(&write.task); note != nullptr && table_ != nullptr) return table_->save_note(note->text);
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

Result<std::uint64_t> StoreWriter::evict(std::span<Write* const> batch, Transaction& transaction, double& clock) {
  std::uint64_t count = 0;
  Result<void> done;
  if (max_bytes_ == 0 || transaction.bytes_after() <= max_bytes_) return count;
  const auto remove = [&](Record* record) {
    clock = std::max(clock, record->queued_priority);
    auto removed = transaction.remove(record->id);
    if (!removed) done = std::move(removed).error();
    ++count;
  };
  // One scope must not push out all others: beyond half of the bound it makes room itself.
  const std::uint64_t share = max_bytes_ / 2;
  auto large = residents_.scope_above(share);
  std::uint64_t added = 0;
  for (const Write* write : batch) added += write->bytes();
  for (const Write* write : batch) {
    const Put* put = std::get_if<Put>(&write->task);
    if (large || put == nullptr || residents_.scopes() < 2 || residents_.bytes_of(put->entry->scope) + added <= share) continue;
    if (transaction.bytes_after(put->entry->scope) > share) large = put->entry->scope;
  }
  if (large) {
    std::uint64_t held = transaction.bytes_after(*large);
    if (held > share) {
      residents_.for_least_valuable_of(*large, [&](Record* record) {
        if (transaction.changes(record->id)) return true;
        held -= record->bytes;
        remove(record);
        return done.has_value() && held > share && transaction.bytes_after() > max_bytes_;
      });
    }
  }
  if (done && transaction.bytes_after() > max_bytes_) {
    residents_.for_least_valuable([&](Record* record) {
      if (transaction.changes(record->id)) return true;
      remove(record);
      return done.has_value() && transaction.bytes_after() > max_bytes_;
    });
  }
  if (!done) return std::move(done).error();
  return count;
}

}  // namespace sosie::store
