// embedded_store.h: entries in one SQLite file, vectors in memory.
#pragma once

#include <filesystem>
#include <memory>

#include "sosie/cache.h"
#include "store/store.h"

namespace sosie::store {

struct EmbeddedStoreOptions {
  std::filesystem::path folder;  ///< Made if absent. Empty: in memory only.
  Durability durability = Durability::power_loss;
  std::uint64_t max_bytes = std::uint64_t{1} << 30;  ///< 0: unbounded.
};

/// Errors: unavailable (another process has the folder), permission_denied, data_corruption, resource_exhausted.
Result<std::unique_ptr<Store>> open_embedded_store(EmbeddedStoreOptions options);

}  // namespace sosie::store
