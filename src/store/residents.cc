#include "store/residents.h"

#include <algorithm>
#include <cstring>
#include <shared_mutex>

#include "base/clock.h"

namespace sosie::store {

/// The vectors that may meet.
struct Partition {
  explicit Partition(std::size_t dimension) : vectors(dimension) {}

  mutable WriterFirstMutex mutex;
  index::FlatIndex vectors;
  std::vector<Record*> records;  // By row of `vectors`.

  void add(Record* record, std::span<const float> vector) {
    record->partition = this;
    record->slot = vectors.add(record->id, vector);
    records.push_back(record);
  }

  void replace(Record* old, Record* fresh, std::span<const float> vector) {
    fresh->partition = this;
    fresh->slot = old->slot;
    vectors.replace(old->slot, fresh->id, vector);
    records[old->slot] = fresh;
  }

  void remove(Record* record) {
    vectors.remove(record->slot);
    records[record->slot] = records.back();
    records[record->slot]->slot = record->slot;
    records.pop_back();
  }
};

namespace {

Snapshot snapshot(const Record& record) {
  return {record.id,         record.row,
          record.scope,      record.attributes,
          record.created_ms, record.expires_ms.load(std::memory_order_relaxed),
          record.exact_only};
}

bool passes(const Record& record, const Filter& filter) {
  if (filter.not_before && record.created_ms < filter.not_before->time_since_epoch().count()) return false;
  return filter.attributes == nullptr || record.matches(*filter.attributes);
}

using base::unix_milliseconds;

}  // namespace

std::optional<index::RowId> parse_id(std::string_view id) noexcept {
  if (id.size() != 32) return std::nullopt;
  std::uint64_t half[2] = {0, 0};
  for (std::size_t i = 0; i < 32; ++i) {
    const char c = id[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    half[i / 16] = half[i / 16] << 4 | static_cast<std::uint64_t>(digit);
  }
  return index::RowId{half[0], half[1]};
}

std::string format_id(index::RowId id) {
  std::string text(32, '0');
  for (std::size_t i = 0; i < 16; ++i) {
    text[i] = "0123456789abcdef"[id.high >> (60 - 4 * i) & 15];
    text[i + 16] = "0123456789abcdef"[id.low >> (60 - 4 * i) & 15];
  }
  return text;
}

std::size_t Residents::Hash::operator()(const base::Digest& digest) const noexcept {
  std::size_t hash;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

bool Record::matches(const Attributes& wanted) const {
  for (const auto& [name, value] : wanted) {
    if (attributes == nullptr) return false;
    const auto found = attributes->find(name);
    if (found == attributes->end() || found->second != value) return false;
  }
  return true;
}

void Record::take_usage(const Record& other) {
  has_usage = other.has_usage;
  expires_ms.store(other.expires_ms, std::memory_order_relaxed);
  hits.store(other.hits, std::memory_order_relaxed);
  priority.store(other.priority, std::memory_order_relaxed);
  touched.store(other.touched, std::memory_order_relaxed);
}

std::vector<Snapshot> Residents::exact(const base::Digest& key, const Filter& filter) const {
  const std::int64_t now = unix_milliseconds(filter.now);
  std::vector<Snapshot> found;
  {
    std::shared_lock lock(mutex_);
    const auto [first, last] = by_exact_key_.equal_range(key);
    for (auto it = first; it != last; ++it) {
      if (it->second->lives(now) && passes(*it->second, filter)) found.push_back(snapshot(*it->second));
    }
  }
  std::sort(found.begin(), found.end(), [](const Snapshot& a, const Snapshot& b) {
    return a.created_ms != b.created_ms ? a.created_ms > b.created_ms : a.id < b.id;
  });
  return found;
}

Result<Residents::Near> Residents::nearest(const base::Digest& partition, std::span<const float> vector,
                                           const index::Criteria& criteria, const Filter& filter) const {
  std::shared_ptr<const Partition> place;
  {
    std::shared_lock lock(mutex_);
    const auto found = partitions_.find(partition);
    if (found == partitions_.end()) return Near{};
    place = found->second;
  }
  const std::int64_t now = unix_milliseconds(filter.now);
  std::shared_lock lock(place->mutex);
  if (vector.size() != place->vectors.dimension()) {
    return Error{ErrorCode::invalid_argument, "the vector has " + std::to_string(vector.size()) + " dimensions, the stored ones have " +
                                                  std::to_string(place->vectors.dimension())};
  }
  const index::Scan scan = place->vectors.search(vector, criteria, [&](std::size_t row) {
    const Record& record = *place->records[row];
    if (!record.lives(now)) return index::Verdict::absent;
    return passes(record, filter) ? index::Verdict::accepted : index::Verdict::rejected;
  });
  Near near;
  near.nearest = scan.nearest;
  near.rejected = scan.rejected;
  for (const index::Match& match : scan.found) near.found.emplace_back(snapshot(*place->records[match.row]), match.similarity);
  return near;
}

std::optional<Snapshot> Residents::find(index::RowId id, std::int64_t now_ms) const {
  std::shared_lock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end() || !found->second->lives(now_ms)) return std::nullopt;
  return snapshot(*found->second);
}

std::vector<index::RowId> Residents::ids(std::int64_t now_ms) const {
  std::vector<std::pair<std::int64_t, index::RowId>> rows;
  {
    std::shared_lock lock(mutex_);
    rows.reserve(by_id_.size());
    for (const auto& [id, record] : by_id_) {
      if (record->lives(now_ms)) rows.emplace_back(record->row, id);
    }
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<index::RowId> ids;
  ids.reserve(rows.size());
  for (const auto& [row, id] : rows) ids.push_back(id);
  return ids;
}

std::vector<Residents::Placed> Residents::places(std::int64_t now_ms, std::int64_t above) const {
  std::vector<Placed> places;
  {
    std::shared_lock lock(mutex_);
    for (const auto& [id, record] : by_id_) {
      if (record->row <= above || record->exact_only || !record->lives(now_ms)) continue;
      places.push_back({record->row, id, record->scope, record->partition_key});
    }
  }
  std::sort(places.begin(), places.end(), [](const Placed& a, const Placed& b) { return a.row < b.row; });
  return places;
}

void Residents::touch(index::RowId id, std::int64_t now_ms) const {
  std::shared_lock lock(mutex_);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  Record& record = *found->second;
  if (!record.lives(now_ms)) return;
  record.hits.fetch_add(1, std::memory_order_relaxed);
  record.priority.store(priority_of(record), std::memory_order_relaxed);
  if (record.sliding_ttl_ms > 0) {
    // Upwards only: touches may come in another order than their times.
    const std::int64_t moved = now_ms + record.sliding_ttl_ms;
    std::int64_t expires = record.expires_ms.load(std::memory_order_relaxed);
    while (expires < moved && !record.expires_ms.compare_exchange_weak(expires, moved, std::memory_order_relaxed)) {
    }
  }
  if (!record.touched.exchange(true, std::memory_order_relaxed)) {
    std::lock_guard touched(touched_mutex_);
    touched_.push_back(id);
  }
}

bool Residents::may_have(std::string_view scope) const {
  std::shared_lock lock(mutex_, std::try_to_lock);
  return !lock || scopes_.contains(scope);
}

bool Residents::has_others(std::string_view scope, const base::Digest& partition) const {
  std::shared_ptr<const Partition> place;
  std::uint64_t vectors = 0;
  {
    std::shared_lock lock(mutex_);
    const auto found = scopes_.find(scope);
    if (found == scopes_.end()) return false;
    vectors = found->second.vectors;
    if (const auto known = partitions_.find(partition); known != partitions_.end()) place = known->second;
  }
  if (place == nullptr) return vectors > 0;
  std::shared_lock lock(place->mutex);
  return vectors > place->records.size();
}

Record* Residents::record(index::RowId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second.get();
}

std::optional<std::size_t> Residents::dimension(const base::Digest& partition) const {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return std::nullopt;
  return found->second->vectors.dimension();
}

double Residents::priority_of(const Record& record) const {
  return clock_.load(std::memory_order_relaxed) + record.worth * (1.0 + record.hits.load(std::memory_order_relaxed));
}

std::unique_ptr<Record> Residents::make(StoredEntry entry) {
  auto record = std::make_unique<Record>();
  record->id = *parse_id(entry.id);
  record->row = entry.row;
  record->exact_key = entry.exact_key;
  record->partition_key = entry.partition;
  record->created_ms = entry.created_ms;
  record->sliding_ttl_ms = entry.sliding_ttl_ms;
  record->bytes = entry.prompt_bytes + entry.response_bytes + entry.dimension * sizeof(float);
  for (const auto& [name, value] : entry.attributes) record->bytes += name.size() + value.size();
  const double value = entry.cost > 0 ? entry.cost : static_cast<double>(entry.response_bytes);
  record->worth = value / static_cast<double>(std::max<std::uint64_t>(1, record->bytes));
  record->exact_only = entry.dimension == 0;
  record->has_usage = entry.has_usage;
  record->expires_ms = entry.expires_ms;
  record->hits = entry.hits;
  record->priority = priority_of(*record);
  if (!entry.attributes.empty()) record->attributes = std::make_shared<const Attributes>(std::move(entry.attributes));
  const auto scope = scopes_.find(entry.scope);
  record->scope = scope != scopes_.end() ? scope->second.name : std::make_shared<const std::string>(std::move(entry.scope));
  return record;
}

std::unique_ptr<Record> Residents::moved(const Record& record, const base::Digest& partition, std::size_t dimension) const {
  auto moved = std::make_unique<Record>();
  moved->id = record.id;
  moved->row = record.row;
  moved->exact_key = record.exact_key;
  moved->partition_key = partition;
  moved->scope = record.scope;
  moved->attributes = record.attributes;
  moved->created_ms = record.created_ms;
  moved->sliding_ttl_ms = record.sliding_ttl_ms;
  moved->bytes = record.bytes - record.partition->vectors.dimension() * sizeof(float) + dimension * sizeof(float);
  moved->worth = record.worth * static_cast<double>(record.bytes) / static_cast<double>(moved->bytes);
  moved->take_usage(record);
  return moved;
}

void Residents::add(std::unique_ptr<Record> record, std::span<const float> vector) {
  if (!record->exact_only) {
    auto& place = partitions_[record->partition_key];
    if (place == nullptr) place = std::make_shared<Partition>(vector.size());
    place->add(record.get(), vector);
  }
  link(std::move(record));
}

void Residents::apply(std::vector<Change> changes) {
  // Last rows first: then removing many moves few.
  std::sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    return (a.old != nullptr ? a.old->slot + 1 : 0) > (b.old != nullptr ? b.old->slot + 1 : 0);
  });
  struct Work {
    std::vector<Record*> removed;
    std::vector<Change*> replaced, added;
  };
  std::unordered_map<Partition*, Work> work;
  std::unordered_map<base::Digest, std::shared_ptr<Partition>, Hash> made;
  for (Change& change : changes) {
    Partition* from = change.old != nullptr ? change.old->partition : nullptr;
    Partition* to = nullptr;
    if (change.fresh != nullptr && !change.fresh->exact_only) {
      const base::Digest& key = change.fresh->partition_key;
      if (const auto found = partitions_.find(key); found != partitions_.end()) {
        to = found->second.get();
      } else {
        auto& place = made[key];
        if (place == nullptr) place = std::make_shared<Partition>(change.vector.size());
        to = place.get();
      }
    }
    if (from != nullptr && from == to) {
      work[from].replaced.push_back(&change);
    } else {
      if (from != nullptr) work[from].removed.push_back(change.old);
      if (to != nullptr) work[to].added.push_back(&change);
    }
  }

  // First the vectors, one partition at a time: this waits for scans of that partition, and holds up nobody else.
  for (auto& [partition, part] : work) {
    std::unique_lock lock(partition->mutex);
    for (Change* change : part.replaced) partition->replace(change->old, change->fresh.get(), change->vector);
    for (Record* record : part.removed) partition->remove(record);
    for (Change* change : part.added) partition->add(change->fresh.get(), change->vector);
  }

  // Then the maps, all at once. What is removed is freed after the lock.
  std::vector<std::unique_ptr<Record>> removed;
  std::vector<std::shared_ptr<Partition>> emptied;
  removed.reserve(changes.size());
  std::unique_lock lock(mutex_);
  partitions_.merge(made);
  for (Change& change : changes) {
    // Whoever touched it meanwhile touched the old record.
    if (change.old != nullptr && change.fresh != nullptr && change.old->row == change.fresh->row) change.fresh->take_usage(*change.old);
    if (change.old != nullptr) removed.push_back(unlink(change.old));
    if (change.fresh != nullptr) link(std::move(change.fresh));
  }
  for (const auto& record : removed) {
    if (record->exact_only) continue;
    const auto found = partitions_.find(record->partition_key);
    if (found == partitions_.end() || !found->second->records.empty()) continue;
    emptied.push_back(std::move(found->second));
    partitions_.erase(found);
  }
  lock.unlock();
}

void Residents::clear() {
  std::vector<Change> changes;
  changes.reserve(by_id_.size());
  for (const auto& [id, record] : by_id_) changes.push_back({.old = record.get()});
  apply(std::move(changes));
}

void Residents::link(std::unique_ptr<Record> record) {
  Record* linked = record.get();
  by_exact_key_.emplace(linked->exact_key, linked);
  by_id_.emplace(linked->id, std::move(record));
  Scope& scope = scopes_[*linked->scope];
  if (scope.name == nullptr) scope.name = linked->scope;
  ++scope.entries;
  scope.vectors += linked->exact_only ? 0 : 1;
  scope.bytes += linked->bytes;
  if (largest_ == nullptr || scope.bytes > largest_->bytes) largest_ = &scope;
  enqueue(linked, linked->priority);
  linked->queued_expiry = linked->expires_ms;
  if (linked->queued_expiry != kNever) expiry_.insert({linked->queued_expiry, linked});
  size_.store(by_id_.size(), std::memory_order_relaxed);
  bytes_.fetch_add(linked->bytes, std::memory_order_relaxed);
  scope_count_.store(scopes_.size(), std::memory_order_relaxed);
}

std::unique_ptr<Record> Residents::unlink(Record* record) {
  const auto [first, last] = by_exact_key_.equal_range(record->exact_key);
  by_exact_key_.erase(std::find_if(first, last, [&](const auto& item) { return item.second == record; }));
  auto node = by_id_.extract(record->id);
  const auto scope = scopes_.find(*record->scope);
  scope->second.vectors -= record->exact_only ? 0 : 1;
  scope->second.bytes -= record->bytes;
  if (--scope->second.entries == 0) {
    if (largest_ == &scope->second) largest_ = nullptr;
    scopes_.erase(scope);
  }
  dequeue(record);
  if (record->queued_expiry != kNever) expiry_.erase({record->queued_expiry, record});
  size_.store(by_id_.size(), std::memory_order_relaxed);
  bytes_.fetch_sub(record->bytes, std::memory_order_relaxed);
  scope_count_.store(scopes_.size(), std::memory_order_relaxed);
  return std::move(node.mapped());
}

void Residents::enqueue(Record* record, double priority) {
  record->queued_priority = priority;
  eviction_.insert({priority, record});
  if (is_of_large_scope(*record)) of_large_scope_.insert({priority, record});
}

void Residents::dequeue(Record* record) {
  eviction_.erase({record->queued_priority, record});
  if (is_of_large_scope(*record)) of_large_scope_.erase({record->queued_priority, record});
}

Residents::Queue& Residents::queue_of(std::string_view scope) {
  if (large_scope_ == scope) return of_large_scope_;
  large_scope_ = scope;
  of_large_scope_.clear();
  for (const QueuedPriority& queued : eviction_) {
    if (*queued.record->scope == scope) of_large_scope_.insert(of_large_scope_.end(), queued);
  }
  return of_large_scope_;
}

std::uint64_t Residents::bytes_of(std::string_view scope) const {
  const auto found = scopes_.find(scope);
  return found != scopes_.end() ? found->second.bytes : 0;
}

std::optional<std::string> Residents::scope_above(std::uint64_t bytes) const {
  if (largest_ == nullptr || scopes_.size() == 1 || largest_->bytes <= bytes) return std::nullopt;
  return *largest_->name;
}

std::vector<Record*> Residents::take_touched(std::size_t limit) {
  std::vector<index::RowId> ids;
  {
    std::lock_guard lock(touched_mutex_);
    const std::size_t count = std::min(limit, touched_.size());
    ids.assign(touched_.end() - static_cast<std::ptrdiff_t>(count), touched_.end());
    touched_.resize(touched_.size() - count);
  }
  std::vector<Record*> records;
  for (const index::RowId& id : ids) {
    Record* found = record(id);
    if (found != nullptr && found->touched.exchange(false, std::memory_order_relaxed)) records.push_back(found);
  }
  return records;
}

void Residents::give_back_touched(const std::vector<Record*>& records) {
  std::lock_guard lock(touched_mutex_);
  for (Record* record : records) {
    if (!record->touched.exchange(true, std::memory_order_relaxed)) touched_.push_back(record->id);
  }
}

void Residents::age(double priority) {
  if (priority > clock_.load(std::memory_order_relaxed)) clock_.store(priority, std::memory_order_relaxed);
}

}  // namespace sosie::store
