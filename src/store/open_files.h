// open_files.h: notices that the files of an open store were taken away.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "sosie/result.h"

namespace sosie::store {

/// The database and its log as they were when a store opened them. Who deletes or replaces an open file leaves the store one
/// without a name: what is written there is gone with the process.
///
/// Thread-safety: safe.
class OpenFiles {
 public:
  /// REQUIRES: SQLite holds both open.
  explicit OpenFiles(std::filesystem::path database);

  /// Whether both are still there under their names. Cost: two system calls.
  /// Errors: unavailable.
  Result<void> check() const;

  const std::filesystem::path& database() const { return database_.path; }

 private:
  struct Identity {
    dev_t device;
    ino_t number;
    bool operator==(const Identity&) const = default;
  };
  struct File {
    std::filesystem::path path;
    std::optional<Identity> identity;
  };
  static std::optional<Identity> identity_of(const std::filesystem::path& path);

  File database_, log_;
};

}  // namespace sosie::store
