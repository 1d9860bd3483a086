// crash_entries.h: entries that the writer and its judge both know from two numbers.
#pragma once

#include "store/store.h"

namespace sosie::store {

/// What the writer says on its standard output, one of these for each step, in whole.
struct Report {
  enum class What : std::uint32_t {
    stored,    ///< put has returned: this version is durable.
    erasing,   ///< erase is about to be called.
    erased,    ///< erase has returned.
  };
  What what = What::stored;
  std::uint32_t key = 0;
  std::uint32_t version = 0;
};

inline constexpr TimePoint kCrashTime{std::chrono::milliseconds(1'000'000)};

/// The entry of this key, a few hundred bytes to some ten thousand; its response tells the version. Keys of equal
/// `key % 4` share a scope; each key has a vector of its own.
NewEntry crash_entry(std::uint32_t key, std::uint32_t version);

}  // namespace sosie::store
