// text_reader.h: reads the texts of entries that are not in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/sqlite.h"

namespace sosie::store {

struct Texts {
  std::string prompt, response;
};

/// A few reading connections, lent to whoever asks.
///
/// Thread-safety: `read` may be called concurrently; readers do not wait for each other, nor for the writer.
class TextReader {
 public:
  explicit TextReader(std::filesystem::path file);
  ~TextReader();

  /// Empty where the row does not exist (any more).
  Result<std::optional<Texts>> read(std::int64_t row);

  /// The file is another one from now on: nothing more is read from the one before.
  void reopen();

 private:
  struct Session;
  Result<std::unique_ptr<Session>> borrow();
  void give_back(std::unique_ptr<Session> session);

  const std::filesystem::path file_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Session>> idle_;
  std::uint64_t generation_ = 0;  // How often there was another file.
};

}  // namespace sosie::store
