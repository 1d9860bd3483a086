#include "store/open_files.h"

#include <sys/stat.h>

#include <utility>

namespace sosie::store {

std::optional<OpenFiles::Identity> OpenFiles::identity_of(const std::filesystem::path& path) {
  struct stat found;
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return Identity{found.st_dev, found.st_ino};
}

OpenFiles::OpenFiles(std::filesystem::path database) : database_{database, identity_of(database)} {
  log_.path = std::move(database);
  log_.path += "-wal";
  log_.identity = identity_of(log_.path);
}

Result<void> OpenFiles::check() const {
  for (const File* file : {&database_, &log_}) {
    const auto now = identity_of(file->path);
    if (now && now == file->identity) continue;
    return Error{ErrorCode::unavailable, "the store's file " + file->path.string() + (now ? " was replaced" : " is gone") +
                                             " while it was in use: start sosie anew"};
  }
  return {};
}

}  // namespace sosie::store
