#include "index/matrix.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sosie::index {
namespace {

constexpr std::size_t kFloatsPerLine = 16;
constexpr std::size_t kBlockBytes = std::size_t{2} << 20;

}  // namespace

Matrix::Matrix(std::size_t dimension)
    : dimension_(dimension),
      stride_((dimension + kFloatsPerLine - 1) / kFloatsPerLine * kFloatsPerLine),
      rows_per_block_(std::max<std::size_t>(1, kBlockBytes / (stride_ * sizeof(float)))) {}

void Matrix::Release::operator()(float* block) const noexcept { std::free(block); }

Matrix::Block Matrix::allocate(std::size_t bytes) {
  const bool whole = bytes >= kBlockBytes / 2;
  const std::size_t alignment = whole ? kBlockBytes : kFloatsPerLine * sizeof(float);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  if (whole) ::madvise(memory, rounded, MADV_HUGEPAGE);  // A wish: without it the scan is a few per cent slower.
  return Block(static_cast<float*>(memory), Release{rounded});
}

std::size_t Matrix::memory_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const Block& block : blocks_) bytes += block.get_deleter().bytes;
  return bytes;
}

void Matrix::append(std::span<const float> values) {
  const std::size_t row_bytes = stride_ * sizeof(float);
  if (rows_ == blocks_.size() * rows_per_block_ && rows_ > 0) {
    blocks_.push_back(allocate(rows_per_block_ * row_bytes));
  } else if (blocks_.size() <= 1) {
    // The only block starts small, since most scopes stay small, and doubles until it is whole.
    const std::size_t capacity = blocks_.empty() ? 0 : blocks_[0].get_deleter().bytes / row_bytes;
    if (rows_ == capacity) {
      const std::size_t wanted = std::min(std::max<std::size_t>(1, capacity * 2), rows_per_block_);
      Block grown = allocate(wanted * row_bytes);
      if (rows_ > 0) std::memcpy(grown.get(), blocks_[0].get(), rows_ * row_bytes);
      blocks_.clear();
      blocks_.push_back(std::move(grown));
    }
  }
  ++rows_;
  assign(rows_ - 1, values);
}

void Matrix::assign(std::size_t r, std::span<const float> values) {
  float* row = mutable_row(r);
  std::copy(values.begin(), values.end(), row);
  std::fill(row + dimension_, row + stride_, 0.0f);
}

void Matrix::copy_row(std::size_t from, std::size_t to) {
  std::memcpy(mutable_row(to), row(from), stride_ * sizeof(float));
}

void Matrix::pop() {
  --rows_;
  // One spare block is kept, so that a size that moves around a block's edge does not allocate each time.
  const std::size_t needed = (rows_ + rows_per_block_ - 1) / rows_per_block_;
  while (blocks_.size() > needed + 1) blocks_.pop_back();
}

}  // namespace sosie::index
