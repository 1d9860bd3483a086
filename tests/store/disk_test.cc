// Full disks and folders that cannot be written, for real.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "crash_entries.h"
#include "store/embedded_store.h"

namespace sosie::store {
namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sosie_disk_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
    ::chmod(path_.c_str(), 0755);
  }
  ~Folder() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
    std::filesystem::remove_all(path_);
  }
  const std::filesystem::path& path() const { return path_; }

  /// Puts a small disk of its own there. False: only root may.
  bool mount(const char* options) {
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, options) == 0;
    return mounted_;
  }
  bool make_read_only() { return ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0; }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
};

std::unique_ptr<Store> open(const std::filesystem::path& folder) {
  auto store = open_embedded_store({.folder = folder});
  if (!store) {
    ADD_FAILURE() << store.error().message;
    return nullptr;
  }
  return *std::move(store);
}

void expect_all(const Store& store, std::uint32_t first, std::uint32_t end) {
  for (std::uint32_t key = first; key < end; ++key) {
    const NewEntry wanted = crash_entry(key, 1);
    const auto found = store.exact(wanted.exact_key, {.now = kCrashTime});
    ASSERT_TRUE(found) << found.error().message;
    ASSERT_EQ(found->size(), 1u) << "key " << key;
    ASSERT_TRUE(found->front()->response == wanted.entry.response);
    const auto near = store.nearest(wanted.partition, wanted.vector, 1, Similarity{0.9999}, {.now = kCrashTime});
    ASSERT_TRUE(near && near->found.size() == 1);
  }
}

// Stores until it fails; returns the first key that was refused.
std::uint32_t fill(Store& store, std::uint32_t first) {
  for (std::uint32_t key = first; key < first + 100'000; ++key) {
    const auto put = store.put(crash_entry(key, 1));
    if (put) continue;
    EXPECT_EQ(put.error().code, ErrorCode::resource_exhausted) << put.error().message;
    return key;
  }
  ADD_FAILURE() << "the disk never filled";
  return first;
}

// `make_room` is called when the disk is full and everything else was tried.
void fill_and_recover(const std::filesystem::path& folder, const std::function<void()>& make_room) {
  auto store = open(folder);
  ASSERT_NE(store, nullptr);
  const std::uint32_t full = fill(*store, 0);
  ASSERT_GT(full, 10u);
  expect_all(*store, 0, full);
  EXPECT_TRUE(store->exact(crash_entry(full, 1).exact_key, {.now = kCrashTime})->empty()) << "a failed put must change nothing";
  for (std::uint32_t again = 0; again < 5; ++again) EXPECT_FALSE(store->put(crash_entry(full + again * 16, 1)));
  expect_all(*store, 0, full);
  make_room();
  for (std::uint32_t key = full; key < full + 50; ++key) {
    const auto put = store->put(crash_entry(key, 1));
    ASSERT_TRUE(put) << put.error().message;
  }
  expect_all(*store, 0, full + 50);
  store.reset();
  store = open(folder);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->stats().entries, full + 50);
  expect_all(*store, 0, full + 50);
}

TEST(Disk, AFullDiskRefusesWritesServesReadsAndRecovers) {
  Folder folder;
  if (!folder.mount("size=6m")) GTEST_SKIP() << "mounting a small disk needs root: " << std::strerror(errno);
  const auto ballast = folder.path() / "ballast";
  std::ofstream(ballast) << std::string(3'000'000, 'x');
  fill_and_recover(folder.path() / "data", [&] { std::filesystem::remove(ballast); });
}

TEST(Disk, AFileSizeLimitIsLikeAFullDisk) {
  Folder folder;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 2'000'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  fill_and_recover(folder.path(), [&] { ::setrlimit(RLIMIT_FSIZE, &before); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
}

TEST(Disk, EntriesCanBeRemovedFromAFullDisk) {
  for (const char* how : {"one", "matching", "scope", "all"}) {
    SCOPED_TRACE(how);
    Folder folder;
    if (!folder.mount("size=24m")) GTEST_SKIP() << "mounting a small disk needs root: " << std::strerror(errno);
    const auto data = folder.path() / "data";
    auto store = open(data);
    ASSERT_NE(store, nullptr);
    const std::uint32_t full = fill(*store, 0);
    std::ofstream ballast(folder.path() / "ballast");
    while (ballast) ballast << std::string(4096, 'x') << std::flush;  // The last bytes.
    const std::string_view what = how;
    const std::string scope = crash_entry(1, 1).entry.scope;
    std::uint64_t removed = 0;
    const auto count = [&](Result<std::uint64_t> done) {
      EXPECT_TRUE(done) << done.error().message;
      if (done) removed += *done;
    };
    if (what == "one") {
      for (std::uint32_t key = 0; key < 50; ++key) {
        const auto done = store->erase(crash_entry(key, 1).entry.id);
        ASSERT_TRUE(done) << done.error().message;
        removed += *done;
      }
      EXPECT_EQ(removed, 50u);
    } else if (what == "matching") {
      count(store->erase(crash_entry(0, 1).entry.scope, {{"third", "yes"}}));
    } else if (what == "scope") {
      count(store->clear(scope));
    } else {
      count(store->clear(std::nullopt));
      EXPECT_EQ(removed, full);
    }
    EXPECT_GT(removed, 0u);
    EXPECT_EQ(store->stats().entries, full - removed);
    store.reset();
    ballast.close();
    std::filesystem::remove(folder.path() / "ballast");
    store = open(data);
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->stats().entries, full - removed) << "what is removed stays so";
    EXPECT_TRUE(store->put(crash_entry(1'000'000, 1)));
  }
}

// Their pages are more than the log of one commit has room for.
TEST(Disk, ManyEntriesCanBeRemovedFromAFullDisk) {
  for (const bool expired : {false, true}) {
    Folder folder;
    if (!folder.mount("size=48m")) GTEST_SKIP() << "mounting a small disk needs root: " << std::strerror(errno);
    auto store = open(folder.path());
    ASSERT_NE(store, nullptr);
    const auto large = [](std::uint32_t key) {
      NewEntry entry = crash_entry(key, 1);
      entry.entry.scope = "large";
      entry.entry.response = std::string(3'000, 'r');
      entry.entry.expires = kCrashTime + std::chrono::hours(1);
      return entry;
    };
    ASSERT_TRUE(store->put(crash_entry(0, 1)));
    std::uint32_t full = 1;
    while (store->put(large(full))) ++full;
    const auto removed = expired ? store->sweep(kCrashTime + std::chrono::hours(2)) : store->clear("large");
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(*removed, full - 1);
    EXPECT_EQ(expired ? store->stats().expired : store->stats().erased, full - 1);
    store.reset();
    store = open(folder.path());
    ASSERT_NE(store, nullptr);
    EXPECT_EQ(store->stats().entries, 1u);
  }
}

TEST(Disk, OpeningOnAFullDiskSaysSoAndLeavesNothingHalfMade) {
  Folder folder;
  if (!folder.mount("size=1m")) GTEST_SKIP() << "mounting a small disk needs root: " << std::strerror(errno);
  const auto ballast = folder.path() / "ballast";
  int refused = 0;
  for (std::size_t room : {0, 4096, 8192, 12288, 16384, 32768, 65536}) {
    SCOPED_TRACE(room);
    std::filesystem::remove_all(folder.path() / "data");
    {
      std::ofstream out(ballast, std::ios::binary);
      out << std::string((1 << 20) - 8192 - room, 'x');
      out.flush();
      while (room == 0 && out) out << 'x' << std::flush;  // The last bytes, whatever the file system keeps for itself.
    }
    const auto opened = open_embedded_store({.folder = folder.path() / "data"});
    if (!opened) {
      EXPECT_EQ(opened.error().code, ErrorCode::resource_exhausted) << opened.error().message;
      ++refused;
    }
    std::filesystem::remove(ballast);
    if (opened) continue;
    auto store = open(folder.path() / "data");
    ASSERT_NE(store, nullptr) << "what the failed opening left must not be in the way";
    EXPECT_TRUE(store->put(crash_entry(1, 1)));
  }
  EXPECT_GT(refused, 0);
}

TEST(Disk, AReadOnlyFileSystemIsPermissionDenied) {
  Folder folder;
  if (!folder.mount("size=4m")) GTEST_SKIP() << "mounting a small disk needs root: " << std::strerror(errno);
  {
    auto store = open(folder.path() / "data");
    ASSERT_TRUE(store->put(crash_entry(1, 1)));
  }
  ASSERT_TRUE(folder.make_read_only());
  for (const char* name : {"data", "new"}) {
    const auto refused = open_embedded_store({.folder = folder.path() / name});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::permission_denied) << refused.error().message;
    EXPECT_NE(refused.error().message.find(folder.path().string()), std::string::npos) << "the message must name the folder";
  }
}

// Opens in a child that is nobody in particular, since root may write everywhere; returns the error's code, or -1 for none.
int open_as_nobody(const std::filesystem::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(100);
    const auto opened = open_embedded_store({.folder = folder});
    ::_exit(opened ? 101 : static_cast<int>(opened.error().code));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status) == 101 ? -1 : WEXITSTATUS(status);
}

TEST(Disk, AFolderWithoutPermissionIsPermissionDenied) {
  Folder folder;
  const auto data = folder.path() / "data";
  {
    auto store = open(data);
    ASSERT_TRUE(store->put(crash_entry(1, 1)));
  }
  const int denied = static_cast<int>(ErrorCode::permission_denied);
  ::chmod(data.c_str(), 0555);
  EXPECT_EQ(open_as_nobody(data), denied) << "a folder that cannot be written";
  EXPECT_EQ(open_as_nobody(data / "below"), denied) << "a folder that cannot be made";
  ::chmod(data.c_str(), 0000);
  EXPECT_EQ(open_as_nobody(data), denied) << "a folder that cannot be entered";
  ::chmod(data.c_str(), 0777);
  ::chmod((data / "LOCK").c_str(), 0666);
  ::chmod((data / "sosie.db").c_str(), 0444);
  EXPECT_EQ(open_as_nobody(data), denied) << "a file that can only be read";
  ::chmod((data / "sosie.db").c_str(), 0000);
  EXPECT_EQ(open_as_nobody(data), denied) << "a file that cannot be read";
  ::chmod((data / "sosie.db").c_str(), 0666);
  EXPECT_EQ(open_as_nobody(data), -1);
}

}  // namespace
}  // namespace sosie::store
