#include "store/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace sosie::store {
namespace {

// By the digits in the file, which may not be written yet.
std::string holder_of(int descriptor) {
  char text[32];
  const ssize_t size = ::pread(descriptor, text, sizeof text, 0);
  std::string digits;
  for (ssize_t i = 0; i < size && text[i] >= '0' && text[i] <= '9'; ++i) digits += text[i];
  return digits.empty() ? "another process" : "process " + digits;
}

}  // namespace

Error folder_error(int system_errno, std::string_view action, const std::filesystem::path& path) {
  const std::string what = "cannot " + std::string(action) + " " + path.string() + ": " + std::strerror(system_errno);
  switch (system_errno) {
    case EACCES:
    case EPERM:
    case EROFS: return {ErrorCode::permission_denied, what + "; check owner, mode and mount, or choose another data folder"};
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return {ErrorCode::resource_exhausted, what + "; free some space"};
    case EMFILE:
    case ENFILE: return {ErrorCode::resource_exhausted, what + "; raise the limit of open files (ulimit -n)"};
    case ENOTDIR:
    case EEXIST:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP: return {ErrorCode::invalid_argument, what + "; choose another data folder"};
    default: return {ErrorCode::unavailable, what};
  }
}

Result<FolderLock> FolderLock::acquire(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "LOCK";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return folder_error(errno, "open", path);
  FolderLock lock(descriptor, path);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return folder_error(errno, "lock", path);
    return Error{ErrorCode::unavailable, "the data folder " + folder.string() + " is in use by " + holder_of(descriptor) +
                                             ": stop it, or choose another data folder"};
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  // The number is for people; on a full disk the lock holds without it.
  if (::ftruncate(descriptor, 0) == 0) (void)!::pwrite(descriptor, pid.data(), pid.size(), 0);
  return lock;
}

std::optional<std::string> FolderLock::holder(const std::filesystem::path& folder) {
  const int descriptor = ::open((folder / "LOCK").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  const FolderLock closes(descriptor, {});
  if (::flock(descriptor, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return std::nullopt;
  return holder_of(descriptor);
}

FolderLock::FolderLock(FolderLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

bool FolderLock::is_there() const {
  struct stat held, there;
  return ::fstat(descriptor_, &held) == 0 && ::stat(path_.c_str(), &there) == 0 && held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace sosie::store
