// folder_lock.h: one process at a time in a data folder.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "sosie/result.h"

namespace sosie::store {

/// Holds the folder from `acquire` until destroyed. The system frees it when the process ends, however it ends.
class FolderLock {
 public:
  /// Locks `folder`/LOCK, which then holds the process id in plain text.
  ///
  /// Errors: unavailable (names the holder's process id), permission_denied, resource_exhausted (disk full).
  static Result<FolderLock> acquire(const std::filesystem::path& folder);

  /// Who holds the folder now: "process 4711", or "another process" where it has not said its number; unset: nobody. Changes nothing.
  static std::optional<std::string> holder(const std::filesystem::path& folder);

  /// Whether LOCK is still the file that is locked. Else another process may lock the folder.
  bool is_there() const;

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  FolderLock(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_;
  std::filesystem::path path_;
};

/// The error of a failed system call on the folder or a file in it.
Error folder_error(int system_errno, std::string_view action, const std::filesystem::path& path);

}  // namespace sosie::store
