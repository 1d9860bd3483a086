#include "store/transaction.h"

#include <utility>

namespace sosie::store {

Transaction::~Transaction() {
  if (table_ != nullptr) table_->rollback();
}

Result<void> Transaction::begin() { return table_ != nullptr ? table_->begin() : Result<void>(); }

Transaction::Pending& Transaction::pending(index::RowId id) {
  const auto [found, added] = changes_.try_emplace(id);
  if (added) found->second.old = residents_.record(id);
  return found->second;
}

Result<bool> Transaction::remove(Pending& change) {
  Record* present = change.fresh != nullptr ? change.fresh.get() : change.old_removed ? nullptr : change.old;
  if (present == nullptr) return false;
  if (table_ != nullptr) {
    if (auto removed = table_->remove(present->row, present->attributes != nullptr, present->has_usage); !removed) {
      return std::move(removed).error();
    }
  }
  if (change.fresh != nullptr) {
    bytes_added_ -= change.fresh->bytes;
    change.fresh.reset();
  } else {
    bytes_removed_ += change.old->bytes;
    change.old_removed = true;
  }
  return true;
}

Result<bool> Transaction::remove(index::RowId id) { return remove(pending(id)); }

Result<void> Transaction::remove_all() {
  if (table_ != nullptr) {
    if (auto removed = table_->remove_all(); !removed) return removed;
  }
  residents_.for_each([this](Record* record) {
    changes_.try_emplace(record->id, Pending{.old = record, .old_removed = true});
    bytes_removed_ += record->bytes;
  });
  return {};
}

Result<void> Transaction::put(std::int64_t row, index::RowId id, std::shared_ptr<const Entry> shared, const NewEntry& keys) {
  const Entry& entry = *shared;
  Pending& change = pending(id);
  if (auto removed = remove(change); !removed) return std::move(removed).error();
  if (table_ != nullptr) {
    if (auto inserted = table_->insert(row, entry, keys); !inserted) return inserted;
  }
  change.entry = std::move(shared);
  change.vector = keys.vector;
  change.fresh = residents_.make(StoredEntry{
      .row = row,
      .id = entry.id,
      .scope = entry.scope,
      .exact_key = keys.exact_key,
      .partition = keys.partition,
      .dimension = keys.vector.size(),
      .attributes = entry.attributes,
      .created_ms = entry.created.time_since_epoch().count(),
      .expires_ms = entry.expires ? entry.expires->time_since_epoch().count() : kNever,
      .sliding_ttl_ms = keys.sliding_ttl ? keys.sliding_ttl->count() : 0,
      .cost = keys.cost,
      .prompt_bytes = entry.prompt.size(),
      .response_bytes = entry.response.size(),
  });
  bytes_added_ += change.fresh->bytes;
  return {};
}

Result<bool> Transaction::move(index::RowId id, const Move& move) {
  Record* present = residents_.record(id);
  if (changes_.contains(id) || present == nullptr || present->exact_only || present->partition_key != move.from) return false;
  Pending change{.old = present, .old_removed = true, .vector = move.vector};
  change.fresh = residents_.moved(*present, move.to, move.vector.size());
  if (table_ != nullptr) {
    StoredEntry entry{.row = present->row, .id = format_id(id), .scope = *present->scope};
    entry.exact_key = present->exact_key;
    entry.partition = move.to;
    if (present->attributes != nullptr) entry.attributes = *present->attributes;
    entry.created_ms = present->created_ms;
    entry.expires_ms = change.fresh->expires_ms;
    entry.sliding_ttl_ms = present->sliding_ttl_ms;
    if (auto moved = table_->move(entry, move.vector); !moved) return std::move(moved).error();
  }
  bytes_removed_ += present->bytes;
  bytes_added_ += change.fresh->bytes;
  changes_.emplace(id, std::move(change));
  return true;
}

Result<void> Transaction::save_usage(Record& record) {
  const auto changed = changes_.find(record.id);
  if (table_ == nullptr || (changed != changes_.end() && !changed->second.is_move())) return {};
  auto saved = table_->save_usage(record.row, record.hits.load(std::memory_order_relaxed),
                                  record.expires_ms.load(std::memory_order_relaxed));
  // Set even if the commit fails later: then it only costs one needless DELETE.
  if (saved) record.has_usage = true;
  return saved;
}

std::optional<std::size_t> Transaction::dimension(const base::Digest& partition) const {
  if (const auto resident = residents_.dimension(partition)) return resident;
  for (const auto& [id, change] : changes_) {
    if (change.fresh == nullptr || change.fresh->exact_only) continue;
    if (change.fresh->partition_key == partition) return change.vector.size();
  }
  return std::nullopt;
}

std::uint64_t Transaction::bytes_after(std::string_view scope) const {
  std::uint64_t bytes = residents_.bytes_of(scope);
  for (const auto& [id, change] : changes_) {
    if (change.old_removed && *change.old->scope == scope) bytes -= change.old->bytes;
    if (change.fresh != nullptr && *change.fresh->scope == scope) bytes += change.fresh->bytes;
  }
  return bytes;
}

Result<void> Transaction::commit() {
  if (table_ != nullptr) {
    if (auto committed = table_->commit(); !committed) return committed;
  }
  std::vector<Change> changes;
  std::vector<std::int64_t> gone;
  changes.reserve(changes_.size());
  for (auto& [id, pending] : changes_) {
    if (!pending.old_removed && pending.fresh == nullptr) continue;
    Change change;
    if (pending.old_removed) {
      change.old = pending.old;
      if (!pending.is_move()) gone.push_back(pending.old->row);
    }
    if (pending.fresh != nullptr) {
      if (pending.entry != nullptr) texts_.insert(pending.fresh->row, std::move(pending.entry));  // Before the entry can be found.
      change.vector = pending.vector;
      change.fresh = std::move(pending.fresh);
    }
    changes.push_back(std::move(change));
  }
  residents_.apply(std::move(changes));
  for (std::int64_t row : gone) texts_.erase(row);
  return {};
}

}  // namespace sosie::store
