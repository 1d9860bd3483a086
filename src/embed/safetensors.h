// safetensors.h: a model's weights in a mapped file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "embed/mapped_file.h"
#include "sosie/result.h"
#include "text/model_config.h"

namespace sosie::embed {

/// Thread-safety: immutable.
class Safetensors {
 public:
  /// Errors: those of `MappedFile::open`; data_corruption and unsupported, naming file and tensor.
  static Result<Safetensors> open(const std::filesystem::path& path);

  /// Whether there is a tensor of this name.
  bool has(std::string_view name) const { return entries_.contains(name); }

  /// Whether `floats` would succeed. Errors: those of it.
  Result<void> check(std::string_view name, const std::vector<std::size_t>& shape) const;

  /// The tensor as floats, row after row, whatever its type.
  /// Errors: data_corruption (no such tensor, or another shape), unsupported (not F32, F16 or BF16).
  Result<std::vector<float>> floats(std::string_view name, const std::vector<std::size_t>& shape) const;

  /// The tensor where it lies, or null where it is not of aligned F32. REQUIRES: `check` succeeds.
  const float* in_place(std::string_view name) const;

  /// See `MappedFile::forget`.
  void forget() const noexcept { file_.forget(); }

  /// The whole file.
  std::string_view bytes() const noexcept { return file_.bytes(); }

 private:
  Safetensors(std::string name, MappedFile file, std::string_view data, std::vector<text::TensorEntry> entries);
  Result<const text::TensorEntry*> entry(std::string_view name, const std::vector<std::size_t>& shape) const;

  std::string name_;
  MappedFile file_;
  std::string_view data_;
  std::map<std::string, text::TensorEntry, std::less<>> entries_;
};

}  // namespace sosie::embed
