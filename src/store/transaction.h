// transaction.h: the changes of one commit, on disk and for memory.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "store/entry_table.h"
#include "store/residents.h"
#include "store/text_cache.h"

namespace sosie::store {

/// Collects changes: writes them to the table at once, inside the table's transaction, and keeps what memory must do after
/// the commit. Rolls back unless committed. A null table means a store in memory only.
///
/// Thread-safety: one thread at a time.
class Transaction {
 public:
  Transaction(EntryTable* table, Residents& residents, TextCache& texts) : table_(table), residents_(residents), texts_(texts) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  Result<void> begin();

  /// Whether the entry lay there. `move` must live until the transaction has ended.
  Result<bool> move(index::RowId id, const Move& move);
  /// Adds or replaces. `keys` must live until the transaction has ended; `row` must be new.
  Result<void> put(std::int64_t row, index::RowId id, std::shared_ptr<const Entry> entry, const NewEntry& keys);
  /// Whether there was such an entry.
  Result<bool> remove(index::RowId id);
  Result<void> remove_all();
  Result<void> save_usage(Record& record);

  bool changes(index::RowId id) const { return changes_.contains(id); }
  /// Floats in the vectors of the partition, as the changes leave it; empty where it has none.
  std::optional<std::size_t> dimension(const base::Digest& partition) const;
  /// What the bound applies to, as the changes leave it.
  std::uint64_t bytes_after() const { return residents_.bytes() - bytes_removed_ + bytes_added_; }

  /// The same, of one scope.
  std::uint64_t bytes_after(std::string_view scope) const;

  /// Makes the changes durable, then visible.
  Result<void> commit();

 private:
  struct Pending {
    Record* old = nullptr;
    bool old_removed = false;
    std::unique_ptr<Record> fresh;
    std::shared_ptr<const Entry> entry;  // Of `fresh`, as is its vector. Null: the one that there is.
    std::span<const float> vector;

    bool is_move() const { return fresh != nullptr && old != nullptr && fresh->row == old->row; }
  };
  struct Hash {
    std::size_t operator()(const index::RowId& id) const noexcept { return id.high ^ (id.low * 0x9e3779b97f4a7c15u); }
  };
  Pending& pending(index::RowId id);
  Result<bool> remove(Pending& change);

  EntryTable* table_;
  Residents& residents_;
  TextCache& texts_;
  std::unordered_map<index::RowId, Pending, Hash> changes_;
  std::uint64_t bytes_added_ = 0, bytes_removed_ = 0;
};

}  // namespace sosie::store
