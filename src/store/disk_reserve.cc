#include "store/disk_reserve.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace sosie::store {
namespace {

constexpr std::uintmax_t kMost = 8u << 20, kLeast = 64u << 10;

}  // namespace

void DiskReserve::hold() {
  std::error_code failed;
  if (const auto held = std::filesystem::file_size(file_, failed); !failed && held >= kLeast) return;
  const auto space = std::filesystem::space(file_.parent_path(), failed);
  if (failed) return;
  const auto bytes = std::min<std::uintmax_t>(kMost, space.available / 8);
  if (bytes < kLeast) return;
  const int descriptor = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return;
  const bool is_held = ::posix_fallocate(descriptor, 0, static_cast<off_t>(bytes)) == 0;
  ::close(descriptor);
  if (!is_held) release();
}

void DiskReserve::release() {
  std::error_code ignored;
  std::filesystem::remove(file_, ignored);
}

}  // namespace sosie::store
