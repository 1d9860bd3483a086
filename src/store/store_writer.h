// store_writer.h: the one path by which a store changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <variant>

#include "store/entry_table.h"
#include "store/residents.h"
#include "store/text_cache.h"
#include "store/transaction.h"
#include "store/write_queue.h"

namespace sosie::store {

struct Put {
  NewEntry keys;  ///< Its entry has moved out.
  std::shared_ptr<const Entry> entry;
  index::RowId id;
  std::uint64_t bytes = 0;  ///< At most the store's bound.
};

struct Erase {
  index::RowId id;
};

/// Removes what matches; unset: everything.
struct EraseAll {
  std::function<bool(const Record&)> matches;
};

/// Removes what has expired.
struct Sweep {
  std::int64_t now_ms = 0;
};

/// Writes down hits and expiries, and brings the store under its bound.
struct Settle {};

using Task = std::variant<Put, Erase, EraseAll, Sweep, Settle>;

struct WriteCounters {
  std::atomic<std::uint64_t> stored{0}, evicted{0}, expired{0}, erased{0};
};

/// Commits tasks in groups, with expiry and eviction on the side.
///
/// Thread-safety: every method may be called concurrently.
class StoreWriter {
 public:
  /// `table` may be null: in memory only. `max_bytes` 0: unbounded. All must outlive the writer.
  StoreWriter(std::uint64_t max_bytes, std::int64_t next_row, EntryTable* table, Residents& residents, TextCache& texts)
      : max_bytes_(max_bytes), table_(table), residents_(residents), texts_(texts), next_row_(next_row) {}

  /// Blocks until the task is durable and visible. Returns how many entries it removed, where the task is to remove.
  Result<std::uint64_t> submit(Task task);

  /// Blocks until the commit under way, if any, is visible.
  void await_commit() const { std::lock_guard wait(commit_mutex_); }

  /// The time, as a reader gives it: commits remove what has expired by then. A put's own time may lie in the past or the
  /// future, and says nothing.
  void observe(std::int64_t now_ms) { last_now_ms_.store(now_ms, std::memory_order_relaxed); }

  const WriteCounters& counters() const noexcept { return counters_; }

 private:
  struct Write {
    Task task;
    Result<std::uint64_t> result{std::uint64_t{0}};

    bool alone() const;
    std::uint64_t bytes() const;
  };

  bool joins(std::span<Write* const> batch, const Write& next) const;
  void commit(std::span<Write* const> batch);
  Result<void> attempt(std::span<Write* const> batch);
  Result<void> perform(Write& write, Transaction& transaction);
  Result<std::uint64_t> expire(Transaction& transaction, std::int64_t now_ms, std::size_t limit);
  Result<std::uint64_t> evict(Transaction& transaction, double& clock);

  const std::uint64_t max_bytes_;
  EntryTable* const table_;
  Residents& residents_;
  TextCache& texts_;
  std::int64_t next_row_;

  WriteQueue<Write> queue_;
  mutable std::mutex commit_mutex_;  // Held from the beginning of a transaction until memory shows it.
  std::atomic<std::int64_t> last_now_ms_{0};
  WriteCounters counters_;
};

}  // namespace sosie::store
