// entry_table.h: the schema of sosie.db and every statement that writes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "sosie/cache.h"
#include "store/open_files.h"
#include "store/sqlite.h"
#include "store/store.h"

namespace sosie::store {

/// Milliseconds since 1970; an entry that never expires has kNever.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// The highest number of a row: far more than can ever be written.
inline constexpr std::int64_t kMostRows = std::int64_t{1} << 60;

/// What is read of an entry when a store opens: everything but its texts.
struct StoredEntry {
  std::int64_t row = 0;  ///< Names this version of the entry; a replaced entry gets a new, higher one.
  EntryId id;
  std::string scope;
  base::Digest exact_key{}, partition{};
  std::size_t dimension = 0;  ///< Floats in the vector. 0: the entry is exact-only.
  Attributes attributes;
  std::int64_t created_ms = 0, expires_ms = kNever;
  std::int64_t sliding_ttl_ms = 0;  ///< 0: does not slide.
  double cost = 0;
  std::uint32_t hits = 0;
  bool has_usage = false;  ///< There is a row of hits and expiry.
  std::uint64_t prompt_bytes = 0, response_bytes = 0;
};

/// The tables, over one connection. Thread-safety: one thread at a time.
class EntryTable {
 public:
  /// Opens or creates `file`.
  ///
  /// Errors: data_corruption (no SQLite file, damaged, or another program's), unsupported (a newer sosie wrote it; the
  /// file system has no shared memory for WAL), permission_denied, resource_exhausted, unavailable.
  static Result<EntryTable> open(const std::filesystem::path& file, Durability durability);

  /// Whether a file that `open` refuses is the database of another program, undamaged.
  static bool belongs_to_another(const std::filesystem::path& file);

  struct Loaded {
    std::vector<std::int64_t> damaged;  ///< Rows that are not as they were written, or that `take` refused.
    std::int64_t last_row = 0;          ///< The highest in use.
    std::string note;                   ///< See `save_note`.
  };
  /// Calls `take` with every sound entry and its vector, oldest first; it says whether the entry fits those before.
  /// Errors: data_corruption (the rows cannot be read one after the other).
  using Take = std::function<bool(StoredEntry entry, std::span<const float> vector)>;
  Result<Loaded> load(const Take& take);

  /// The files as they were when it was opened.
  std::shared_ptr<const OpenFiles> files() const { return files_; }

  /// Brings the log into the file, and gives its space back.
  Result<void> checkpoint();

  /// Afterwards nothing works until another one is assigned.
  void close() noexcept;
  bool is_open() const noexcept { return statements_ != nullptr; }

  Result<void> begin();
  /// Errors: also unavailable (the file was taken away: what was written is lost).
  Result<void> commit();
  void rollback() noexcept;  ///< Does nothing outside a transaction.

  /// Those below belong inside a transaction.
  Result<void> insert(std::int64_t row, const Entry& entry, const NewEntry& keys);
  Result<void> remove(std::int64_t row, bool has_attributes, bool has_usage);
  Result<void> remove_all();
  Result<void> save_usage(std::int64_t row, std::uint32_t hits, std::int64_t expires_ms);
  /// Gives the entry's row another partition and vector. `entry` is as it will be.
  Result<void> move(const StoredEntry& entry, std::span<const float> vector);
  /// One text of the store's own, which goes with the entries when all are removed, or when the file is rebuilt.
  Result<void> save_note(std::string_view note);

 private:
  struct Statements;
  explicit EntryTable(Connection connection) : connection_(std::make_unique<Connection>(std::move(connection))) {}
  Result<void> create();
  Result<void> check();
  Result<void> prepare();
  /// Within the transaction, so that an older sosie never meets an entry that it cannot read.
  Result<void> raise_format();

  std::unique_ptr<Connection> connection_;  // Before the statements: they must go first.
  std::shared_ptr<Statements> statements_;
  std::shared_ptr<const OpenFiles> files_;
  bool is_raised_ = false;  // The file says already that it may hold entries without a vector.
};

}  // namespace sosie::store
