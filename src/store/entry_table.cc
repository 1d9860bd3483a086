#include "store/entry_table.h"

#include <bit>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <utility>

#include "store/checksum.h"

namespace sosie::store {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors are stored as little-endian floats");

constexpr std::int64_t kApplicationId = 0x736f7369;  // "sosi"
// Format 2 is format 1 with entries that have no vector. A file becomes one with the first of them: until then an older sosie
// reads it, too.
constexpr std::int64_t kFormatVersion = 1, kNewestFormatVersion = 2;

// The vector stands before the texts, so that loading never walks a long text's overflow pages. Hits and sliding expiry
// change often and stand in a narrow table of their own. Rows are numbered in the order of writing: inserts append.
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

Error corrupt(const char* what) {
  return {ErrorCode::data_corruption,
          std::string("an entry holds a bad ") + what + ": restore the file, or move it away to start anew"};
}

// Any SQL error on our own, checked schema means that the file is not what it says.
Error as_corruption(Error error) {
  if (error.code == ErrorCode::internal) error.code = ErrorCode::data_corruption;
  return error;
}

std::int64_t milliseconds(TimePoint time) { return time.time_since_epoch().count(); }

void bind_time(Statement& statement, int parameter, std::int64_t ms) {
  if (ms == kNever) {
    statement.bind_null(parameter);
  } else {
    statement.bind(parameter, ms);
  }
}

std::string_view as_bytes(const base::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Over everything but the texts, which are not read when a store opens.
std::int64_t keys_check(std::string_view id, std::string_view scope, const base::Digest& exact_key, const base::Digest& partition,
                        std::string_view vector, const Attributes& attributes, std::initializer_list<std::int64_t> numbers) {
  std::int64_t sum = checksum(vector, checksum(as_bytes(partition), checksum(as_bytes(exact_key), checksum(scope, checksum(id)))));
  for (const auto& [name, value] : attributes) sum = checksum(value, checksum(name, sum));
  return checksum({reinterpret_cast<const char*>(numbers.begin()), numbers.size() * sizeof(std::int64_t)}, sum);
}

bool to_digest(std::string_view bytes, base::Digest& digest) {
  if (bytes.size() != digest.size()) return false;
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return true;
}

}  // namespace

struct EntryTable::Statements {
  Statement begin, commit, insert, insert_attribute, remove, remove_attributes, remove_usage, save_usage;
};

Result<EntryTable> EntryTable::open(const std::filesystem::path& file, Durability durability) {
  auto connection = Connection::open(file, Connection::Absent::create);
  if (!connection) return std::move(connection).error();
  EntryTable table(*std::move(connection));
  if (auto checked = table.check(); !checked) return std::move(checked).error();
  const char* synchronous =
      durability == Durability::power_loss ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  if (auto set = table.connection_->run(synchronous); !set) return std::move(set).error();
  if (auto prepared = table.prepare(); !prepared) return as_corruption(std::move(prepared).error());
  return table;
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
    return Error{ErrorCode::permission_denied, "cannot be written: check its owner and mode"};
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
  };
  std::vector<Statement> made;
  for (const char* text : sql) {
    auto statement = connection_->prepare(text);
    if (!statement) return std::move(statement).error();
    made.push_back(*std::move(statement));
  }
  statements_ = std::make_shared<Statements>(Statements{std::move(made[0]), std::move(made[1]), std::move(made[2]),
                                                        std::move(made[3]), std::move(made[4]), std::move(made[5]),
                                                        std::move(made[6]), std::move(made[7])});
  return {};
}

Result<void> EntryTable::load(const Take& take) {
  // Three cursors in the same order, merged.
  auto entries = connection_->prepare(
      "SELECT row,id,scope,exact_key,partition,created_ms,expires_ms,sliding_ttl_ms,cost,keys_check,vector,length(prompt),"
      "length(response) FROM entries ORDER BY row");
  if (!entries) return as_corruption(std::move(entries).error());
  auto attributes = connection_->prepare("SELECT row,name,value FROM attributes ORDER BY row");
  if (!attributes) return as_corruption(std::move(attributes).error());
  auto usage = connection_->prepare("SELECT row,hits,expires_ms FROM usage ORDER BY row");
  if (!usage) return as_corruption(std::move(usage).error());
  auto more_attributes = attributes->step();
  if (!more_attributes) return std::move(more_attributes).error();
  auto more_usage = usage->step();
  if (!more_usage) return std::move(more_usage).error();

  std::vector<float> vector;
  while (true) {
    auto more = entries->step();
    if (!more) return std::move(more).error();
    if (!*more) return {};
    StoredEntry entry;
    entry.row = entries->number(0);
    entry.id = entries->bytes(1);
    entry.scope = entries->bytes(2);
    if (!to_digest(entries->bytes(3), entry.exact_key)) return corrupt("exact key");
    if (!to_digest(entries->bytes(4), entry.partition)) return corrupt("partition");
    entry.created_ms = entries->number(5);
    if (!entries->is_null(6)) entry.expires_ms = entries->number(6);
    entry.sliding_ttl_ms = entries->number(7);
    entry.cost = entries->real(8);
    entry.prompt_bytes = static_cast<std::uint64_t>(entries->number(11));
    entry.response_bytes = static_cast<std::uint64_t>(entries->number(12));
    const std::string_view floats = entries->bytes(10);
    if (floats.size() % sizeof(float) != 0) return corrupt("vector");
    vector.resize(floats.size() / sizeof(float));
    if (!floats.empty()) std::memcpy(vector.data(), floats.data(), floats.size());
    entry.dimension = vector.size();

    while (*more_attributes && attributes->number(0) <= entry.row) {
      if (attributes->number(0) == entry.row) entry.attributes.emplace(attributes->bytes(1), attributes->bytes(2));
      if (more_attributes = attributes->step(); !more_attributes) return std::move(more_attributes).error();
    }
    const std::int64_t check = keys_check(entry.id, entry.scope, entry.exact_key, entry.partition, floats, entry.attributes,
                                          {entry.created_ms, entry.expires_ms, entry.sliding_ttl_ms});
    if (entries->number(9) != check) return corrupt("checksum");
    while (*more_usage && usage->number(0) <= entry.row) {
      if (usage->number(0) == entry.row) {
        entry.has_usage = true;
        entry.hits = static_cast<std::uint32_t>(usage->number(1));
        if (!usage->is_null(2)) entry.expires_ms = usage->number(2);
      }
      if (more_usage = usage->step(); !more_usage) return std::move(more_usage).error();
    }
    if (auto taken = take(std::move(entry), vector); !taken) return taken;
  }
}

Result<void> EntryTable::begin() { return statements_->begin.run(); }
Result<void> EntryTable::commit() { return statements_->commit.run(); }

void EntryTable::rollback() noexcept {
  if (!connection_->in_transaction()) return;
  (void)connection_->run("ROLLBACK");
  is_raised_ = false;  // It may have been in this transaction; doing it again is harmless.
}

Result<void> EntryTable::insert(std::int64_t row, const Entry& entry, const NewEntry& keys) {
  const std::int64_t created = milliseconds(entry.created), expires = entry.expires ? milliseconds(*entry.expires) : kNever;
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

}  // namespace sosie::store
