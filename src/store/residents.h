// residents.h: everything a store keeps in memory of its entries; all but the texts.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "index/flat_index.h"
#include "store/entry_table.h"
#include "store/store.h"
#include "store/writer_first_mutex.h"

namespace sosie::store {

/// The number an entry id spells. Empty unless it is 32 lower-case hex digits.
std::optional<index::RowId> parse_id(std::string_view id) noexcept;
std::string format_id(index::RowId id);

struct Partition;

/// How far ahead of the reader's time an entry may have been stored or touched: clocks differ a little. One beyond that was while
/// the clock was wrong, and would outlive its ttl by as much: it is not found.
inline constexpr std::int64_t kMostAheadMs = 3'600'000;

/// One entry in memory. Written by the store's one writer; only the atomics change while readers see it.
struct Record {
  index::RowId id;
  std::int64_t row = 0;
  base::Digest exact_key{}, partition_key{};
  std::shared_ptr<const std::string> scope;
  std::shared_ptr<const Attributes> attributes;  // Null: none.
  std::int64_t created_ms = 0;
  std::int64_t sliding_ttl_ms = 0;  // 0: does not slide.
  std::uint64_t bytes = 0;          // Counts towards the bound.
  double worth = 0;                 // Cost, or what stands for it, per byte.
  bool exact_only = false;          // Has no vector, and stands in no partition.
  bool has_usage = false;           // Its usage stands in the table. Used by the writer alone.

  std::atomic<std::int64_t> expires_ms{kNever};
  std::atomic<std::uint32_t> hits{0};
  std::atomic<double> priority{0};
  std::atomic<bool> touched{false};  // Since its usage was last taken to be written.

  Partition* partition = nullptr;
  std::size_t slot = 0;          // Its row in the partition.
  double queued_priority = 0;    // As in the eviction queue.
  std::int64_t queued_expiry = kNever;

  bool lives(std::int64_t now_ms) const {
    const std::int64_t expires = expires_ms.load(std::memory_order_relaxed);
    if (now_ms >= expires || created_ms > now_ms + kMostAheadMs) return false;
    return sliding_ttl_ms == 0 || expires == kNever || expires - sliding_ttl_ms <= now_ms + kMostAheadMs;
  }
  bool matches(const Attributes& wanted) const;
  /// Hits, and what follows from them.
  void take_usage(const Record& other);
};

/// A record's values as of one moment, safe to use without a lock.
struct Snapshot {
  index::RowId id;
  std::int64_t row = 0;
  std::shared_ptr<const std::string> scope;
  std::shared_ptr<const Attributes> attributes;
  std::int64_t created_ms = 0, expires_ms = kNever;
  bool exact_only = false;
};

/// Replaces `old` by `fresh`; either may be missing. Where they are of one row, `fresh` is the same entry with another vector.
struct Change {
  Record* old = nullptr;
  std::unique_ptr<Record> fresh;
  std::span<const float> vector;  ///< Of `fresh`; empty where that is exact-only.
};

/// Finds records by id, exact key and nearness, and says which to remove first.
///
/// The value of an entry is its priority: clock + worth * (hits + 1), reckoned when it is stored or touched. `worth` is
/// its cost (or the length of its response) per byte; the clock is the priority of the last entry evicted, so that entries
/// which nobody asks for grow old against new ones. The lowest priority leaves first (greedy-dual size frequency). A scope that
/// holds more than half of the bound makes room for the others, however often its entries are asked for.
///
/// Thread-safety: the methods under "readers" may be called concurrently with each other and with one writer; those under
/// "the writer" by one thread at a time. Readers wait for changes in memory only, and no exact look-up waits for a scan.
class Residents {
 public:
  // Readers.
  std::vector<Snapshot> exact(const base::Digest& key, const Filter& filter) const;

  struct Near {
    std::vector<std::pair<Snapshot, float>> found;
    std::optional<float> nearest;
    bool rejected = false;
  };
  /// Errors: invalid_argument (the partition's vectors have another dimension).
  Result<Near> nearest(const base::Digest& partition, std::span<const float> vector, const index::Criteria& criteria,
                       const Filter& filter) const;
  std::optional<Snapshot> find(index::RowId id, std::int64_t now_ms) const;
  /// Of the living entries, in the order they were stored.
  std::vector<index::RowId> ids(std::int64_t now_ms) const;
  struct Placed {
    std::int64_t row;
    index::RowId id;
    std::shared_ptr<const std::string> scope;
    base::Digest partition;
  };
  /// Where the vectors of living entries lie that are in rows above this one, in the order they were stored.
  std::vector<Placed> places(std::int64_t now_ms, std::int64_t above) const;
  void touch(index::RowId id, std::int64_t now_ms) const;
  /// False: the scope has no entry. Waits for nobody: true also while a change is being made.
  bool may_have(std::string_view scope) const;
  /// Whether the scope has vectors in other partitions than this one.
  bool has_others(std::string_view scope, const base::Digest& partition) const;
  std::uint64_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t scopes() const noexcept { return scope_count_.load(std::memory_order_relaxed); }

  // The writer.
  Record* record(index::RowId id) const;
  /// Floats in the vectors of a partition; empty where there is no such partition.
  std::optional<std::size_t> dimension(const base::Digest& partition) const;
  /// A record that is not yet among the residents, its priority set.
  std::unique_ptr<Record> make(StoredEntry entry);
  /// A record that takes the place of this one with another vector, in the same row.
  std::unique_ptr<Record> moved(const Record& record, const base::Digest& partition, std::size_t dimension) const;
  /// Adds a record before there are readers.
  void add(std::unique_ptr<Record> record, std::span<const float> vector);
  /// Removes all.
  void clear();
  /// Makes the changes visible. Each id at most once; every `old` is a resident.
  void apply(std::vector<Change> changes);
  /// Calls `take(record)` in the order of leaving until it says no more.
  template <class Take>
  void for_least_valuable(Take&& take) {
    for_queued(eviction_, take);
  }
  /// The same among the entries of one scope. Cost: goes over all entries when it is another scope than the last time.
  template <class Take>
  void for_least_valuable_of(std::string_view scope, Take&& take) {
    for_queued(queue_of(scope), take);
  }
  /// What the bound applies to, of one scope.
  std::uint64_t bytes_of(std::string_view scope) const;
  /// A scope of more than `bytes`, where there are others beside it; empty: there is none. `bytes` is the same at each call,
  /// and more than half of what there is altogether.
  std::optional<std::string> scope_above(std::uint64_t bytes) const;
  /// Calls `take(record)` for records expired at `now_ms`, until it says no more.
  template <class Take>
  void for_expired(std::int64_t now_ms, Take&& take);
  template <class Visit>
  void for_each(Visit&& visit) const;
  /// Records touched since they were last taken, at most `limit`, each once.
  std::vector<Record*> take_touched(std::size_t limit);
  /// They could not be written after all.
  void give_back_touched(const std::vector<Record*>& records);
  /// An entry of this priority was evicted.
  void age(double priority);

 private:
  struct QueuedPriority {
    double priority;
    Record* record;
    bool operator<(const QueuedPriority& other) const {
      return priority != other.priority ? priority < other.priority : record->row < other.record->row;
    }
  };
  struct QueuedExpiry {
    std::int64_t expires_ms;
    Record* record;
    bool operator<(const QueuedExpiry& other) const {
      return expires_ms != other.expires_ms ? expires_ms < other.expires_ms : record->row < other.record->row;
    }
  };
  struct Hash {
    std::size_t operator()(const index::RowId& id) const noexcept { return id.high ^ (id.low * 0x9e3779b97f4a7c15u); }
    std::size_t operator()(const base::Digest& digest) const noexcept;
  };
  struct HashText {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
  };
  struct Scope {
    std::shared_ptr<const std::string> name;
    std::uint64_t entries = 0, vectors = 0, bytes = 0;
  };
  using Queue = std::set<QueuedPriority>;

  double priority_of(const Record& record) const;
  template <class Take>
  void for_queued(Queue& queue, Take&& take);
  Queue& queue_of(std::string_view scope);
  bool is_of_large_scope(const Record& record) const { return large_scope_ && *record.scope == *large_scope_; }
  void enqueue(Record* record, double priority);
  void dequeue(Record* record);
  void link(std::unique_ptr<Record> record);
  std::unique_ptr<Record> unlink(Record* record);

  // Guards the maps. The partitions' own locks are never taken while it is held.
  mutable WriterFirstMutex mutex_;
  std::unordered_map<index::RowId, std::unique_ptr<Record>, Hash> by_id_;
  std::unordered_multimap<base::Digest, Record*, Hash> by_exact_key_;
  std::unordered_map<base::Digest, std::shared_ptr<Partition>, Hash> partitions_;
  std::unordered_map<std::string, Scope, HashText, std::equal_to<>> scopes_;

  // The writer's alone.
  const Scope* largest_ = nullptr;  // Of those whose entries changed last; for certain where it holds more than half of all.
  Queue eviction_;
  // Those of the scope whose entries were to leave before others'; unset: there was none.
  std::optional<std::string> large_scope_;
  Queue of_large_scope_;
  std::set<QueuedExpiry> expiry_;

  std::atomic<double> clock_{0};
  std::atomic<std::uint64_t> size_{0}, bytes_{0}, scope_count_{0};
  mutable std::mutex touched_mutex_;
  mutable std::vector<index::RowId> touched_;
};

// The queues are lazy: a touch moves priority and expiry, always upwards, and the queue hears of it here.
template <class Take>
void Residents::for_queued(Queue& queue, Take&& take) {
  for (auto queued = queue.begin(); queued != queue.end();) {
    Record* record = queued->record;
    const double priority = record->priority.load(std::memory_order_relaxed);
    if (priority > queued->priority) {
      const auto next = std::next(queued);
      const bool was_last = next == queue.end();
      const QueuedPriority following = was_last ? QueuedPriority{0, nullptr} : *next;
      dequeue(record);
      enqueue(record, priority);
      // It may still be the one to leave first.
      const QueuedPriority moved{priority, record};
      queued = was_last || moved < following ? queue.find(moved) : queue.find(following);
      continue;
    }
    if (!take(record)) return;
    ++queued;
  }
}

template <class Take>
void Residents::for_expired(std::int64_t now_ms, Take&& take) {
  for (auto queued = expiry_.begin(); queued != expiry_.end() && queued->expires_ms <= now_ms;) {
    Record* record = queued->record;
    const std::int64_t expires = record->expires_ms.load(std::memory_order_relaxed);
    if (expires > queued->expires_ms) {
      queued = expiry_.erase(queued);
      record->queued_expiry = expires;
      const auto moved = expiry_.insert({expires, record}).first;
      if (queued == expiry_.end() || *moved < *queued) queued = moved;
      continue;
    }
    if (!take(record)) return;
    ++queued;
  }
}

template <class Visit>
void Residents::for_each(Visit&& visit) const {
  for (const auto& [id, record] : by_id_) visit(record.get());
}

}  // namespace sosie::store
