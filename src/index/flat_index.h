// flat_index.h: exact nearest neighbours in one partition, by looking at every row.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "index/kernels.h"
#include "index/matrix.h"
#include "sosie/similarity.h"

namespace sosie::index {

/// 128 bits that name a row and order equal similarities.
struct RowId {
  std::uint64_t high = 0, low = 0;
  friend auto operator<=>(const RowId&, const RowId&) = default;
};

/// What the caller thinks of a row that is near enough to matter.
enum class Verdict {
  absent,    ///< As if it did not stand there, e.g. expired.
  rejected,  ///< There, but ruled out by a filter.
  accepted,
};

struct Criteria {
  std::size_t k = 1;         ///< Most rows wanted; > 0.
  Similarity floor{-2};      ///< Least similarity wanted.
  bool may_reject = false;   ///< The judge can say `rejected`; without it fewer rows are judged.
};

struct Match {
  std::size_t row = 0;
  float similarity = 0;
};

struct Scan {
  std::vector<Match> found;      ///< At most k accepted rows at the floor or above; descending similarity, ties by id.
  std::optional<float> nearest;  ///< Of the most similar row that is not absent, whatever floor and filter say.
  bool rejected = false;         ///< A row at the floor or above was rejected.
};

/// Rows 0 to size() - 1, dense. Similarity is the plain dot product: give unit vectors.
///
/// Thread-safety: const methods may run concurrently with each other only.
class FlatIndex {
 public:
  /// REQUIRES: dimension > 0.
  explicit FlatIndex(std::size_t dimension, const Kernels& kernels = index::kernels())
      : kernels_(&kernels), vectors_(dimension) {}

  std::size_t size() const noexcept { return ids_.size(); }
  std::size_t dimension() const noexcept { return vectors_.dimension(); }
  RowId id(std::size_t row) const noexcept { return ids_[row]; }
  std::span<const float> vector(std::size_t row) const noexcept { return {vectors_.row(row), dimension()}; }
  std::size_t memory_bytes() const noexcept { return vectors_.memory_bytes() + ids_.capacity() * sizeof(RowId); }
  std::string_view kernel_name() const noexcept { return to_string(kernels_->isa); }

  /// Returns the new row, always size() - 1. REQUIRES here and below: vector.size() == dimension(), row < size().
  std::size_t add(RowId id, std::span<const float> vector);
  void replace(std::size_t row, RowId id, std::span<const float> vector);
  /// The last row takes the removed one's place.
  void remove(std::size_t row);

  /// The k most similar rows that `judge` accepts. `judge(row) -> Verdict` is asked only where the answer matters, and must
  /// answer the same for a row during one search.
  ///
  /// Cost: one pass over the matrix, bound by memory bandwidth; allocates for the result and one row.
  template <class Judge>
  Scan search(std::span<const float> query, const Criteria& criteria, Judge&& judge) const;

 private:
  static constexpr std::size_t kRowsPerBatch = 64;

  /// Row-aligned copy of the query, padded like a row, so that the kernels meet no remainder.
  std::vector<float> padded(std::span<const float> query) const;

  const Kernels* kernels_;
  Matrix vectors_;
  std::vector<RowId> ids_;
};

template <class Judge>
Scan FlatIndex::search(std::span<const float> query, const Criteria& criteria, Judge&& judge) const {
  Scan scan;
  const std::vector<float> wanted = padded(query);
  const auto better = [this](const Match& a, const Match& b) {
    return a.similarity != b.similarity ? a.similarity > b.similarity : ids_[a.row] < ids_[b.row];
  };
  const float none = -std::numeric_limits<float>::infinity();
  const double floor = criteria.floor.value;
  float nearest = none;
  double gate = floor;  // Below this, a row cannot change `found` or `rejected`.

  std::array<float, kRowsPerBatch> similarity;
  for (std::size_t first = 0; first < size(); first += vectors_.rows_per_block()) {
    const std::size_t end = std::min(size(), first + vectors_.rows_per_block());
    for (std::size_t batch = first; batch < end; batch += kRowsPerBatch) {
      const std::size_t count = std::min(kRowsPerBatch, end - batch);
      kernels_->dot_rows(wanted.data(), vectors_.row(batch), vectors_.stride(), count, vectors_.stride(), similarity.data());
      for (std::size_t i = 0; i < count; ++i) {
        const float s = similarity[i];
        if (!(s > nearest || s >= gate)) continue;
        const Match match{batch + i, s};
        const Verdict verdict = judge(match.row);
        if (verdict == Verdict::absent) continue;
        nearest = std::max(nearest, s);
        if (!(s >= floor)) continue;
        if (verdict == Verdict::rejected) {
          scan.rejected = true;
        } else if (scan.found.size() < criteria.k) {
          scan.found.push_back(match);
          std::push_heap(scan.found.begin(), scan.found.end(), better);
        } else if (better(match, scan.found.front())) {
          std::pop_heap(scan.found.begin(), scan.found.end(), better);
          scan.found.back() = match;
          std::push_heap(scan.found.begin(), scan.found.end(), better);
        }
        const bool full = scan.found.size() == criteria.k && (scan.rejected || !criteria.may_reject);
        if (full) gate = std::max(floor, static_cast<double>(scan.found.front().similarity));
      }
    }
  }
  std::sort_heap(scan.found.begin(), scan.found.end(), better);
  if (nearest != none) scan.nearest = nearest;
  return scan;
}

}  // namespace sosie::index
