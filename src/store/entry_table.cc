#include "store/entry_table.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "store/checksum.h"
#include "store/entry_row.h"

namespace sosie::store {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors are stored as little-endian floats");

constexpr std::int64_t kApplicationId = 0x736f7369;  // "sosi"
// Format 2 is format 1 with entries that have no vector. A file becomes one with the first of them: until then an older sosie
// reads it, too.
constexpr std::int64_t kFormatVersion = 1, kNewestFormatVersion = 2;

// The vector stands before the texts, so that loading never walks a long text's overflow pages. Hits and sliding expiry
// change often and stand in a narrow table of their own. Rows are numbered in the order of writing: inserts append.
// Row 0 of the attributes is no entry's: its one value is the store's note, which older versions skip.
// The two checksums are over what is read at opening, and over prompt and response: a bad sector must not answer.
constexpr const char* kCreate = R"(
  CREATE TABLE entries(
    row            INTEGER PRIMARY KEY,
    id             BLOB NOT NULL,
    scope          BLOB NOT NULL,
    exact_key      BLOB NOT NULL,
    partition      BLOB NOT NULL,
    created_ms     INTEGER NOT NULL,
    expires_ms     INTEGER,
    sliding_ttl_ms INTEGER NOT NULL,
    cost           REAL NOT NULL,
    keys_check     INTEGER NOT NULL,
    texts_check    INTEGER NOT NULL,
    vector         BLOB NOT NULL,
    prompt         BLOB NOT NULL,
    response       BLOB NOT NULL) STRICT;
  CREATE TABLE attributes(
    row   INTEGER NOT NULL,
    name  BLOB NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY(row, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE usage(
    row        INTEGER PRIMARY KEY,
    hits       INTEGER NOT NULL,
    expires_ms INTEGER) STRICT;
)";

// Any SQL error on our own, checked schema means that the file is not what it says.
Error as_corruption(Error error) {
  if (error.code == ErrorCode::internal) error.code = ErrorCode::data_corruption;
  return error;
}

using base::unix_milliseconds;

void bind_time(Statement& statement, int parameter, std::int64_t ms) {
  if (ms == kNever) {
    statement.bind_null(parameter);
  } else {
    statement.bind(parameter, ms);
  }
}

}  // namespace

struct EntryTable::Statements {
  Statement begin, commit, insert, insert_attribute, remove, remove_attributes, remove_usage, save_usage, move, save_note;
};

Result<EntryTable> EntryTable::open(const std::filesystem::path& file, Durability durability) {
  auto connection = Connection::open(file, Connection::Absent::create);
  if (!connection) return std::move(connection).error();
  EntryTable table(*std::move(connection));
  if (auto checked = table.check(); !checked) return as_corruption(std::move(checked).error());
  const char* synchronous =
      durability == Durability::power_loss ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  if (auto set = table.connection_->run(synchronous); !set) return std::move(set).error();
  if (auto prepared = table.prepare(); !prepared) return as_corruption(std::move(prepared).error());
  table.files_ = std::make_shared<const OpenFiles>(file);
  return table;
}

bool EntryTable::belongs_to_another(const std::filesystem::path& file) {
  auto connection = Connection::open(file, Connection::Absent::fail);
  if (!connection) return false;
  const auto application = connection->number("PRAGMA application_id");
  if (!application || *application == kApplicationId) return false;
  const auto tables = connection->number("SELECT count(*) FROM sqlite_master");
  const auto ours = connection->number("SELECT count(*) FROM sqlite_master WHERE name IN ('entries','attributes','usage')");
  return tables && ours && *tables > 0 && *ours < 3;
}

Result<void> EntryTable::check() {
  auto application = connection_->number("PRAGMA application_id");
  if (!application) return std::move(application).error();
  auto version = connection_->number("PRAGMA user_version");
  if (!version) return std::move(version).error();
  auto tables = connection_->number("SELECT count(*) FROM sqlite_master");
  if (!tables) return std::move(tables).error();

  const bool fresh = *application == 0 && *version == 0 && *tables == 0;
  if (!fresh && *application != kApplicationId) {
    return Error{ErrorCode::data_corruption, "is another program's database: choose another data folder"};
  }
  if (*version > kNewestFormatVersion) {
    return Error{ErrorCode::unsupported, "has format " + std::to_string(*version) + ", this sosie reads " +
                                             std::to_string(kNewestFormatVersion) + ": use the newer sosie that wrote it"};
  }
  if (connection_->read_only()) {
    // Who opens a file looks first whether it may be written: it is its header that says no.
    return Error{ErrorCode::data_corruption, "says of itself that it can only be read"};
  }
  // Erased texts are overwritten; pages of 8 KiB hold most entries whole.
  if (auto set = connection_->run("PRAGMA page_size=8192; PRAGMA secure_delete=ON; PRAGMA journal_size_limit=67108864"); !set) {
    return set;
  }
  auto mode = connection_->text("PRAGMA journal_mode=WAL");
  if (!mode) return std::move(mode).error();
  if (*mode != "wal") {
    return Error{ErrorCode::unsupported,
                 "this file system cannot hold a write-ahead log: choose a local data folder"};
  }
  is_raised_ = *version == kNewestFormatVersion;
  if (fresh) return create();
  return {};
}

Result<void> EntryTable::raise_format() {
  if (is_raised_) return {};
  const std::string sql = "PRAGMA user_version=" + std::to_string(kNewestFormatVersion);
  auto raised = connection_->run(sql.c_str());
  is_raised_ = raised.has_value();
  return raised;
}

Result<void> EntryTable::create() {
  const std::string sql = std::string("BEGIN IMMEDIATE;") + kCreate + "PRAGMA application_id=" + std::to_string(kApplicationId) +
                          "; PRAGMA user_version=" + std::to_string(kFormatVersion) + "; COMMIT";
  auto created = connection_->run(sql.c_str());
  if (!created) rollback();
  return created;
}

Result<void> EntryTable::prepare() {
  const char* sql[] = {
      "BEGIN IMMEDIATE",
      "COMMIT",
      "INSERT INTO entries(row,id,scope,exact_key,partition,created_ms,expires_ms,sliding_ttl_ms,cost,keys_check,"
      "texts_check,vector,prompt,response) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
      "INSERT INTO attributes(row,name,value) VALUES(?1,?2,?3)",
      "DELETE FROM entries WHERE row=?1",
      "DELETE FROM attributes WHERE row=?1",
      "DELETE FROM usage WHERE row=?1",
      "INSERT INTO usage(row,hits,expires_ms) VALUES(?1,?2,?3)"
      " ON CONFLICT(row) DO UPDATE SET hits=excluded.hits, expires_ms=excluded.expires_ms",
      "UPDATE entries SET partition=?2, expires_ms=?3, keys_check=?4, vector=?5 WHERE row=?1",
      "INSERT INTO attributes(row,name,value) VALUES(0,x'',?1) ON CONFLICT(row,name) DO UPDATE SET value=excluded.value",
  };
  std::vector<Statement> made;
  for (const char* text : sql) {
    auto statement = connection_->prepare(text);
    if (!statement) return std::move(statement).error();
    made.push_back(*std::move(statement));
  }
  statements_ = std::make_shared<Statements>(Statements{std::move(made[0]), std::move(made[1]), std::move(made[2]),
                                                        std::move(made[3]), std::move(made[4]), std::move(made[5]),
                                                        std::move(made[6]), std::move(made[7]), std::move(made[8]),
                                                        std::move(made[9])});
  return {};
}

Result<EntryTable::Loaded> EntryTable::load(const Take& take) {
  // Three cursors in the same order, merged.
  auto entries = connection_->prepare(std::string("SELECT ") + kKeyColumns + ",length(prompt),length(response) FROM entries ORDER BY row");
  if (!entries) return as_corruption(std::move(entries).error());
  auto attributes = connection_->prepare("SELECT row,name,value FROM attributes ORDER BY row");
  if (!attributes) return as_corruption(std::move(attributes).error());
  auto usage = connection_->prepare("SELECT row,hits,expires_ms FROM usage ORDER BY row");
  if (!usage) return as_corruption(std::move(usage).error());
  auto more_attributes = attributes->step();
  if (!more_attributes) return as_corruption(std::move(more_attributes).error());
  auto more_usage = usage->step();
  if (!more_usage) return as_corruption(std::move(more_usage).error());

  auto note = connection_->text("SELECT value FROM attributes WHERE row=0");
  if (!note) return as_corruption(std::move(note).error());

  Loaded loaded{.note = *std::move(note)};
  std::vector<float> vector;
  while (true) {
    auto more = entries->step();
    if (!more) return as_corruption(std::move(more).error());
    if (!*more) break;
    const std::int64_t row = entries->number(0);
    if (row <= loaded.last_row || row > kMostRows) return Error{ErrorCode::data_corruption, "its rows are not numbered as they were written"};
    loaded.last_row = row;
    Attributes of_entry;
    while (*more_attributes && attributes->number(0) <= row) {
      if (attributes->number(0) == row) of_entry.emplace(attributes->bytes(1), attributes->bytes(2));
      if (more_attributes = attributes->step(); !more_attributes) return as_corruption(std::move(more_attributes).error());
    }
    auto entry = read_keys(*entries, std::move(of_entry), vector);
    while (*more_usage && usage->number(0) <= row) {
      if (usage->number(0) == row && entry) {
        entry->has_usage = true;
        entry->hits = static_cast<std::uint32_t>(usage->number(1));
        if (!usage->is_null(2)) entry->expires_ms = usage->number(2);
      }
      if (more_usage = usage->step(); !more_usage) return as_corruption(std::move(more_usage).error());
    }
    if (entry) {
      entry->prompt_bytes = static_cast<std::uint64_t>(entries->number(kKeyColumnCount));
      entry->response_bytes = static_cast<std::uint64_t>(entries->number(kKeyColumnCount + 1));
    }
    if (!entry || !take(*std::move(entry), vector)) loaded.damaged.push_back(row);
  }
  // A new row must not meet attributes or usage that a damaged one left behind.
  for (const char* last : {"SELECT max(row) FROM attributes", "SELECT max(row) FROM usage"}) {
    auto row = connection_->number(last);
    if (!row) return as_corruption(std::move(row).error());
    if (*row > kMostRows) return Error{ErrorCode::data_corruption, "its rows are not numbered as they were written"};
    loaded.last_row = std::max(loaded.last_row, *row);
  }
  return loaded;
}

Result<void> EntryTable::begin() {
  if (statements_ == nullptr) return Error{ErrorCode::unavailable, "the store's file was closed after a fault, and cannot be opened again"};
  return statements_->begin.run();
}

Result<void> EntryTable::commit() {
  if (auto committed = statements_->commit.run(); !committed) return committed;
  return files_->check();
}

Result<void> EntryTable::checkpoint() { return connection_ ? connection_->run("PRAGMA wal_checkpoint(TRUNCATE)") : Result<void>(); }

void EntryTable::close() noexcept {
  statements_.reset();
  connection_.reset();
}

void EntryTable::rollback() noexcept {
  if (connection_ == nullptr || !connection_->in_transaction()) return;
  (void)connection_->run("ROLLBACK");
  is_raised_ = false;  // It may have been in this transaction; doing it again is harmless.
}

Result<void> EntryTable::insert(std::int64_t row, const Entry& entry, const NewEntry& keys) {
  const std::int64_t created = unix_milliseconds(entry.created), expires = entry.expires ? unix_milliseconds(*entry.expires) : kNever;
  const std::int64_t sliding = keys.sliding_ttl ? keys.sliding_ttl->count() : 0;
  const std::string_view vector(reinterpret_cast<const char*>(keys.vector.data()), keys.vector.size() * sizeof(float));
  if (entry.exact_only) {
    if (auto raised = raise_format(); !raised) return raised;
  }
  Statement& insert = statements_->insert;
  insert.bind(1, row).bind(2, entry.id).bind(3, entry.scope).bind(4, keys.exact_key).bind(5, keys.partition).bind(6, created);
  bind_time(insert, 7, expires);
  insert.bind(8, sliding).bind(9, keys.cost);
  insert.bind(10, keys_check(entry.id, entry.scope, keys.exact_key, keys.partition, vector, entry.attributes,
                             {created, expires, sliding}));
  insert.bind(11, checksum(entry.response, checksum(entry.prompt)));
  insert.bind(12, vector).bind(13, entry.prompt).bind(14, entry.response);
  if (auto inserted = insert.run(); !inserted) return inserted;
  for (const auto& [name, value] : entry.attributes) {
    auto inserted = statements_->insert_attribute.bind(1, row).bind(2, name).bind(3, value).run();
    if (!inserted) return inserted;
  }
  return {};
}

Result<void> EntryTable::remove(std::int64_t row, bool has_attributes, bool has_usage) {
  if (auto removed = statements_->remove.bind(1, row).run(); !removed) return removed;
  if (has_attributes) {
    if (auto removed = statements_->remove_attributes.bind(1, row).run(); !removed) return removed;
  }
  if (has_usage) {
    if (auto removed = statements_->remove_usage.bind(1, row).run(); !removed) return removed;
  }
  return {};
}

Result<void> EntryTable::remove_all() { return connection_->run("DELETE FROM entries; DELETE FROM attributes; DELETE FROM usage"); }

Result<void> EntryTable::save_usage(std::int64_t row, std::uint32_t hits, std::int64_t expires_ms) {
  Statement& save = statements_->save_usage;
  save.bind(1, row).bind(2, std::int64_t{hits});
  bind_time(save, 3, expires_ms);
  return save.run();
}

Result<void> EntryTable::move(const StoredEntry& entry, std::span<const float> floats) {
  const std::string_view vector(reinterpret_cast<const char*>(floats.data()), floats.size_bytes());
  // Its expiry, too: what the checksum covers is what is known here, and a sliding one has moved.
  Statement& move = statements_->move;
  move.bind(1, entry.row).bind(2, entry.partition);
  bind_time(move, 3, entry.expires_ms);
  move.bind(4, keys_check(entry.id, entry.scope, entry.exact_key, entry.partition, vector, entry.attributes,
                          {entry.created_ms, entry.expires_ms, entry.sliding_ttl_ms}));
  return move.bind(5, vector).run();
}

Result<void> EntryTable::save_note(std::string_view note) { return statements_->save_note.bind(1, note).run(); }

}  // namespace sosie::store
