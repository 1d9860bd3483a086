#include "store/embedded_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "store/disk_reserve.h"
#include "store/entry_table.h"
#include "store/finite.h"
#include "store/folder_lock.h"
#include "store/open_files.h"
#include "store/rebuild.h"
#include "store/residents.h"
#include "store/store_writer.h"
#include "store/text_cache.h"
#include "store/text_reader.h"

namespace sosie::store {
namespace {

// A reader that lost the race for a text against a writer tries again, so often.
constexpr int kMostRaces = 16;
// A file that is damaged again so soon after it was written anew is on a disk that nothing here can mend.
constexpr std::chrono::seconds kLeastLife{60};

using base::unix_milliseconds;

std::uint64_t bytes_of(const Entry& entry, const NewEntry& keys) {
  std::uint64_t bytes = entry.prompt.size() + entry.response.size() + keys.vector.size() * sizeof(float);
  for (const auto& [name, value] : entry.attributes) bytes += name.size() + value.size();
  return bytes;
}

/// What the store's note says: the encoder that the vectors in rows up to this one are for. Rows are numbered as they are written, so
/// that what another encoder, or another version, writes later lies above.
struct Noted {
  std::int64_t row = 0;
  std::string encoder;
};

std::string to_text(const Noted& noted) { return std::to_string(noted.row) + " " + noted.encoder; }

Noted read_note(std::string_view text) {
  Noted noted;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), noted.row);
  if (failed != std::errc() || noted.row < 0 || noted.row > kMostRows || end == text.data() + text.size()) return {};
  noted.encoder = std::string_view(end + 1, text.data() + text.size());
  return noted;
}

class EmbeddedStore final : public Store, private Remedies {
 public:
  explicit EmbeddedStore(const EmbeddedStoreOptions& options)
      : folder_(options.folder),
        file_(options.folder / "sosie.db"),
        durability_(options.durability),
        max_bytes_(options.max_bytes),
        texts_(options.folder.empty() ? UINT64_MAX : options.text_cache_bytes),
        reserve_(options.folder / "sosie.db-reserve") {}

  ~EmbeddedStore() override {
    if (table_ == nullptr || writer_ == nullptr) return;
    is_closing_ = true;
    if (auto settled = writer_->submit(Settle{}); !settled) {
      base::log_warning("hits and sliding expiries since the last write are not saved: " + std::move(settled).error().message);
    }
  }

  Result<void> open();

  Result<void> put(NewEntry entry) override;
  Result<std::vector<std::shared_ptr<const Entry>>> exact(const base::Digest& exact_key, const Filter& filter) const override;
  Result<Nearest> nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k, Similarity floor,
                          const Filter& filter) const override;
  Result<std::optional<Entry>> get(std::string_view id, TimePoint now) const override;
  Result<void> scan(TimePoint now, const std::function<bool(const Entry&)>& visit) const override;
  Result<std::uint64_t> scan_places(TimePoint now, std::string_view encoder, const std::function<void(const Place&)>& visit) const override;
  Result<void> note_encoder(std::string_view encoder, std::uint64_t mark) override;
  Result<std::uint64_t> move(std::span<const Move> moves) override;
  void touch(std::string_view id, TimePoint now) const override;
  Result<bool> erase(std::string_view id) override;
  Result<std::uint64_t> erase(std::string_view scope, const Attributes& attributes) override;
  Result<std::uint64_t> clear(std::optional<std::string_view> scope) override;
  Result<std::uint64_t> sweep(TimePoint now) override;
  bool may_have(std::string_view scope) const override { return residents_.may_have(scope); }
  Result<bool> has_others(std::string_view scope, const base::Digest& partition) const override {
    return residents_.has_others(scope, partition);
  }
  StoreStats stats() const override;
  Result<void> check() const override;
  bool is_local() const noexcept override { return true; }

 private:
  Result<void> make_folder();
  // Opens the file, rebuilt where it is damaged, and takes its entries in. Returns the next row number, at least `next_row`.
  Result<std::int64_t> read_file(std::int64_t next_row);
  Result<std::int64_t> load(EntryTable& table, std::int64_t next_row);
  Result<void> rebuild_file(std::int64_t next_row);
  void take_in(std::unique_ptr<Record> record, std::span<const float> vector);
  Error named(Error error) const {
    error.message = file_.string() + ": " + error.message;
    return error;
  }
  std::shared_ptr<const OpenFiles> files() const {
    std::lock_guard lock(files_mutex_);
    return files_;
  }
  // Closes all that is open on the file, and forgets what was read from it. Nothing is opened to be read while the lock lives.
  std::unique_lock<WriterFirstMutex> close_file();

  std::optional<std::int64_t> mend(const Error& error, std::int64_t next_row) override;
  void make_room() override;
  bool begin_anew() override;
  void keep_room() override { reserve_.hold(); }

  Result<std::shared_ptr<const Entry>> text(const Snapshot& found) const;
  // Null: there is none, or it does not live.
  Result<std::shared_ptr<const Entry>> entry(index::RowId id, TimePoint now) const;
  // Before a reader that lost a race looks again: mostly memory shows the new state already, else the commit under way must
  // become visible first.
  void before_next(int race) const {
    if (race > 1) writer_->await_commit();
  }

  const std::filesystem::path folder_, file_;
  const Durability durability_;
  const std::uint64_t max_bytes_;  // 0: unbounded.
  std::optional<FolderLock> lock_;
  std::unique_ptr<EntryTable> table_;   // Null: in memory only.
  std::unique_ptr<TextReader> reader_;  // Null: in memory only.
  mutable std::mutex files_mutex_;
  std::shared_ptr<const OpenFiles> files_;  // Null: in memory only.
  mutable std::mutex noted_mutex_;
  Noted noted_;
  Residents residents_;
  mutable TextCache texts_;
  DiskReserve reserve_;                            // The writer's.
  std::chrono::steady_clock::time_point rebuilt_{};  // The writer's: when the file was rebuilt last.
  std::atomic<std::uint64_t> damaged_{0};            // Entries dropped while the file was read.
  bool is_closing_ = false;                          // A file that is gone stays so.

  std::unique_ptr<StoreWriter> writer_;  // Set once the store is open.
};

Result<void> EmbeddedStore::make_folder() {
  std::error_code failed;
  const bool made = std::filesystem::create_directories(folder_, failed);
  if (failed) return folder_error(failed.value(), "make the folder", folder_);
  // Prompts and answers are nobody else's business.
  if (made) std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, failed);
  if (!std::filesystem::is_directory(folder_, failed)) return folder_error(ENOTDIR, "use", folder_);
  if (lock_ && lock_->is_there()) return {};
  auto lock = FolderLock::acquire(folder_);
  if (!lock) return std::move(lock).error();
  lock_.emplace(*std::move(lock));
  return {};
}

Result<void> EmbeddedStore::open() {
  if (folder_.empty()) {
    writer_ = std::make_unique<StoreWriter>(max_bytes_, 1, nullptr, nullptr, residents_, texts_);
    return {};
  }
  reader_ = std::make_unique<TextReader>(file_);
  if (auto made = make_folder(); !made) return made;
  auto next_row = read_file(1);
  if (!next_row) return std::move(next_row).error();
  reserve_.hold();
  writer_ = std::make_unique<StoreWriter>(max_bytes_, *next_row, table_.get(), static_cast<Remedies*>(this), residents_, texts_);
  if (auto settled = writer_->submit(Settle{}); !settled) {
    if (settled.error().code != ErrorCode::resource_exhausted) return std::move(settled).error();
    // The disk is full: reading works, and a lowered bound is reached when there is room.
    base::log_warning("the store opens, but cannot write: " + std::move(settled).error().message);
  }
  return {};
}

Result<std::int64_t> EmbeddedStore::read_file(std::int64_t next_row) {
  for (bool rebuilt = false;; rebuilt = true) {
    // Asked first: SQLite would open the file for reading, and leave a log there that nobody can write.
    if (::faccessat(AT_FDCWD, file_.c_str(), R_OK | W_OK, AT_EACCESS) != 0 && errno != ENOENT) return folder_error(errno, "write", file_);
    // Made here, so that nobody else may read it; SQLite gives its log the mode of the file.
    if (const int descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); descriptor >= 0) ::close(descriptor);
    const auto read = [&]() -> Result<std::int64_t> {
      auto table = EntryTable::open(file_, durability_);
      if (!table) return std::move(table).error();
      auto loaded = load(*table, next_row);
      if (!loaded) return loaded;
      const std::lock_guard lock(files_mutex_);
      files_ = table->files();
      if (table_ == nullptr) {
        table_ = std::make_unique<EntryTable>(*std::move(table));
      } else {
        *table_ = *std::move(table);
      }
      return loaded;
    };
    auto loaded = read();
    if (loaded) {
      // The new files' names must survive a power cut as well.
      if (const int descriptor = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); descriptor >= 0) {
        (void)::fsync(descriptor);
        ::close(descriptor);
      }
      return loaded;
    }
    residents_.clear();
    if (loaded.error().code != ErrorCode::data_corruption || rebuilt || EntryTable::belongs_to_another(file_)) {
      return named(std::move(loaded).error());
    }
    base::log_warning(file_.string() + " is damaged and is written anew: " + loaded.error().message);
    if (auto done = rebuild_file(next_row); !done) return std::move(done).error();
  }
}

Result<void> EmbeddedStore::rebuild_file(std::int64_t next_row) {
  auto saved = rebuild(file_, next_row);
  if (!saved) return named(std::move(saved).error());
  damaged_ += saved->lost;
  base::log_warning(std::to_string(saved->kept) + " entries were saved from it, " + std::to_string(saved->lost) +
                    " or more are lost; the damaged file is " + damaged_name(file_).string());
  return {};
}

void EmbeddedStore::take_in(std::unique_ptr<Record> record, std::span<const float> vector) {
  if (writer_ == nullptr) {
    residents_.add(std::move(record), vector);
    return;
  }
  std::vector<Change> change(1);  // There are readers.
  change[0].fresh = std::move(record);
  change[0].vector = vector;
  residents_.apply(std::move(change));
}

Result<std::int64_t> EmbeddedStore::load(EntryTable& table, std::int64_t next_row) {
  auto loaded = table.load([&](StoredEntry entry, std::span<const float> vector) {
    const auto id = parse_id(entry.id);
    const auto dimension = entry.dimension > 0 ? residents_.dimension(entry.partition) : std::nullopt;
    if (!id || residents_.record(*id) != nullptr || (dimension && *dimension != vector.size())) return false;
    take_in(residents_.make(std::move(entry)), vector);
    return true;
  });
  if (!loaded) return std::move(loaded).error();
  if (!loaded->damaged.empty()) {
    damaged_ += loaded->damaged.size();
    base::log_warning(std::to_string(loaded->damaged.size()) + " entries in " + file_.string() + " are damaged and are dropped");
    Result<void> done = table.begin();
    for (const std::int64_t row : loaded->damaged) {
      if (done) done = table.remove(row, true, true);
    }
    if (done) done = table.commit();
    if (!done) table.rollback();
    // On a full disk they stay in the file, where nobody sees them.
    if (!done && done.error().code == ErrorCode::data_corruption) return std::move(done).error();
  }
  const std::lock_guard lock(noted_mutex_);
  noted_ = read_note(loaded->note);
  return std::max({next_row, loaded->last_row + 1, noted_.row + 1});
}

std::unique_lock<WriterFirstMutex> EmbeddedStore::close_file() {
  auto closed = reader_->close();
  table_->close();
  residents_.clear();
  texts_.clear();
  return closed;
}

std::optional<std::int64_t> EmbeddedStore::mend(const Error& error, std::int64_t next_row) {
  if (is_closing_) return std::nullopt;
  std::error_code failed;
  const bool is_gone = !std::filesystem::exists(file_, failed) && !failed;
  // Of statements of our own on a schema of our own: where SQLite finds them wrong, it is the file that is.
  const bool is_damaged = (error.code == ErrorCode::data_corruption || error.code == ErrorCode::internal) && !is_gone;
  const bool is_closed = !table_->is_open();  // It could not be opened again the last time.
  if (!is_gone && !is_damaged && !is_closed) return std::nullopt;
  if (is_damaged) {
    const auto now = std::chrono::steady_clock::now();
    if (rebuilt_ != std::chrono::steady_clock::time_point() && now - rebuilt_ < kLeastLife) return std::nullopt;
    rebuilt_ = now;
    base::log_warning(file_.string() + " turned out to be damaged while it was in use: " + error.message);
  } else if (is_gone && !is_closed) {
    base::log_warning(file_.string() + " was deleted while it was in use: the store is begun anew, empty");
  }
  const auto closed = close_file();
  if (is_gone) remove_database(file_);  // A log without its file.
  const auto open_anew = [&]() -> Result<std::int64_t> {
    if (auto made = make_folder(); !made) return std::move(made).error();
    if (is_damaged) {
      if (auto done = rebuild_file(next_row); !done) return std::move(done).error();
    }
    return read_file(next_row);
  };
  auto opened = open_anew();
  if (!opened) {
    if (!is_closed) base::log_warning("the store cannot be begun anew, and takes nothing in: " + opened.error().message);
    return std::nullopt;
  }
  return *opened;
}

void EmbeddedStore::make_room() {
  reserve_.release();
  (void)table_->checkpoint();  // The log is gone then, which may be all that is needed.
}

bool EmbeddedStore::begin_anew() {
  const auto closed = close_file();
  remove_database(file_);
  base::log_warning("there is no room to remove the entries one by one: " + file_.string() + " is removed and begun anew");
  return read_file(1).has_value();
}

Result<void> EmbeddedStore::put(NewEntry entry) {
  const auto id = parse_id(entry.entry.id);
  if (!id) return Error{ErrorCode::invalid_argument, "an entry's id must be 32 lower-case hex digits"};
  if (entry.vector.empty() != entry.entry.exact_only || !all_finite(entry.vector)) {
    return Error{ErrorCode::invalid_argument, "an entry's vector must not be empty, unless it is exact-only, and its floats must be finite"};
  }
  if (!(entry.cost >= 0) || !std::isfinite(entry.cost)) return Error{ErrorCode::invalid_argument, "a cost must be finite and >= 0"};
  if (entry.sliding_ttl && entry.sliding_ttl->count() <= 0) return Error{ErrorCode::invalid_argument, "a sliding ttl must be > 0"};
  const std::uint64_t bytes = bytes_of(entry.entry, entry);
  if (max_bytes_ != 0 && bytes > max_bytes_) {
    return Error{ErrorCode::resource_exhausted, "the entry has " + std::to_string(bytes) + " bytes, the whole store may have " +
                                                    std::to_string(max_bytes_) + ": raise the bound"};
  }
  auto shared = std::make_shared<const Entry>(std::move(entry.entry));
  auto stored = writer_->submit(Put{std::move(entry), std::move(shared), *id, bytes});
  if (!stored) return std::move(stored).error();
  return {};
}

Result<bool> EmbeddedStore::erase(std::string_view id) {
  const auto parsed = parse_id(id);
  if (!parsed) return false;
  auto erased = writer_->submit(Erase{*parsed});
  if (!erased) return std::move(erased).error();
  return *erased > 0;
}

Result<std::uint64_t> EmbeddedStore::erase(std::string_view scope, const Attributes& attributes) {
  return writer_->submit(EraseAll{[&](const Record& record) { return *record.scope == scope && record.matches(attributes); }});
}

Result<std::uint64_t> EmbeddedStore::clear(std::optional<std::string_view> scope) {
  if (!scope) return writer_->submit(EraseAll{});
  return writer_->submit(EraseAll{[wanted = *scope](const Record& record) { return *record.scope == wanted; }});
}

Result<std::uint64_t> EmbeddedStore::sweep(TimePoint now) {
  writer_->observe(unix_milliseconds(now));
  return writer_->submit(Sweep{unix_milliseconds(now)});
}

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
    if (texts.error().code != ErrorCode::data_corruption) return std::move(texts).error();
    // It cannot answer any more, and would be in the way of an answer that can.
    base::log_warning("entry " + format_id(found.id) + " is dropped: " + texts.error().message);
    if (auto dropped = writer_->submit(Erase{found.id, found.row}); !dropped) return std::move(dropped).error();
    return std::shared_ptr<const Entry>();
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
      .exact_only = found.exact_only,
  });
  texts_.insert(found.row, entry);
  return entry;
}

Result<std::vector<std::shared_ptr<const Entry>>> EmbeddedStore::exact(const base::Digest& exact_key, const Filter& filter) const {
  writer_->observe(unix_milliseconds(filter.now));
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
    before_next(race);
  }
}

Result<Nearest> EmbeddedStore::nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k,
                                       Similarity floor, const Filter& filter) const {
  writer_->observe(unix_milliseconds(filter.now));
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
    before_next(race);
  }
}

Result<std::shared_ptr<const Entry>> EmbeddedStore::entry(index::RowId id, TimePoint now) const {
  for (int race = 1;; ++race) {
    const auto found = residents_.find(id, unix_milliseconds(now));
    if (!found) return std::shared_ptr<const Entry>();
    auto read = text(*found);
    if (!read || *read != nullptr || race == kMostRaces) return read;
    before_next(race);
  }
}

Result<std::optional<Entry>> EmbeddedStore::get(std::string_view id, TimePoint now) const {
  writer_->observe(unix_milliseconds(now));
  const auto parsed = parse_id(id);
  if (!parsed) return std::optional<Entry>();
  auto found = entry(*parsed, now);
  if (!found) return std::move(found).error();
  if (*found == nullptr) return std::optional<Entry>();
  return std::optional<Entry>(**found);
}

Result<void> EmbeddedStore::scan(TimePoint now, const std::function<bool(const Entry&)>& visit) const {
  writer_->observe(unix_milliseconds(now));
  for (const index::RowId& id : residents_.ids(unix_milliseconds(now))) {
    auto found = entry(id, now);
    if (!found) return std::move(found).error();
    if (*found != nullptr && !visit(**found)) break;
  }
  return {};
}

Result<std::uint64_t> EmbeddedStore::scan_places(TimePoint now, std::string_view encoder,
                                                 const std::function<void(const Place&)>& visit) const {
  writer_->observe(unix_milliseconds(now));
  std::int64_t mark = 0;
  {
    const std::lock_guard lock(noted_mutex_);
    if (noted_.encoder == encoder) mark = noted_.row;
  }
  for (const auto& place : residents_.places(unix_milliseconds(now), mark)) {
    visit({format_id(place.id), *place.scope, place.partition});
    mark = place.row;
  }
  return static_cast<std::uint64_t>(mark);
}

Result<void> EmbeddedStore::note_encoder(std::string_view encoder, std::uint64_t mark) {
  const Noted noted{static_cast<std::int64_t>(mark), std::string(encoder)};
  {
    const std::lock_guard lock(noted_mutex_);
    if (noted_.row == noted.row && (noted.row == 0 || noted_.encoder == encoder)) return {};
  }
  if (auto written = writer_->submit(Note{to_text(noted)}); !written) return std::move(written).error();
  const std::lock_guard lock(noted_mutex_);
  noted_ = noted;
  return {};
}

Result<std::uint64_t> EmbeddedStore::move(std::span<const Move> moves) {
  if (auto checked = check_moves(moves); !checked) return std::move(checked).error();
  return writer_->submit(MoveAll{moves});
}

void EmbeddedStore::touch(std::string_view id, TimePoint now) const {
  if (const auto parsed = parse_id(id)) residents_.touch(*parsed, unix_milliseconds(now));
}

StoreStats EmbeddedStore::stats() const {
  const WriteCounters& counters = writer_->counters();
  return {.entries = residents_.size(),
          .bytes = residents_.bytes(),
          .scopes = residents_.scopes(),
          .stored = counters.stored,
          .evicted = counters.evicted,
          .expired = counters.expired,
          .erased = counters.erased,
          .damaged = counters.damaged + damaged_};
}

Result<void> EmbeddedStore::check() const {
  const auto opened = files();
  if (opened == nullptr) return {};
  if (auto there = opened->check(); !there) return there;
  if (::faccessat(AT_FDCWD, file_.c_str(), R_OK | W_OK, AT_EACCESS) != 0) return folder_error(errno, "write", file_);
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_embedded_store(EmbeddedStoreOptions options) {
  auto store = std::make_unique<EmbeddedStore>(options);
  if (auto opened = store->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace sosie::store
