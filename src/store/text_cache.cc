#include "store/text_cache.h"

#include <utility>

namespace sosie::store {
namespace {

std::uint64_t bytes_of(const Entry& entry) {
  std::uint64_t bytes = sizeof(Entry) + entry.scope.size() + entry.prompt.size() + entry.response.size();
  for (const auto& [name, value] : entry.attributes) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

std::shared_ptr<const Entry> TextCache::find(std::int64_t row) {
  std::lock_guard lock(mutex_);
  const auto found = by_row_.find(row);
  if (found == by_row_.end()) return nullptr;
  list_.splice(list_.begin(), list_, found->second);
  return found->second->entry;
}

void TextCache::insert(std::int64_t row, std::shared_ptr<const Entry> entry) {
  const std::uint64_t bytes = bytes_of(*entry);
  List node;  // Allocated outside the lock.
  node.push_back({row, std::move(entry), bytes});
  std::lock_guard lock(mutex_);
  if (const auto found = by_row_.find(row); found != by_row_.end()) drop(found->second);
  if (bytes > max_bytes_) return;
  list_.splice(list_.begin(), node);
  by_row_[row] = list_.begin();
  bytes_ += bytes;
  while (bytes_ > max_bytes_) drop(std::prev(list_.end()));
}

void TextCache::erase(std::int64_t row) {
  std::lock_guard lock(mutex_);
  if (const auto found = by_row_.find(row); found != by_row_.end()) drop(found->second);
}

void TextCache::clear() {
  std::lock_guard lock(mutex_);
  by_row_.clear();
  list_.clear();
  bytes_ = 0;
}

std::uint64_t TextCache::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

void TextCache::drop(List::iterator kept) {
  bytes_ -= kept->bytes;
  by_row_.erase(kept->row);
  list_.erase(kept);
}

}  // namespace sosie::store
