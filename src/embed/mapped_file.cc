#include "embed/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace sosie::embed {
namespace {

Error cannot_open(const std::filesystem::path& path, int error) {
  const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                         : error == EACCES || error == EPERM ? ErrorCode::permission_denied
                                                             : ErrorCode::unavailable;
  return {code, path.string() + ": " + std::generic_category().message(error)};
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return cannot_open(path, errno);
  struct stat status;
  if (::fstat(file, &status) != 0) {
    const int error = errno;
    ::close(file);
    return cannot_open(path, error);
  }
  if (!S_ISREG(status.st_mode) || status.st_size <= 0) {
    ::close(file);
    return Error{ErrorCode::data_corruption, path.string() + ": is empty or not a file: fetch it again"};
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  const int error = errno;
  ::close(file);
  if (data == MAP_FAILED) return cannot_open(path, error);
  return MappedFile(data, size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

void MappedFile::forget() const noexcept { ::madvise(data_, size_, MADV_DONTNEED); }

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  if (file->bytes().size() > limit) {
    return Error{ErrorCode::data_corruption, path.string() + ": has " + std::to_string(file->bytes().size()) + " bytes, more than such a file can have"};
  }
  return std::string(file->bytes());
}

}  // namespace sosie::embed
