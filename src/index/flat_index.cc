#include "index/flat_index.h"

namespace sosie::index {

std::size_t FlatIndex::add(RowId id, std::span<const float> vector) {
  ids_.push_back(id);
  vectors_.append(vector);
  return ids_.size() - 1;
}

void FlatIndex::replace(std::size_t row, RowId id, std::span<const float> vector) {
  ids_[row] = id;
  vectors_.assign(row, vector);
}

void FlatIndex::remove(std::size_t row) {
  const std::size_t last = size() - 1;
  if (row != last) {
    ids_[row] = ids_[last];
    vectors_.copy_row(last, row);
  }
  ids_.pop_back();
  vectors_.pop();
}

std::vector<float> FlatIndex::padded(std::span<const float> query) const {
  std::vector<float> row(vectors_.stride());
  std::copy(query.begin(), query.end(), row.begin());
  return row;
}

}  // namespace sosie::index
