#include "store/embedded_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "store/sqlite.h"
#include "store/store_conformance.h"

namespace sosie::store {
namespace {

using conformance::at;
using conformance::make_entry;

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
    std::ofstream(folder.path() / "sosie.db") << std::string(100'000, 'x');
    EXPECT_EQ(open_error(folder.path()), ErrorCode::data_corruption);
    EXPECT_EQ(std::filesystem::file_size(folder.path() / "sosie.db"), 100'000u);
  }
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
    ASSERT_NE(open(folder.path()), nullptr);
    run_sql(folder.path() / "sosie.db", "DROP TABLE usage");
    EXPECT_EQ(open_error(folder.path()), ErrorCode::data_corruption);
  }
  {
    TemporaryFolder folder;
    std::ofstream(folder.path() / "file") << "x";
    EXPECT_EQ(open_error(folder.path() / "file"), ErrorCode::invalid_argument);
    EXPECT_EQ(open_error(folder.path() / "file" / "below"), ErrorCode::invalid_argument);
  }
}

TEST(EmbeddedStore, BadValuesAreFoundWhenOpening) {
  for (const char* damage :
       {"UPDATE entries SET id=x'00' WHERE row=3", "UPDATE entries SET id=(SELECT id FROM entries WHERE row=1) WHERE row=3",
        "UPDATE entries SET vector=x'0000' WHERE row=3", "UPDATE entries SET vector=x'' WHERE row=3",
        "UPDATE entries SET vector=x'0000803f' WHERE row=3", "UPDATE entries SET vector=CAST(x'0000c07f' || substr(vector,5) AS BLOB) WHERE row=3",
        "UPDATE entries SET scope=x'00' WHERE row=3", "UPDATE entries SET expires_ms=9 WHERE row=3",
        "DELETE FROM attributes WHERE row=3", "UPDATE entries SET exact_key=x'01' WHERE row=3", "UPDATE entries SET partition=x'01' WHERE row=3"}) {
    SCOPED_TRACE(damage);
    TemporaryFolder folder;
    {
      auto store = open(folder.path());
      for (int i = 0; i < 5; ++i) {
        NewEntry made = numbered(i);
        made.entry.attributes = {{"i", std::to_string(i)}};
        ASSERT_TRUE(store->put(made));
      }
    }
    run_sql(folder.path() / "sosie.db", damage);
    EXPECT_EQ(open_error(folder.path()), ErrorCode::data_corruption);
  }
}

TEST(EmbeddedStore, DamagedPagesNeverYieldAWrongEntry) {
  TemporaryFolder folder;
  constexpr int kEntries = 200;
  const auto entry = [](int i) { return numbered(i, i % 2 == 0 ? 1000 : 30'000); };
  {
    auto store = open(folder.path());
    for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(store->put(entry(i)));
  }
  const auto file = folder.path() / "sosie.db";
  std::string sound(std::filesystem::file_size(file), '\0');
  std::ifstream(file, std::ios::binary).read(sound.data(), static_cast<std::streamsize>(sound.size()));
  std::mt19937 random(3);
  int refused = 0, read = 0, lost = 0;
  for (int round = 0; round < 40; ++round) {
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
    std::filesystem::remove(folder.path() / "sosie.db-wal");
    std::filesystem::remove(folder.path() / "sosie.db-shm");
    std::ofstream(file, std::ios::binary) << damaged;
    auto store = open_embedded_store({.folder = folder.path()});
    if (!store) {
      EXPECT_TRUE(store.error().code == ErrorCode::data_corruption) << store.error().message;
      ++refused;
      continue;
    }
    for (int i = 0; i < kEntries; ++i) {
      const auto got = (*store)->get(entry(i).entry.id, at(1000));
      if (got && got->has_value()) {
        conformance::expect_equal(**got, entry(i).entry);
        ++read;
      } else if (!got) {
        EXPECT_EQ(got.error().code, ErrorCode::data_corruption) << got.error().message;
        ++lost;
      }
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(read, 0);
  EXPECT_GT(lost, 0);
}

TEST(EmbeddedStore, AFileThatIsGoneIsNoticed) {
  for (const char* name : {"sosie.db", "sosie.db-wal"}) {
    for (const bool replaced : {false, true}) {
      SCOPED_TRACE(std::string(name) + (replaced ? " replaced" : " deleted"));
      TemporaryFolder folder;
      auto store = open(folder.path());
      ASSERT_TRUE(store->put(numbered(1)));
      ASSERT_TRUE(store->check()) << store->check().error().message;
      const auto file = folder.path() / name;
      std::filesystem::rename(file, folder.path() / "away");
      if (replaced) std::filesystem::copy_file(folder.path() / "away", file);
      const auto checked = store->check();
      ASSERT_FALSE(checked);
      EXPECT_EQ(checked.error().code, ErrorCode::unavailable);
      EXPECT_NE(checked.error().message.find(file.string()), std::string::npos) << checked.error().message;
    }
  }
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
