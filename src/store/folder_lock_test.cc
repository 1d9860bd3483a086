#include "store/folder_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>

namespace sosie::store {
namespace {

TEST(FolderLock, IsHeldOnceAndNamesItsHolder) {
  std::string pattern = (std::filesystem::temp_directory_path() / "sosie_lock_XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(pattern.data());
  {
    EXPECT_FALSE(FolderLock::holder(folder));
    EXPECT_TRUE(std::filesystem::is_empty(folder));  // Who only asks leaves nothing behind.
    auto held = FolderLock::acquire(folder);
    ASSERT_TRUE(held);
    EXPECT_EQ(FolderLock::holder(folder), "process " + std::to_string(::getpid()));
    const auto second = FolderLock::acquire(folder);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::unavailable);
    EXPECT_NE(second.error().message.find("process " + std::to_string(::getpid())), std::string::npos);
  }
  // A file left behind, whatever it holds, is no lock.
  std::ofstream(folder / "LOCK") << "999999 and more than a number";
  EXPECT_FALSE(FolderLock::holder(folder));
  EXPECT_TRUE(FolderLock::acquire(folder));
  std::filesystem::remove_all(folder);
}

TEST(FolderLock, SystemErrorsGetTheirCode) {
  EXPECT_EQ(folder_error(EACCES, "open", "f").code, ErrorCode::permission_denied);
  EXPECT_EQ(folder_error(EROFS, "open", "f").code, ErrorCode::permission_denied);
  EXPECT_EQ(folder_error(ENOSPC, "open", "f").code, ErrorCode::resource_exhausted);
  EXPECT_EQ(folder_error(ENOTDIR, "open", "f").code, ErrorCode::invalid_argument);
  EXPECT_EQ(folder_error(EIO, "open", "f").code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace sosie::store
