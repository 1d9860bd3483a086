// disk_reserve.h: room on the disk that is kept for removing entries when there is none left.
#pragma once

#include <cstdint>
#include <filesystem>

namespace sosie::store {

/// SQLite writes a removal to its log before it gives anything back. So that what must go can go on a full disk, a file takes
/// up some room until then. Best effort: where the disk is nearly full already, there is none.
///
/// Thread-safety: one thread at a time.
class DiskReserve {
 public:
  explicit DiskReserve(std::filesystem::path file) : file_(std::move(file)) {}

  /// Takes up to 8 MiB, but an eighth of what is free at most, unless it has some already.
  void hold();
  /// Gives it back to the disk.
  void release();

 private:
  const std::filesystem::path file_;
};

}  // namespace sosie::store
