// embedded_store.h: entries in one SQLite file, vectors in memory.
//
// `sosie.db` (with its log `sosie.db-wal`) can be read with any SQLite tool while the store is open; LOCK keeps a second
// process out. The store starts no thread: of the writers that wait at one time, the first commits for all. Memory changes
// after the commit, so that readers see only what is durable, and no reader waits for the disk unless it needs a text that
// is not in memory. Times are the caller's: what expired at the time last given is removed with the writes that follow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "sosie/cache.h"
#include "store/store.h"

namespace sosie::store {

struct EmbeddedStoreOptions {
  std::filesystem::path folder;  ///< Made if absent. Empty: in memory only.
  Durability durability = Durability::power_loss;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  ///< 0: unbounded.
  std::uint64_t text_cache_bytes = std::uint64_t{64} << 20;  ///< Texts kept in memory beside the vectors.
};

/// Reads the keys and vectors of every entry: below a second for 100,000.
/// Errors: unavailable (another process has the folder), permission_denied, data_corruption (damaged, or no store of
/// sosie's), unsupported (a newer sosie's), resource_exhausted (full disk), invalid_argument (`folder` is a file).
Result<std::unique_ptr<Store>> open_embedded_store(EmbeddedStoreOptions options);

}  // namespace sosie::store
