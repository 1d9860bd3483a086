// packed_weights.h: a model's int8 matrices in a file, ready to be mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "embed/byte_matrix.h"
#include "embed/mapped_file.h"
#include "sosie/result.h"

namespace sosie::embed {

/// Tells one state of a file from another without reading it.
struct FileState {
  std::uint64_t device = 0, inode = 0, bytes = 0, mode = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;

  friend bool operator==(const FileState&, const FileState&) = default;
};

/// Errors: those of `MappedFile::open`.
Result<FileState> state_of(const std::filesystem::path& path);

/// Packing a model reads and quantises all its weights, for a digest and into these matrices: what came of it is kept beside the model,
/// where processes share one copy in memory. A file that is damaged, or made of another state of the weights, is as good as none.
///
/// Immutable; its matrices may outlive it.
class PackedWeights {
 public:
  /// What was kept at `path` of weights in the state `source`. Empty: nothing that could be used.
  static std::optional<PackedWeights> open(const std::filesystem::path& path, const FileState& source);

  /// Puts the file at `path` in place of whatever is there, at once, for those to read who may read the weights. Writes nothing where the weights changed so lately that a
  /// further change could bear the same time. Errors: permission_denied, unavailable (disk full, for one).
  static Result<void> write(const std::filesystem::path& path, const FileState& source, const base::Digest& weights,
                            std::span<const ByteMatrix> matrices);

  /// SHA-256 of the file of weights.
  const base::Digest& weights() const noexcept { return weights_; }

  /// Empty where there are fewer, or this one has another size.
  std::optional<ByteMatrix> matrix(std::size_t index, std::size_t depth, std::size_t columns) const;

 private:
  struct Place {
    std::uint64_t depth = 0, columns = 0, offset = 0;
  };
  PackedWeights(std::shared_ptr<const MappedFile> file, const base::Digest& weights, std::vector<Place> places)
      : file_(std::move(file)), weights_(weights), places_(std::move(places)) {}

  std::shared_ptr<const MappedFile> file_;
  base::Digest weights_;
  std::vector<Place> places_;
};

}  // namespace sosie::embed
