#include "store/embedded_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <variant>

#include "base/log.h"
#include "store/entry_table.h"
#include "store/folder_lock.h"
#include "store/residents.h"
#include "store/text_cache.h"
#include "store/text_reader.h"
#include "store/transaction.h"
#include "store/write_queue.h"

namespace sosie::store {
namespace {

// One commit takes at most so much, to bound how long its first writer waits.
constexpr std::size_t kMostWritesPerCommit = 256;
constexpr std::uint64_t kMostBytesPerCommit = std::uint64_t{16} << 20;
// Chores that a commit does on the side.
constexpr std::size_t kExpiredPerCommit = 32;
constexpr std::size_t kUsagesPerCommit = 64;
// A reader that lost the race for a text against a writer tries again, so often.
constexpr int kMostRaces = 16;

struct Put {
  NewEntry keys;  // Its entry has moved out.
  std::shared_ptr<const Entry> entry;
  index::RowId id;
  std::uint64_t bytes = 0;
};

struct Erase {
  index::RowId id;
};

// Removes what matches; committed alone, since it must see every earlier write.
struct EraseAll {
  std::function<bool(const Record&)> matches;  // Unset: everything.
};

struct Sweep {
  std::int64_t now_ms = 0;
};

// Writes down hits and expiries, and brings the store under its bound.
struct Settle {};

struct Write {
  std::variant<Put, Erase, EraseAll, Sweep, Settle> task;
  Result<std::uint64_t> result{std::uint64_t{0}};  // How many entries were removed, where that is asked.

  bool alone() const { return !std::holds_alternative<Put>(task) && !std::holds_alternative<Erase>(task); }
  std::uint64_t bytes() const {
    const Put* put = std::get_if<Put>(&task);
    return put != nullptr ? put->bytes : 0;
  }
};

std::int64_t milliseconds(TimePoint time) { return time.time_since_epoch().count(); }

bool all_finite(std::span<const float> vector) {
  for (float value : vector) {
    if (!std::isfinite(value)) return false;
  }
  return true;
}

std::uint64_t bytes_of(const Entry& entry, const NewEntry& keys) {
  std::uint64_t bytes = entry.prompt.size() + entry.response.size() + keys.vector.size() * sizeof(float);
  for (const auto& [name, value] : entry.attributes) bytes += name.size() + value.size();
  return bytes;
}

class EmbeddedStore final : public Store {
 public:
  explicit EmbeddedStore(const EmbeddedStoreOptions& options)
      : max_bytes_(options.max_bytes), texts_(options.folder.empty() ? UINT64_MAX : options.text_cache_bytes) {}

  ~EmbeddedStore() override {
    if (table_ == nullptr) return;
    if (auto settled = submit({Settle{}}); !settled) {
      base::log_warning("hits and sliding expiries since the last write are not saved: " + std::move(settled).error().message);
    }
  }

  Result<void> open(const std::filesystem::path& folder, Durability durability);

  Result<void> put(NewEntry entry) override;
  Result<std::vector<std::shared_ptr<const Entry>>> exact(const base::Digest& exact_key, const Filter& filter) const override;
  Result<Nearest> nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k, Similarity floor,
                          const Filter& filter) const override;
  Result<std::optional<Entry>> get(std::string_view id, TimePoint now) const override;
  void touch(std::string_view id, TimePoint now) const override;
  Result<bool> erase(std::string_view id) override;
  Result<std::uint64_t> erase(std::string_view scope, const Attributes& attributes) override;
  Result<std::uint64_t> clear(std::optional<std::string_view> scope) override;
  Result<std::uint64_t> sweep(TimePoint now) override;
  StoreStats stats() const override;

 private:
  Result<std::uint64_t> submit(Write write);
  bool joins(std::span<Write* const> batch, const Write& next) const;
  void commit(std::span<Write* const> batch);
  Result<void> attempt(std::span<Write* const> batch);
  Result<void> perform(Write& write, Transaction& transaction);
  Result<std::uint64_t> expire(Transaction& transaction, std::int64_t now_ms, std::size_t limit);
  Result<std::uint64_t> evict(Transaction& transaction, double& clock);

  Result<std::shared_ptr<const Entry>> text(const Snapshot& found) const;
  // Blocks until the commit that is under way, if any, is visible.
  void await_commit() const { std::lock_guard wait(commit_mutex_); }
  void observe(std::int64_t now_ms) const { last_now_ms_.store(now_ms, std::memory_order_relaxed); }

  const std::uint64_t max_bytes_;  // 0: unbounded.
  std::optional<FolderLock> lock_;
  std::unique_ptr<EntryTable> table_;   // Null: in memory only.
  std::unique_ptr<TextReader> reader_;  // Null: in memory only.
  Residents residents_;
  mutable TextCache texts_;

  WriteQueue<Write> queue_;
  mutable std::mutex commit_mutex_;  // Held from the beginning of a transaction until memory shows it.
  std::int64_t next_row_ = 1;

  // The time as readers last gave it: a put's own time may lie in the past or the future.
  mutable std::atomic<std::int64_t> last_now_ms_{0};
  std::atomic<std::uint64_t> stored_{0}, evicted_{0}, expired_{0}, erased_{0};
};

Result<void> EmbeddedStore::open(const std::filesystem::path& folder, Durability durability) {
  if (folder.empty()) return {};
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) return folder_error(failed.value(), "make the folder", folder);
  if (!std::filesystem::is_directory(folder, failed)) return folder_error(ENOTDIR, "use", folder);
  auto lock = FolderLock::acquire(folder);
  if (!lock) return std::move(lock).error();
  lock_.emplace(*std::move(lock));

  const std::filesystem::path file = folder / "sosie.db";
  // Asked first: SQLite would open the file for reading, and leave a log there that nobody can write.
  if (::faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) != 0 && errno != ENOENT) return folder_error(errno, "write", file);
  const auto named = [&](Error error) {
    error.message = file.string() + ": " + error.message;
    return error;
  };
  auto table = EntryTable::open(file, durability);
  if (!table) return named(std::move(table).error());
  table_ = std::make_unique<EntryTable>(*std::move(table));
  auto loaded = table_->load([this](StoredEntry entry, std::span<const float> vector) -> Result<void> {
    const auto id = parse_id(entry.id);
    const auto dimension = residents_.dimension(entry.partition);
    if (!id || residents_.record(*id) != nullptr || (dimension && *dimension != vector.size()) || !all_finite(vector)) {
      return Error{ErrorCode::data_corruption,
                   "an entry contradicts the others: restore the file, or move it away to start anew"};
    }
    next_row_ = entry.row + 1;
    residents_.add(residents_.make(std::move(entry)), vector);
    return {};
  });
  if (!loaded) {
    table_.reset();
    return named(std::move(loaded).error());
  }
  // The new files' names must survive a power cut as well.
  if (const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
    (void)::fsync(descriptor);
    ::close(descriptor);
  }
  reader_ = std::make_unique<TextReader>(file);
  if (auto settled = submit({Settle{}}); !settled) {
    if (settled.error().code != ErrorCode::resource_exhausted) return std::move(settled).error();
    // The disk is full: reading works, and a lowered bound is reached when there is room.
    base::log_warning("the store opens, but cannot write: " + std::move(settled).error().message);
  }
  return {};
}

// ---- Writing -------------------------------------------------------------------------------------------------------

Result<std::uint64_t> EmbeddedStore::submit(Write write) {
  queue_.submit(
      write, [this](std::span<Write* const> batch, const Write& next) { return joins(batch, next); },
      [this](std::span<Write* const> batch) { commit(batch); });
  return std::move(write.result);
}

bool EmbeddedStore::joins(std::span<Write* const> batch, const Write& next) const {
  if (next.alone() || batch.front()->alone() || batch.size() >= kMostWritesPerCommit) return false;
  std::uint64_t bytes = next.bytes();
  for (const Write* write : batch) bytes += write->bytes();
  // Together the new entries must fit under the bound, so that eviction never needs to look among them.
  return bytes <= kMostBytesPerCommit && (max_bytes_ == 0 || bytes <= max_bytes_);
}

void EmbeddedStore::commit(std::span<Write* const> batch) {
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

Result<void> EmbeddedStore::attempt(std::span<Write* const> batch) {
  Transaction transaction(table_.get(), residents_, texts_);
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
  stored_ += stored;
  erased_ += erased;
  expired_ += expired;
  evicted_ += evicted;
  return {};
}

Result<void> EmbeddedStore::perform(Write& write, Transaction& transaction) {
  if (Put* put = std::get_if<Put>(&write.task)) {
    const auto dimension = transaction.dimension(put->keys.partition);
    if (dimension && *dimension != put->keys.vector.size()) {
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

Result<std::uint64_t> EmbeddedStore::expire(Transaction& transaction, std::int64_t now_ms, std::size_t limit) {
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

Result<std::uint64_t> EmbeddedStore::evict(Transaction& transaction, double& clock) {
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

Result<void> EmbeddedStore::put(NewEntry entry) {
  const auto id = parse_id(entry.entry.id);
  if (!id) return Error{ErrorCode::invalid_argument, "an entry's id must be 32 lower-case hex digits"};
  if (entry.vector.empty() || !all_finite(entry.vector)) {
    return Error{ErrorCode::invalid_argument, "an entry's vector must not be empty, and its floats must be finite"};
  }
  if (!(entry.cost >= 0) || !std::isfinite(entry.cost)) return Error{ErrorCode::invalid_argument, "a cost must be finite and >= 0"};
  if (entry.sliding_ttl && entry.sliding_ttl->count() <= 0) return Error{ErrorCode::invalid_argument, "a sliding ttl must be > 0"};
  const std::uint64_t bytes = bytes_of(entry.entry, entry);
  if (max_bytes_ != 0 && bytes > max_bytes_) {
    return Error{ErrorCode::resource_exhausted, "the entry has " + std::to_string(bytes) + " bytes, the whole store may have " +
                                                    std::to_string(max_bytes_) + ": raise the bound"};
  }
  auto shared = std::make_shared<const Entry>(std::move(entry.entry));
  auto stored = submit({Put{std::move(entry), std::move(shared), *id, bytes}});
  if (!stored) return std::move(stored).error();
  return {};
}

Result<bool> EmbeddedStore::erase(std::string_view id) {
  const auto parsed = parse_id(id);
  if (!parsed) return false;
  auto erased = submit({Erase{*parsed}});
  if (!erased) return std::move(erased).error();
  return *erased > 0;
}

Result<std::uint64_t> EmbeddedStore::erase(std::string_view scope, const Attributes& attributes) {
  return submit({EraseAll{[&](const Record& record) { return *record.scope == scope && record.matches(attributes); }}});
}

Result<std::uint64_t> EmbeddedStore::clear(std::optional<std::string_view> scope) {
  if (!scope) return submit({EraseAll{}});
  return submit({EraseAll{[wanted = *scope](const Record& record) { return *record.scope == wanted; }}});
}

Result<std::uint64_t> EmbeddedStore::sweep(TimePoint now) {
  observe(milliseconds(now));
  return submit({Sweep{milliseconds(now)}});
}

// ---- Reading -------------------------------------------------------------------------------------------------------

// Null where the row is gone: replaced or removed since it was found.
Result<std::shared_ptr<const Entry>> EmbeddedStore::text(const Snapshot& found) const {
  const auto expires = found.expires_ms == kNever ? std::nullopt
                                                  : std::optional(TimePoint(std::chrono::milliseconds(found.expires_ms)));
  if (auto kept = texts_.find(found.row); kept != nullptr) {
    if (kept->expires == expires) return kept;
    auto moved = std::make_shared<Entry>(*kept);
    moved->expires = expires;
    return std::shared_ptr<const Entry>(std::move(moved));
  }
  if (reader_ == nullptr) return std::shared_ptr<const Entry>();
  auto texts = reader_->read(found.row);
  if (!texts) {
    Error error = std::move(texts).error();
    if (error.code == ErrorCode::data_corruption) error.message += "; entry " + format_id(found.id);
    return error;
  }
  if (!*texts) return std::shared_ptr<const Entry>();
  auto entry = std::make_shared<const Entry>(Entry{
      .id = format_id(found.id),
      .scope = *found.scope,
      .prompt = std::move((*texts)->prompt),
      .response = std::move((*texts)->response),
      .attributes = found.attributes != nullptr ? *found.attributes : Attributes(),
      .created = TimePoint(std::chrono::milliseconds(found.created_ms)),
      .expires = expires,
  });
  texts_.insert(found.row, entry);
  return entry;
}

Result<std::vector<std::shared_ptr<const Entry>>> EmbeddedStore::exact(const base::Digest& exact_key, const Filter& filter) const {
  observe(milliseconds(filter.now));
  for (int race = 1;; ++race) {
    std::vector<std::shared_ptr<const Entry>> entries;
    bool lost = false;
    for (const Snapshot& found : residents_.exact(exact_key, filter)) {
      auto entry = text(found);
      if (!entry) return std::move(entry).error();
      if (*entry == nullptr) {
        lost = true;
      } else {
        entries.push_back(*std::move(entry));
      }
    }
    if (!lost || race == kMostRaces) return entries;
    await_commit();
  }
}

Result<Nearest> EmbeddedStore::nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k,
                                       Similarity floor, const Filter& filter) const {
  observe(milliseconds(filter.now));
  if (k == 0) return Error{ErrorCode::invalid_argument, "at least one neighbour must be asked for"};
  if (!all_finite(vector)) return Error{ErrorCode::invalid_argument, "a vector's floats must be finite"};
  const bool filters = filter.not_before || (filter.attributes != nullptr && !filter.attributes->empty());
  for (int race = 1;; ++race) {
    auto near = residents_.nearest(partition, vector, {.k = k, .floor = floor, .may_reject = filters}, filter);
    if (!near) return std::move(near).error();
    Nearest nearest;
    if (near->nearest) nearest.nearest = Similarity{*near->nearest};
    nearest.filtered = near->rejected;
    bool lost = false;
    for (const auto& [found, similarity] : near->found) {
      auto entry = text(found);
      if (!entry) return std::move(entry).error();
      if (*entry == nullptr) {
        lost = true;
      } else {
        nearest.found.push_back({*std::move(entry), Similarity{similarity}});
      }
    }
    if (!lost || race == kMostRaces) return nearest;
    await_commit();
  }
}

Result<std::optional<Entry>> EmbeddedStore::get(std::string_view id, TimePoint now) const {
  observe(milliseconds(now));
  const auto parsed = parse_id(id);
  if (!parsed) return std::optional<Entry>();
  for (int race = 1;; ++race) {
    const auto found = residents_.find(*parsed, milliseconds(now));
    if (!found) return std::optional<Entry>();
    auto entry = text(*found);
    if (!entry) return std::move(entry).error();
    if (*entry != nullptr) return std::optional<Entry>(**entry);
    if (race == kMostRaces) return std::optional<Entry>();
    await_commit();
  }
}

void EmbeddedStore::touch(std::string_view id, TimePoint now) const {
  if (const auto parsed = parse_id(id)) residents_.touch(*parsed, milliseconds(now));
}

StoreStats EmbeddedStore::stats() const {
  return {.entries = residents_.size(),
          .bytes = residents_.bytes(),
          .scopes = residents_.scopes(),
          .stored = stored_,
          .evicted = evicted_,
          .expired = expired_,
          .erased = erased_};
}

}  // namespace

Result<std::unique_ptr<Store>> open_embedded_store(EmbeddedStoreOptions options) {
  auto store = std::make_unique<EmbeddedStore>(options);
  if (auto opened = store->open(options.folder, options.durability); !opened) return std::move(opened).error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace sosie::store
