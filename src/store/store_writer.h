// store_writer.h: the one path by which a store changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
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
  std::int64_t damaged_row = 0;  ///< Set: this version of it only, whose texts cannot be read; counted apart.
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

/// Gives entries other vectors.
struct MoveAll {
  std::span<const Move> moves;
};

/// Writes down the store's note.
struct Note {
  std::string text;
};

using Task = std::variant<Put, Erase, EraseAll, Sweep, Settle, MoveAll, Note>;

struct WriteCounters {
  std::atomic<std::uint64_t> stored{0}, evicted{0}, expired{0}, erased{0}, damaged{0};
};

/// What can be done where a commit failed. Called by one thread at a time, with no transaction under way.
class Remedies {
 public:
  virtual ~Remedies() = default;
  /// Mends what the error tells of, with row numbers from `next_row` on in what is written anew. Returns the next row number then;
  /// empty: there is nothing that could be mended.
  virtual std::optional<std::int64_t> mend(const Error& error, std::int64_t next_row) = 0;
  /// The disk is full: sees to it that something can be removed all the same.
  virtual void make_room() = 0;
  /// Removes every entry together with the file. Whether that is done.
  virtual bool begin_anew() = 0;
  /// A removal that needed room is over.
  virtual void keep_room() = 0;
};

/// Commits tasks in groups, with expiry and eviction on the side.
///
/// Thread-safety: every method may be called concurrently.
class StoreWriter {
 public:
  /// `table` and `remedies` may be null: in memory only. `max_bytes` 0: unbounded. All must outlive the writer.
  StoreWriter(std::uint64_t max_bytes, std::int64_t next_row, EntryTable* table, Remedies* remedies, Residents& residents, TextCache& texts)
      : max_bytes_(max_bytes), table_(table), remedies_(remedies), residents_(residents), texts_(texts), next_row_(next_row) {}

  /// Blocks until the task is durable and visible. Returns how many entries it removed or moved, where that is the task.
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
    bool removes() const { return std::holds_alternative<Erase>(task) || std::holds_alternative<EraseAll>(task); }
    bool makes_room() const { return removes() || std::holds_alternative<Sweep>(task); }
    std::uint64_t bytes() const;
  };

  bool joins(std::span<Write* const> batch, const Write& next) const;
  /// Leaves each write's result in it; throws nothing.
  void commit(std::span<Write* const> batch);
  void commit_each(std::span<Write* const> batch);
  Result<void> attempt_and_mend(std::span<Write* const> batch);
  /// Without chores it does what it is asked for and nothing else.
  Result<void> attempt(std::span<Write* const> batch, bool with_chores = true);
  Result<void> remove_on_full_disk(Write& write);
  Result<void> remove_bit_by_bit(Write& write);
  Result<void> remove(std::span<const index::RowId> ids);
  Result<void> perform(Write& write, Transaction& transaction);
  Result<std::uint64_t> expire(Transaction& transaction, std::int64_t now_ms, std::size_t limit);
  Result<std::uint64_t> evict(std::span<Write* const> batch, Transaction& transaction, double& clock);

  const std::uint64_t max_bytes_;
  EntryTable* const table_;
  Remedies* const remedies_;
  Residents& residents_;
  TextCache& texts_;
  std::int64_t next_row_;

  WriteQueue<Write> queue_;
  mutable std::mutex commit_mutex_;  // Held from the beginning of a transaction until memory shows it.
  std::atomic<std::int64_t> last_now_ms_{0};
  WriteCounters counters_;
};

}  // namespace sosie::store
