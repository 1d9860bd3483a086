#include "store/embedded_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "store/sqlite.h"
#include "store/store_conformance.h"

namespace sosie::store {
namespace {

using conformance::at;
using conformance::make_entry;
using conformance::without_vector;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sosie_store_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class OnDisk final : public Subject {
 public:
  OnDisk(Durability durability, std::uint64_t max_bytes, std::uint64_t text_cache_bytes = 1 << 20)
      : options_{.folder = folder_.path() / "made" / "here",
                 .durability = durability,
                 .max_bytes = max_bytes,
                 .text_cache_bytes = text_cache_bytes} {
    reopen();
  }
  Store& store() override { return *store_; }
  bool reopen() override {
    store_.reset();
    auto opened = open_embedded_store(options_);
    if (!opened) {
      ADD_FAILURE() << opened.error().message;
      std::abort();
    }
    store_ = *std::move(opened);
    return true;
  }

 private:
  TemporaryFolder folder_;
  EmbeddedStoreOptions options_;
  std::unique_ptr<Store> store_;
};

class InMemory final : public Subject {
 public:
  explicit InMemory(std::uint64_t max_bytes) : store_(*open_embedded_store({.max_bytes = max_bytes})) {}
  Store& store() override { return *store_; }
  bool reopen() override { return false; }

 private:
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(
    Embedded, StoreConformance,
    testing::Values(
        Maker{"disk_power_loss", [](std::uint64_t bound) { return std::make_unique<OnDisk>(Durability::power_loss, bound); }},
        Maker{"disk_process_crash", [](std::uint64_t bound) { return std::make_unique<OnDisk>(Durability::process_crash, bound); }},
        Maker{"disk_without_text_cache",
              [](std::uint64_t bound) { return std::make_unique<OnDisk>(Durability::process_crash, bound, 0); }},
        Maker{"memory", [](std::uint64_t bound) { return std::make_unique<InMemory>(bound); }}),
    [](const auto& tested) { return tested.param.name; });

std::unique_ptr<Store> open(const std::filesystem::path& folder, std::uint64_t max_bytes = 0) {
  auto store = open_embedded_store({.folder = folder, .durability = Durability::process_crash, .max_bytes = max_bytes});
  if (!store) {
    ADD_FAILURE() << store.error().message;
    return nullptr;
  }
  return *std::move(store);
}

std::optional<ErrorCode> open_error(const std::filesystem::path& folder) {
  auto store = open_embedded_store({.folder = folder});
  return store ? std::optional<ErrorCode>() : store.error().code;
}

NewEntry numbered(int i, std::size_t response_bytes = 100) {
  std::mt19937 random(static_cast<unsigned>(i));
  return make_entry("scope", "prompt " + std::to_string(i), std::string(response_bytes, 'r'), conformance::exact_unit(random), at(i));
}

std::string bytes_of(const std::filesystem::path& file) {
  std::string bytes(std::filesystem::file_size(file), '\0');
  std::ifstream(file, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

void replace_file(const std::filesystem::path& folder, const std::string& bytes) {
  for (const char* name : {"sosie.db-wal", "sosie.db-shm"}) std::filesystem::remove(folder / name);
  std::ofstream(folder / "sosie.db", std::ios::binary) << bytes;
}

void run_sql(const std::filesystem::path& file, const char* sql) {
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
  sqlite3_close(handle);
}

TEST(EmbeddedStore, ALoweredBoundHoldsFromTheNextOpening) {
  TemporaryFolder folder;
  {
    auto store = open(folder.path());
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store->put(numbered(i)));
    for (int touches = 0; touches < 3; ++touches) store->touch(numbered(7).entry.id, at(1000));
  }
  auto store = open(folder.path(), 5000);
  EXPECT_LE(store->stats().bytes, 5000u);
  EXPECT_GT(store->stats().entries, 10u);
  EXPECT_TRUE((*store->get(numbered(7).entry.id, at(1000))).has_value()) << "hits must survive closing";
}

// An older sosie takes an entry without a vector for a damaged one, so that it must refuse the file by its format.
TEST(EmbeddedStore, TheFormatRisesWithTheFirstEntryWithoutAVector) {
  TemporaryFolder folder;
  const auto file = folder.path() / "sosie.db";
  const auto format = [&] { return *(*Connection::open(file, Connection::Absent::fail)).number("PRAGMA user_version"); };
  ASSERT_TRUE(open(folder.path())->put(numbered(1)));
  EXPECT_EQ(format(), 1);
  for (int i = 2; i <= 3; ++i) {
    ASSERT_TRUE(open(folder.path())->put(conformance::without_vector(numbered(i))));
    EXPECT_EQ(format(), 2);
  }
  auto store = open(folder.path());
  for (int i = 1; i <= 3; ++i) {
    const auto got = store->get(numbered(i).entry.id, at(10));
    ASSERT_TRUE(got && got->has_value());
    EXPECT_EQ((*got)->exact_only, i > 1);
  }
}

TEST(EmbeddedStore, WhatAnEncodersPassHasSeenIsNotSeenAgain) {
  const TemporaryFolder folder;
  auto store = open(folder.path());
  const auto places = [&](std::string_view encoder, std::uint64_t* mark = nullptr) {
    std::vector<EntryId> ids;
    const auto scanned = store->scan_places(at(100), encoder, [&](const Place& place) { ids.push_back(place.id); });
    EXPECT_TRUE(scanned);
    if (mark != nullptr) *mark = *scanned;
    return ids;
  };
  const auto id = [](int i) { return numbered(i).entry.id; };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store->put(numbered(i)));
  ASSERT_TRUE(store->put(without_vector(numbered(3))));
  std::uint64_t mark = 0;
  EXPECT_EQ(places("A", &mark), (std::vector{id(0), id(1), id(2)}));
  ASSERT_TRUE(store->put(numbered(4)));  // Later than the pass has looked.
  ASSERT_TRUE(store->note_encoder("A", mark));
  EXPECT_EQ(places("A"), std::vector{id(4)});
  EXPECT_EQ(places("B").size(), 4u);

  store.reset();
  store = open(folder.path());
  EXPECT_EQ(places("A", &mark), std::vector{id(4)});
  ASSERT_TRUE(store->put(numbered(0)));  // Replaced: it may be another encoder's now.
  EXPECT_EQ(places("A"), (std::vector{id(4), id(0)}));

  // Numbers of rows that were noted are not given again.
  ASSERT_TRUE(store->note_encoder("A", mark));
  for (const int i : {0, 4}) ASSERT_TRUE(*store->erase(id(i)));
  store.reset();
  store = open(folder.path());
  ASSERT_TRUE(store->put(numbered(5)));
  EXPECT_EQ(places("A"), std::vector{id(5)});

  ASSERT_TRUE(store->note_encoder("B", 0));
  store.reset();
  store = open(folder.path());
  EXPECT_EQ(places("A").size(), 3u);
  ASSERT_TRUE(store->clear(std::nullopt));
  store.reset();
  store = open(folder.path());
  ASSERT_TRUE(store->put(numbered(6)));
  EXPECT_EQ(places("A"), std::vector{id(6)});
}

TEST(EmbeddedStore, OneProcessAtATime) {
  TemporaryFolder folder;
  auto store = open(folder.path());
  const auto second = open_embedded_store({.folder = folder.path()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
  store.reset();
  EXPECT_NE(open(folder.path()), nullptr);
}

TEST(EmbeddedStore, WhatIsNoStoreIsRefusedAndLeftAlone) {
  {
    TemporaryFolder folder;
    run_sql(folder.path() / "sosie.db", "CREATE TABLE mine(x); INSERT INTO mine VALUES(1)");
    EXPECT_EQ(open_error(folder.path()), ErrorCode::data_corruption);
    run_sql(folder.path() / "sosie.db", "SELECT x FROM mine");
  }
  {
    TemporaryFolder folder;
    ASSERT_NE(open(folder.path()), nullptr);
    run_sql(folder.path() / "sosie.db", "PRAGMA user_version=99");
    EXPECT_EQ(open_error(folder.path()), ErrorCode::unsupported);
  }
  {
    TemporaryFolder folder;
    std::ofstream(folder.path() / "file") << "x";
    EXPECT_EQ(open_error(folder.path() / "file"), ErrorCode::invalid_argument);
    EXPECT_EQ(open_error(folder.path() / "file" / "below"), ErrorCode::invalid_argument);
  }
}

TEST(EmbeddedStore, AFileThatCannotBeReadIsSetAside) {
  {
    TemporaryFolder folder;
    const std::string text(100'000, 'x');
    std::ofstream(folder.path() / "sosie.db") << text;
    auto store = open(folder.path());
    ASSERT_TRUE(store->put(numbered(1)));
    EXPECT_EQ(bytes_of(folder.path() / "sosie.db.damaged"), text);
  }
  {
    TemporaryFolder folder;
    ASSERT_TRUE(open(folder.path())->put(numbered(1)));
    run_sql(folder.path() / "sosie.db", "DROP TABLE usage");
    auto store = open(folder.path());
    EXPECT_TRUE(std::filesystem::exists(folder.path() / "sosie.db.damaged"));
    ASSERT_TRUE(store->put(numbered(2)));
  }
}

TEST(EmbeddedStore, ADamagedEntryIsDroppedAndCounted) {
  for (const char* damage :
       {"UPDATE entries SET id=x'00' WHERE row=3", "UPDATE entries SET id=(SELECT id FROM entries WHERE row=1) WHERE row=3",
        "UPDATE entries SET vector=x'0000' WHERE row=3", "UPDATE entries SET vector=x'' WHERE row=3",
        "UPDATE entries SET vector=x'0000803f' WHERE row=3", "UPDATE entries SET vector=CAST(x'0000c07f' || substr(vector,5) AS BLOB) WHERE row=3",
        "UPDATE entries SET scope=x'00' WHERE row=3", "UPDATE entries SET expires_ms=9 WHERE row=3",
        "DELETE FROM attributes WHERE row=3", "UPDATE entries SET exact_key=x'01' WHERE row=3", "UPDATE entries SET partition=x'01' WHERE row=3",
        "UPDATE entries SET response=x'00' WHERE row=3", "UPDATE entries SET prompt=x'' WHERE row=3"}) {
    SCOPED_TRACE(damage);
    TemporaryFolder folder;
    const auto entry = [](int i) {
      NewEntry made = numbered(i);
      made.entry.attributes = {{"i", std::to_string(i)}};
      return made;
    };
    {
      auto store = open(folder.path());
      for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store->put(entry(i)));
    }
    run_sql(folder.path() / "sosie.db", damage);
    for (const bool again : {false, true}) {
      auto store = open(folder.path());
      ASSERT_NE(store, nullptr);
      for (int i = 1; i <= 5; ++i) {
        const auto got = store->get(entry(i).entry.id, at(10));
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got->has_value(), i != 3) << i;
        if (*got) conformance::expect_equal(**got, entry(i).entry);
      }
      EXPECT_EQ(store->stats().damaged, again ? 0u : 1u) << "it is gone from the file";
      EXPECT_EQ(store->stats().entries, 4u);
    }
    auto store = open(folder.path());
    ASSERT_TRUE(store->put(entry(3)));
    conformance::expect_equal(**store->get(entry(3).entry.id, at(10)), entry(3).entry);
  }
}

// What may be there of `kEntries` after something happened to the file: an entry as it was, or none. Returns how many are.
template <class MakeEntry>
int expect_sound_entries(Store& store, int entries, const MakeEntry& entry) {
  int found = 0;
  for (int i = 0; i < entries; ++i) {
    const NewEntry wanted = entry(i);
    const auto got = store.get(wanted.entry.id, at(100'000));
    EXPECT_TRUE(got) << got.error().message;
    if (!got || !*got) continue;
    conformance::expect_equal(**got, wanted.entry);
    const auto near = store.nearest(wanted.partition, wanted.vector, 1, Similarity{0.9999}, {.now = at(100'000)});
    EXPECT_TRUE(near && near->found.size() == 1);
    ++found;
  }
  NewEntry fresh = numbered(1'000'000, 30'000);
  const auto put = store.put(fresh);
  EXPECT_TRUE(put) << put.error().message;
  const auto got = store.get(fresh.entry.id, at(2'000'000));
  EXPECT_TRUE(got && *got && (*got)->response == fresh.entry.response);
  return found;
}

TEST(EmbeddedStore, WholePagesMayBeDamaged) {
  TemporaryFolder folder;
  constexpr int kEntries = 200, kRounds = 40;
  const auto entry = [](int i) { return numbered(i, i % 2 == 0 ? 1000 : 30'000); };
  {
    auto store = open(folder.path());
    for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(store->put(entry(i)));
  }
  const std::string sound = bytes_of(folder.path() / "sosie.db");
  std::mt19937 random(3);
  int found = 0;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    // Whole pages of zeros or noise, and a cut file, as broken disks make them.
    std::string damaged = sound;
    const std::size_t page = random() % (damaged.size() / 8192) * 8192;
    if (round % 3 == 0) {
      std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(page), 8192, '\0');
    } else if (round % 3 == 1) {
      std::generate_n(damaged.begin() + static_cast<std::ptrdiff_t>(page), 8192, [&] { return static_cast<char>(random()); });
    } else {
      damaged.resize(std::max<std::size_t>(page, 8192));
    }
    replace_file(folder.path(), damaged);
    auto store = open(folder.path());
    ASSERT_NE(store, nullptr);
    found += expect_sound_entries(*store, kEntries, entry);
  }
  EXPECT_GT(found, kRounds * kEntries / 2) << "what can be read is kept";
  EXPECT_LT(found, kRounds * kEntries);
}

/// The tables' pages in the bytes of a file, as SQLite lays them out.
class Pages {
 public:
  static constexpr std::size_t kEntriesRoot = 2;

  explicit Pages(std::string& bytes) : bytes_(bytes) {}

  char& type(std::size_t page) { return bytes_[begin(page)]; }
  std::size_t cells(std::size_t page) { return number(begin(page) + 3, 2); }
  std::size_t child(std::size_t page, std::size_t cell) { return number(at(page, cell), 4); }
  /// Of a child, the last number in it.
  char& row_of_child(std::size_t page, std::size_t cell) { return bytes_[at(page, cell) + 4]; }
  /// The first byte of a row's number.
  char& row_of_leaf(std::size_t page, std::size_t cell) {
    std::size_t place = at(page, cell);
    while ((bytes_[place++] & 0x80) != 0) {}  // The length of what follows.
    return bytes_[place];
  }

 private:
  static std::size_t begin(std::size_t page) { return (page - 1) * 8192; }
  std::size_t at(std::size_t page, std::size_t cell) {
    const std::size_t head = type(page) == 5 ? 12 : 8;
    return begin(page) + number(begin(page) + head + 2 * cell, 2);
  }
  std::size_t number(std::size_t place, std::size_t size) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[place + i]);
    return value;
  }

  std::string& bytes_;
};

// A page that leads back must not be followed for ever, and a row with a number too high must not hide those behind it.
TEST(EmbeddedStore, RowNumbersMayBeDamaged) {
  TemporaryFolder folder;
  constexpr int kEntries = 120;  // Whose numbers fit into a byte.
  const auto entry = [](int i) { return numbered(i, 1000); };
  {
    auto store = open(folder.path());
    for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(store->put(entry(i)));
  }
  const std::string sound = bytes_of(folder.path() / "sosie.db");
  std::string damaged = sound;
  Pages pages(damaged);
  ASSERT_EQ(pages.type(Pages::kEntriesRoot), 5) << "it has pages below";
  ASSERT_EQ(pages.type(pages.child(Pages::kEntriesRoot, 3)), 13);

  const std::size_t middle = (pages.cells(Pages::kEntriesRoot) - 1) / 2;  // What a search in the page looks at first.
  const int last = pages.row_of_child(Pages::kEntriesRoot, middle + 1);
  constexpr int kHigh = 110;
  ASSERT_LT(last + 20, kHigh);
  pages.row_of_child(Pages::kEntriesRoot, middle) = kHigh;         // Who looks for a row behind it is led back,
  pages.type(pages.child(Pages::kEntriesRoot, middle + 2)) = 'x';  // and here nothing can be read.
  replace_file(folder.path(), damaged);
  int found = expect_sound_entries(*open(folder.path()), kEntries, entry);
  EXPECT_EQ(found, last + kEntries - kHigh);

  for (const char number : {char{100}, char{-1}}) {  // -1: it goes on, and is a number with many digits.
    SCOPED_TRACE(static_cast<int>(number));
    damaged = sound;
    pages.row_of_leaf(pages.child(Pages::kEntriesRoot, 3), 2) = number;
    replace_file(folder.path(), damaged);
    found = expect_sound_entries(*open(folder.path()), kEntries, entry);
    EXPECT_GE(found, kEntries - 1);
  }
}

// Overwrites bytes of the file as it is, under the store that has it open.
void overwrite(const std::filesystem::path& file, std::size_t at, const std::string& bytes) {
  std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
  out.seekp(static_cast<std::streamoff>(at));
  out << bytes;
}

TEST(EmbeddedStore, DamageIsNoticedWhileTheFileIsInUse) {
  constexpr int kEntries = 300;  // Far more than SQLite keeps of the file in memory.
  const auto entry = [](int i) { return numbered(i, 20'000); };
  TemporaryFolder folder;
  const auto file = folder.path() / "sosie.db";
  {
    auto store = open(folder.path());
    for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(store->put(entry(i)));
  }
  auto store = *open_embedded_store({.folder = folder.path(), .durability = Durability::process_crash, .max_bytes = 0, .text_cache_bytes = 0});
  std::string bytes = bytes_of(file);
  const std::size_t text = bytes.find(std::string(5'000, 'r'));  // Of the first entry.
  ASSERT_NE(text, std::string::npos);
  overwrite(file, text + 1'000, "X");
  int missing = -1;
  for (int i = 0; i < kEntries; ++i) {
    const auto got = store->get(entry(i).entry.id, at(1'000));
    ASSERT_TRUE(got) << got.error().message;
    if (*got) continue;
    EXPECT_EQ(missing, -1) << "only one is damaged";
    missing = i;
  }
  ASSERT_NE(missing, -1);
  EXPECT_EQ(store->stats().damaged, 1u);
  EXPECT_EQ(store->stats().entries, kEntries - 1u);
  ASSERT_TRUE(store->put(entry(missing)));
  conformance::expect_equal(**store->get(entry(missing).entry.id, at(1'000)), entry(missing).entry);

  // Now the tables' own pages: what a write meets is rebuilt, while readers go on.
  ASSERT_TRUE(store->check());
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread reader([&] {
    for (int i = 0; !done; i = (i + 1) % kEntries) {
      const auto got = store->get(entry(i).entry.id, at(1'000));
      if (got && *got && (*got)->response != entry(i).entry.response) ++wrong;
    }
  });
  bytes = bytes_of(file);
  for (std::size_t page = 1; page * 8192 < bytes.size(); ++page) {
    if (bytes[page * 8192] == 13) overwrite(file, page * 8192, std::string(4'096, 'x'));  // The leaves, with all entries.
  }
  for (int i = 0; i < kEntries; ++i) {
    const auto erased = store->erase(entry(i).entry.id);
    ASSERT_TRUE(erased) << erased.error().message;
  }
  done = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "sosie.db.damaged"));
  EXPECT_TRUE(store->check());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(store->put(entry(i)));
  store.reset();
  store = open(folder.path());
  for (int i = 0; i < 10; ++i) conformance::expect_equal(**store->get(entry(i).entry.id, at(1'000)), entry(i).entry);
}

TEST(EmbeddedStore, AnyBitMayFlip) {
  TemporaryFolder folder;
  constexpr int kEntries = 60;
  const auto entry = [](int i) {
    NewEntry made = numbered(i, i % 5 == 0 ? 20'000 : 500);
    if (i % 3 == 0) made.entry.attributes = {{"i", std::to_string(i)}};
    return made;
  };
  {
    auto store = open(folder.path());
    for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(store->put(entry(i)));
    for (int i = 0; i < kEntries; i += 4) store->touch(entry(i).entry.id, at(1000));
  }
  const std::string sound = bytes_of(folder.path() / "sosie.db");
  std::mt19937 random(7);
  std::vector<std::size_t> bits;
  for (std::size_t byte = 0; byte < 100; ++byte) bits.push_back(byte * 8 + random() % 8);  // The header,
  for (std::size_t page = 0; page < sound.size() / 8192; ++page) {                        // the head of each page,
    bits.push_back(page * 8192 * 8 + random() % 128);
  }
  while (bits.size() < 280) bits.push_back(random() % (sound.size() * 8));  // and anywhere.
  std::size_t found = 0;
  for (const std::size_t bit : bits) {
    SCOPED_TRACE("byte " + std::to_string(bit / 8) + ", bit " + std::to_string(bit % 8));
    std::string damaged = sound;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    replace_file(folder.path(), damaged);
    auto opened = open_embedded_store({.folder = folder.path(), .durability = Durability::process_crash});
    const bool is_format = bit / 8 >= 60 && bit / 8 < 64;
    if (is_format && !opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::unsupported) << "it says that a newer sosie wrote it";
      continue;
    }
    ASSERT_TRUE(opened) << opened.error().message;
    found += static_cast<std::size_t>(expect_sound_entries(**opened, kEntries, entry));
  }
  EXPECT_GT(found, bits.size() * kEntries * 9 / 10);
}

TEST(EmbeddedStore, AnyBitOfTheLogMayFlip) {
  TemporaryFolder folder;
  constexpr int kEntries = 60;
  const auto entry = [](int i) { return numbered(i, i % 5 == 0 ? 20'000 : 500); };
  auto writer = open(folder.path());
  for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(writer->put(entry(i)));
  const std::string file = bytes_of(folder.path() / "sosie.db"), log = bytes_of(folder.path() / "sosie.db-wal");
  ASSERT_GT(log.size(), 100'000u);
  std::mt19937 random(9);
  for (int round = 0; round < 100; ++round) {
    TemporaryFolder copy;
    const std::size_t bit = round < 32 ? static_cast<std::size_t>(round) * 8 + random() % 8 : random() % (log.size() * 8);
    SCOPED_TRACE("byte " + std::to_string(bit / 8) + ", bit " + std::to_string(bit % 8));
    std::string damaged = log;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    replace_file(copy.path(), file);
    std::ofstream(copy.path() / "sosie.db-wal", std::ios::binary) << damaged;
    auto store = open(copy.path());
    ASSERT_NE(store, nullptr);
    (void)expect_sound_entries(*store, kEntries, entry);
  }
}

// What is written to a file without a name is lost with the process.
TEST(EmbeddedStore, AFileThatWasTakenAwayIsNoticed) {
  for (const bool is_log : {false, true}) {
    for (const bool replaced : {false, true}) {
      if (!is_log && !replaced) continue;  // Below.
      SCOPED_TRACE(std::string(is_log ? "log" : "file") + (replaced ? " replaced" : " deleted"));
      TemporaryFolder folder;
      auto store = open(folder.path());
      ASSERT_TRUE(store->put(numbered(1)));
      ASSERT_TRUE(store->check()) << store->check().error().message;
      const auto file = folder.path() / (is_log ? "sosie.db-wal" : "sosie.db");
      std::filesystem::rename(file, folder.path() / "away");
      if (replaced) std::filesystem::copy_file(folder.path() / "away", file);
      const auto checked = store->check();
      ASSERT_FALSE(checked);
      EXPECT_EQ(checked.error().code, ErrorCode::unavailable);
      EXPECT_NE(checked.error().message.find(file.string()), std::string::npos) << checked.error().message;
      const auto put = store->put(numbered(2));
      ASSERT_FALSE(put) << "nobody may be told that this is stored";
      EXPECT_EQ(put.error().code, ErrorCode::unavailable);
      const auto got = store->get(numbered(2).entry.id, at(10));
      EXPECT_TRUE(got && !*got);
    }
  }
}

TEST(EmbeddedStore, ADeletedFileIsBegunAnew) {
  for (const bool whole_folder : {false, true}) {
    SCOPED_TRACE(whole_folder);
    TemporaryFolder folder;
    const auto data = folder.path() / "data";
    auto store = open(data);
    for (int i = 1; i <= 20; ++i) ASSERT_TRUE(store->put(numbered(i)));
    for (const char* name : {"sosie.db", "sosie.db-wal", "sosie.db-shm"}) std::filesystem::remove(data / name);
    if (whole_folder) std::filesystem::remove_all(data);
    EXPECT_FALSE(store->check());
    ASSERT_TRUE(store->put(numbered(30)));
    EXPECT_TRUE(store->check()) << store->check().error().message;
    EXPECT_EQ(store->stats().entries, 1u) << "what was deleted is gone";
    EXPECT_EQ(open_error(data), ErrorCode::unavailable) << "the folder is still this process's";
    ASSERT_TRUE(store->put(numbered(31)));
    store.reset();
    store = open(data);
    for (const int i : {30, 31}) conformance::expect_equal(**store->get(numbered(i).entry.id, at(100)), numbered(i).entry);
    EXPECT_FALSE((*store->get(numbered(1).entry.id, at(100))).has_value());
  }
}

// A virtual machine whose clock was 200 years ahead for a moment, say.
TEST(EmbeddedStore, AClockThatJumpedGivesNoEntryALongerLife) {
  constexpr std::int64_t kMinute = 60'000, kDay = 1440 * kMinute, kFar = 200 * 365 * kDay;
  auto store = *open_embedded_store({.max_bytes = 0});
  const auto is_found = [&](const NewEntry& e, std::int64_t now) {
    const auto got = store->get(e.entry.id, at(now));
    const auto exact = store->exact(e.exact_key, {.now = at(now)});
    const auto near = store->nearest(e.partition, e.vector, 1, Similarity{0.9999}, {.now = at(now)});
    const bool found = got->has_value();
    EXPECT_EQ(exact->size(), found ? 1u : 0u);
    EXPECT_EQ(near->found.size(), found ? 1u : 0u);
    return found;
  };
  const auto made_at = [](int i, std::int64_t ms, std::int64_t ttl) {
    NewEntry made = numbered(i);
    made.entry.created = at(ms);
    made.entry.expires = at(ms + ttl);
    return made;
  };
  const NewEntry during = made_at(1, kFar, kDay);
  ASSERT_TRUE(store->put(during));
  EXPECT_TRUE(is_found(during, kFar + 1));
  EXPECT_FALSE(is_found(during, kDay)) << "the clock is right again";
  ASSERT_TRUE(store->put(made_at(1, kDay, kDay)));
  EXPECT_TRUE(is_found(during, kDay)) << "stored anew";

  const NewEntry neighbours = made_at(2, 20 * kMinute, kDay);
  ASSERT_TRUE(store->put(neighbours));
  EXPECT_TRUE(is_found(neighbours, 0)) << "clocks may differ a little";

  NewEntry sliding = made_at(3, 0, 30 * kDay);
  sliding.sliding_ttl = std::chrono::milliseconds(30 * kDay);
  ASSERT_TRUE(store->put(sliding));
  store->touch(sliding.entry.id, at(20 * kDay));
  EXPECT_TRUE(is_found(sliding, 20 * kDay));
  EXPECT_FALSE(is_found(sliding, kDay)) << "a hit while the clock was ahead";
}

TEST(EmbeddedStore, ExpiredEntriesLeaveTheFileWithTheNextWrites) {
  TemporaryFolder folder;
  auto store = open(folder.path());
  for (int i = 0; i < 100; ++i) {
    NewEntry made = numbered(i);
    made.entry.expires = at(5000);
    ASSERT_TRUE(store->put(made));
  }
  ASSERT_TRUE(store->exact({}, {.now = at(6000)}));  // Tells the time.
  for (int i = 100; i < 110; ++i) ASSERT_TRUE(store->put(numbered(i)));
  EXPECT_EQ(store->stats().entries, 10u);
  EXPECT_EQ(store->stats().expired, 100u);
}

}  // namespace
}  // namespace sosie::store
