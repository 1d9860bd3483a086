// rebuild.h: a damaged sosie.db, set aside and replaced by one of what can still be read.
#pragma once

#include <cstdint>
#include <filesystem>

#include "sosie/result.h"

namespace sosie::store {

/// Where `file` is set aside to; an older one there is replaced.
std::filesystem::path damaged_name(const std::filesystem::path& file);

struct Rebuilt {
  std::uint64_t kept = 0;
  std::uint64_t lost = 0;  ///< Entries that were seen and could not be read whole; there may have been more.
};

/// Copies every entry whose checksums hold into a new file, with new row numbers from `first_row` on, and exchanges the two.
/// REQUIRES: the file may be written, and no connection of this process writes it.
/// Errors: resource_exhausted (no room at all for a new file), permission_denied, unavailable. Where the room runs out on the
/// way, what fits is kept. A crash on the way leaves the damaged file as it was.
Result<Rebuilt> rebuild(const std::filesystem::path& file, std::int64_t first_row);

/// Removes `file` with its log.
void remove_database(const std::filesystem::path& file);

}  // namespace sosie::store
