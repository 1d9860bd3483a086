// mapped_file.h: a file's bytes without reading them all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "sosie/result.h"

namespace sosie::embed {

/// A file mapped read-only. Movable; the bytes stay where they are.
class MappedFile {
 public:
  /// Errors: not_found, permission_denied, unavailable, data_corruption (empty, or not a regular file).
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::string_view bytes() const noexcept { return {static_cast<const char*>(data_), size_}; }

  /// Gives the memory of what was read back to the system; what is read again comes from the file again.
  void forget() const noexcept;

 private:
  MappedFile(void* data, std::size_t size) noexcept : data_(data), size_(size) {}
  void* data_;
  std::size_t size_;
};

/// The whole of a small file. Errors: those of `MappedFile::open`, and data_corruption where it has more than `limit` bytes.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);

}  // namespace sosie::embed
