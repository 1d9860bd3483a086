// text_cache.h: the entries that were asked for lately, as whole objects, so that a hot hit reads no file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "sosie/entry.h"

namespace sosie::store {

/// Least-recently-used entries by the number of their row; a row's content never changes, a replaced entry is a new row.
///
/// Thread-safety: every method may be called concurrently.
class TextCache {
 public:
  /// `max_bytes`: of texts and attributes together.
  explicit TextCache(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  /// Null where it is not kept.
  std::shared_ptr<const Entry> find(std::int64_t row);
  void insert(std::int64_t row, std::shared_ptr<const Entry> entry);
  void erase(std::int64_t row);
  void clear();
  std::uint64_t bytes() const;

 private:
  struct Kept {
    std::int64_t row;
    std::shared_ptr<const Entry> entry;
    std::uint64_t bytes;
  };
  using List = std::list<Kept>;  // Most recently used first.
  void drop(List::iterator kept);

  mutable std::mutex mutex_;
  const std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
  List list_;
  std::unordered_map<std::int64_t, List::iterator> by_row_;
};

}  // namespace sosie::store
