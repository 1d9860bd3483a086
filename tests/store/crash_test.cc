// Kills a writing process with SIGKILL at random moments, over and over, and looks for everything it was promised.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "crash_entries.h"
#include "store/embedded_store.h"

namespace sosie::store {
namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sosie_crash_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A running writer, killed at the latest when this goes.
class Writer {
 public:
  Writer(const std::filesystem::path& folder, std::uint32_t first_key, const char* durability) {
    int ends[2];
    if (::pipe(ends) != 0) std::abort();
    const std::string first = std::to_string(first_key);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::execl(CRASH_WRITER, CRASH_WRITER, folder.c_str(), first.c_str(), durability, nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    reports_ = ends[0];
  }
  ~Writer() {
    if (pid_ > 0) kill();
    ::close(reports_);
  }

  pid_t pid() const { return pid_; }

  /// Reads reports until there is one, or until the writer is gone.
  bool next(Report& report) {
    char* to = reinterpret_cast<char*>(&report);
    std::size_t got = 0;
    while (got < sizeof report) {
      const ssize_t n = ::read(reports_, to + got, sizeof report - got);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      got += static_cast<std::size_t>(n);
    }
    return true;
  }

  /// Kills it, and returns whether it lived until then.
  bool kill() {
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

 private:
  pid_t pid_ = 0;
  int reports_ = -1;
};

// What was promised of one key.
struct Promise {
  std::uint32_t version = 0;  // The newest that was acknowledged. 0: none.
  bool erasing = false, erased = false;
};
using Promises = std::map<std::uint32_t, Promise>;

void note(const Report& report, Promises& promises) {
  Promise& promise = promises[report.key];
  switch (report.what) {
    case Report::What::stored: promise = {.version = report.version}; break;
    case Report::What::erasing: promise.erasing = true; break;
    case Report::What::erased: promise.erased = true; break;
  }
}

void expect_kept(const Store& store, const Promises& promises) {
  for (const auto& [key, promise] : promises) {
    const NewEntry wanted = crash_entry(key, promise.version);
    const auto exact = store.exact(wanted.exact_key, {.now = kCrashTime});
    ASSERT_TRUE(exact) << exact.error().message;
    const auto near = store.nearest(wanted.partition, wanted.vector, 1, Similarity{0.9999}, {.now = kCrashTime});
    ASSERT_TRUE(near) << near.error().message;
    ASSERT_EQ(exact->size(), near->found.size()) << "key " << key << ": exact and nearest disagree";
    if (promise.erased) {
      // Unless it was being stored anew when the writer died.
      if (!exact->empty()) EXPECT_GT(std::stoul(exact->front()->response), promise.version) << "key " << key << " came back";
      continue;
    }
    if (promise.erasing || promise.version == 0) continue;
    ASSERT_EQ(exact->size(), 1u) << "key " << key << " was acknowledged and is lost";
    const Entry& entry = *exact->front();
    EXPECT_EQ(near->found.front().entry->id, entry.id);
    const auto version = static_cast<std::uint32_t>(std::stoul(entry.response));
    EXPECT_GE(version, promise.version) << "key " << key << " fell back to an older version";
    const NewEntry whole = crash_entry(key, version);
    EXPECT_EQ(entry.id, whole.entry.id);
    EXPECT_EQ(entry.scope, whole.entry.scope);
    EXPECT_EQ(entry.prompt, whole.entry.prompt);
    EXPECT_TRUE(entry.response == whole.entry.response) << "key " << key << " is not of one piece";
    EXPECT_EQ(entry.attributes, whole.entry.attributes);
  }
}

std::string integrity(const std::filesystem::path& file) {
  sqlite3* handle = nullptr;
  std::string answer = "cannot open";
  if (sqlite3_open(file.c_str(), &handle) == SQLITE_OK) {
    sqlite3_exec(
        handle, "PRAGMA integrity_check",
        [](void* out, int, char** values, char**) {
          *static_cast<std::string*>(out) = values[0];
          return 0;
        },
        &answer, nullptr);
  }
  sqlite3_close(handle);
  return answer;
}

int kills() {
  const char* wanted = std::getenv("SOSIE_CRASH_KILLS");
  return wanted != nullptr ? std::atoi(wanted) : 40;
}

TEST(Crash, KillingTheWriterLosesNothingThatWasAcknowledged) {
  constexpr int kKillsPerFolder = 8;
  std::random_device seed;
  std::mt19937 random(seed());
  std::unique_ptr<Folder> folder;
  Promises promises;
  std::uint32_t first_key = 0;
  std::size_t acknowledged = 0, kills_while_writing = 0;
  for (int kill = 0; kill < kills(); ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill));
    if (kill % kKillsPerFolder == 0) {
      acknowledged += promises.size();
      folder = std::make_unique<Folder>();
      promises.clear();
    }
    const char* durability = kill / kKillsPerFolder % 2 == 0 ? "power_loss" : "process_crash";
    Writer writer(folder->path(), first_key, durability);
    first_key += 1'000'000;
    // Mostly while it writes; sometimes while it starts, makes its files, or recovers from the kill before.
    std::thread killer;
    bool lived = false;
    Report report;
    if (kill % 4 == 1) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 15'000));
      lived = writer.kill();
    } else {
      ASSERT_TRUE(writer.next(report)) << "the writer ended by itself";
      note(report, promises);
      ++kills_while_writing;
      killer = std::thread([&, pause = std::chrono::microseconds(random() % 150'000)] {
        std::this_thread::sleep_for(pause);
        lived = writer.kill();
      });
    }
    while (writer.next(report)) note(report, promises);
    if (killer.joinable()) killer.join();
    ASSERT_TRUE(lived) << "the writer ended by itself";

    const std::filesystem::path file = folder->path() / "sosie.db";
    if (kill % 2 == 0 && std::filesystem::exists(file)) {
      EXPECT_EQ(integrity(file), "ok");
    }
    {
      auto store = open_embedded_store({.folder = folder->path()});
      ASSERT_TRUE(store) << store.error().message;
      expect_kept(**store, promises);
    }
    EXPECT_EQ(integrity(file), "ok");
    if (HasFailure()) return;
  }
  acknowledged += promises.size();
  std::printf("%d kills, %zu of them while writing, %zu acknowledged entries looked for\n", kills(), kills_while_writing, acknowledged);
  EXPECT_GT(acknowledged, static_cast<std::size_t>(kills()));
}

TEST(Crash, AFolderInUseNamesItsProcessAndIsFreeAfterAKill) {
  Folder folder;
  Writer writer(folder.path(), 0, "process_crash");
  Report report;
  ASSERT_TRUE(writer.next(report));
  const auto refused = open_embedded_store({.folder = folder.path()});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_NE(refused.error().message.find("process " + std::to_string(writer.pid())), std::string::npos) << refused.error().message;
  EXPECT_TRUE(writer.kill());
  EXPECT_TRUE(open_embedded_store({.folder = folder.path()}));
}

}  // namespace
}  // namespace sosie::store
