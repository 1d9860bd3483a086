#include "store/rebuild.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "store/checksum.h"
#include "store/entry_row.h"
#include "store/entry_table.h"
#include "store/folder_lock.h"
#include "store/sqlite.h"

namespace sosie::store {
namespace {

constexpr std::size_t kPageBytes = 8192;
constexpr std::uint64_t kEntriesPerCommit = 256;
constexpr std::uint64_t kBytesPerCommit = std::uint64_t{16} << 20;
// How far ahead the first readable row behind a damaged place is looked for.
constexpr std::int64_t kFarthest = std::int64_t{1} << 40;

std::filesystem::path with_suffix(std::filesystem::path file, const char* suffix) { return file += suffix; }

TimePoint to_time(std::int64_t ms) { return TimePoint(std::chrono::milliseconds(ms)); }

bool has_our_tables(Connection& connection) {
  const auto tables = connection.number("SELECT count(*) FROM sqlite_master WHERE name IN ('entries','attributes','usage')");
  const auto first = tables ? connection.number("SELECT count(*) FROM (SELECT row FROM entries LIMIT 1)") : tables;
  return first && *tables == 3;
}

// The first page holds the header and the schema, the same in every store: that of the new file does as well.
void replace_first_page(const std::filesystem::path& damaged, const std::filesystem::path& fresh) {
  std::array<char, kPageBytes> page;
  std::ifstream source(fresh, std::ios::binary);
  if (!source.read(page.data(), page.size())) return;
  std::fstream target(damaged, std::ios::binary | std::ios::in | std::ios::out);
  char second = 0;  // The root of the entries: a table's leaf, or an inner page.
  target.seekg(kPageBytes);
  if (!target.get(second) || (second != 13 && second != 5)) return;  // No store of ours at all.
  std::error_code failed;
  const auto pages = static_cast<std::uint32_t>(std::filesystem::file_size(damaged, failed) / kPageBytes);
  for (int i = 0; i < 4; ++i) page[static_cast<std::size_t>(28 + i)] = static_cast<char>(pages >> (24 - 8 * i));
  std::memset(page.data() + 32, 0, 8);  // No free pages are known of.
  target.seekp(0);
  target.write(page.data(), page.size());
}

/// Reads one damaged file row by row, past what cannot be read.
class Salvage {
 public:
  Salvage(Connection source, EntryTable& target, std::int64_t first_row) : source_(std::move(source)), target_(target), row_(first_row) {}

  Result<Rebuilt> run() {
    const std::string all = std::string("SELECT ") + kKeyColumns + ",texts_check,prompt,response FROM entries WHERE row>=?1 ORDER BY row";
    const char* others[] = {"SELECT row FROM entries WHERE row>=?1 ORDER BY row LIMIT 1", "SELECT name,value FROM attributes WHERE row=?1",
                            "SELECT hits,expires_ms FROM usage WHERE row=?1"};
    auto rows = source_.prepare(all);
    if (!rows) return done_;  // There is nothing that can be read.
    for (const char* sql : others) {
      auto statement = source_.prepare(sql);
      if (!statement) return done_;
      others_.push_back(*std::move(statement));
    }
    if (auto begun = target_.begin(); !begun) return std::move(begun).error();
    std::optional<std::int64_t> from = 1;
    while (from) {
      rows->bind(1, *from);
      bool broken = false;
      while (true) {
        auto more = rows->step();
        broken = !more;
        if (!more || !*more) break;
        from = std::max(*from, std::min(rows->number(0), kMostRows) + 1);  // Damage may number a row anyhow, or lead back.
        if (!keep(*rows)) {
          rows->reset();
          target_.rollback();  // The room has run out, or the new file fails: what was committed stays.
          return done_;
        }
      }
      rows->reset();
      from = broken ? behind(*from) : std::nullopt;
    }
    if (target_.commit()) {
      done_.kept += pending_;
    } else {
      target_.rollback();
    }
    return done_;
  }

 private:
  Statement& next() { return others_[0]; }
  Statement& attributes() { return others_[1]; }
  Statement& usage() { return others_[2]; }

  // The first row from `from` on; empty where there is none. An error: this place cannot be read.
  Result<std::optional<std::int64_t>> first_from(std::int64_t from) {
    auto more = next().bind(1, from).step();
    std::optional<std::int64_t> row;
    if (more && *more) row = next().number(0);
    next().reset();
    if (!more) return std::move(more).error();
    if (row && *row < from) return Error{ErrorCode::data_corruption, "its pages lead to what lies before"};
    return row;
  }

  // Where reading can go on behind a failure at `from`: always further on.
  std::optional<std::int64_t> behind(std::int64_t from) {
    if (from > kMostRows) return std::nullopt;
    auto here = first_from(from);
    if (here) {
      if (!*here || **here > kMostRows) return std::nullopt;
      ++done_.lost;  // Its own pages are damaged, the tables' are not.
      return **here + 1;
    }
    std::int64_t unreadable = from, readable = from;
    for (std::int64_t gap = 1; readable == from; gap *= 2) {
      if (gap > kFarthest) return std::nullopt;
      if (first_from(from + gap)) {
        readable = from + gap;
      } else {
        unreadable = from + gap;
      }
    }
    while (readable - unreadable > 1) {
      const std::int64_t middle = unreadable + (readable - unreadable) / 2;
      (first_from(middle) ? readable : unreadable) = middle;
    }
    done_.lost += static_cast<std::uint64_t>(readable - from);
    return readable;
  }

  // False: the new file takes no more.
  bool keep(const Statement& columns) {
    std::string id(columns.bytes(1));
    if (ids_.contains(id)) return true;  // Read before.
    Attributes of_entry;
    auto more = attributes().bind(1, columns.number(0)).step();
    for (; more && *more; more = attributes().step()) of_entry.emplace(attributes().bytes(0), attributes().bytes(1));
    attributes().reset();
    std::vector<float> vector;
    auto stored = read_keys(columns, std::move(of_entry), vector);
    const std::string_view prompt = columns.bytes(kKeyColumnCount + 1), response = columns.bytes(kKeyColumnCount + 2);
    const bool is_whole = stored && columns.number(kKeyColumnCount) == checksum(response, checksum(prompt));
    if (!is_whole) {
      ++done_.lost;
      return true;
    }
    ids_.insert(std::move(id));
    Entry entry{.scope = std::move(stored->scope), .prompt = std::string(prompt), .response = std::string(response)};
    entry.id = std::move(stored->id);
    entry.attributes = std::move(stored->attributes);
    entry.created = to_time(stored->created_ms);
    if (stored->expires_ms != kNever) entry.expires = to_time(stored->expires_ms);
    entry.exact_only = vector.empty();
    NewEntry keys{.exact_key = stored->exact_key, .partition = stored->partition, .vector = std::move(vector), .cost = stored->cost};
    if (stored->sliding_ttl_ms > 0) keys.sliding_ttl = std::chrono::milliseconds(stored->sliding_ttl_ms);
    if (!target_.insert(row_, entry, keys)) return false;
    if (auto used = usage().bind(1, columns.number(0)).step(); used && *used) {
      const std::int64_t expires = usage().is_null(1) ? kNever : usage().number(1);
      if (!target_.save_usage(row_, static_cast<std::uint32_t>(usage().number(0)), expires)) return false;
    }
    usage().reset();
    ++row_;
    pending_bytes_ += prompt.size() + response.size();
    if (++pending_ >= kEntriesPerCommit || pending_bytes_ >= kBytesPerCommit) {
      if (!target_.commit() || !target_.begin()) return false;
      done_.kept += std::exchange(pending_, 0);
      pending_bytes_ = 0;
    }
    return true;
  }

  Connection source_;
  std::vector<Statement> others_;
  EntryTable& target_;
  std::int64_t row_;
  std::unordered_set<std::string> ids_;
  std::uint64_t pending_ = 0, pending_bytes_ = 0;
  Rebuilt done_;
};

Result<void> move_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return folder_error(errno, "rename", from);
  return {};
}

}  // namespace

std::filesystem::path damaged_name(const std::filesystem::path& file) { return with_suffix(file, ".damaged"); }

void remove_database(const std::filesystem::path& file) {
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(with_suffix(file, suffix), ignored);
}

Result<Rebuilt> rebuild(const std::filesystem::path& file, std::int64_t first_row) {
  const std::filesystem::path fresh = with_suffix(file, ".rebuilt"), aside = damaged_name(file);
  remove_database(fresh);
  if (const int descriptor = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600); descriptor >= 0) ::close(descriptor);
  Rebuilt done;
  {
    // What is flushed is the file as a whole, when it closes.
    auto target = EntryTable::open(fresh, Durability::process_crash);
    if (!target) return std::move(target).error();
    auto source = Connection::open(file, Connection::Absent::fail);
    if (!source || !has_our_tables(*source)) {
      source = Error{};  // Closed, so that its pages are read again.
      if (target->checkpoint()) replace_first_page(file, fresh);
      source = Connection::open(file, Connection::Absent::fail);
    }
    if (source) {
      auto salvaged = Salvage(*std::move(source), *target, first_row).run();
      if (!salvaged) return std::move(salvaged).error();
      done = *salvaged;
    }
  }
  remove_database(aside);
  for (const char* suffix : {"", "-wal"}) {
    if (auto moved = move_file(with_suffix(file, suffix), with_suffix(aside, suffix)); !moved) return std::move(moved).error();
  }
  std::error_code ignored;
  std::filesystem::remove(with_suffix(file, "-shm"), ignored);
  if (auto moved = move_file(fresh, file); !moved) return std::move(moved).error();
  return done;
}

}  // namespace sosie::store
