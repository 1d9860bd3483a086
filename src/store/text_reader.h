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
#include "store/writer_first_mutex.h"

namespace sosie::store {

struct Texts {
  std::string prompt, response;
};

/// A few reading connections, lent to whoever asks.
///
/// Thread-safety: every method may be called concurrently; readers do not wait for each other, nor for the writer, but while the file is
/// replaced.
class TextReader {
 public:
  explicit TextReader(std::filesystem::path file);
  ~TextReader();

  /// Empty where the row does not exist (any more).
  Result<std::optional<Texts>> read(std::int64_t row);

  /// Closes every connection, once those in use are given back; while the lock lives none is opened. To be held while the file is replaced:
  /// SQLite deletes and truncates a database's log and shared memory by their path, whichever file is there by then, and its locks do not
  /// hold between connections of one process to two files.
  [[nodiscard]] std::unique_lock<WriterFirstMutex> close();

 private:
  struct Session;
  Result<std::unique_ptr<Session>> borrow();
  void give_back(std::unique_ptr<Session> session);

  const std::filesystem::path file_;
  WriterFirstMutex open_;  // Shared: connections may be open.
  std::mutex mutex_;       // Guards what follows.
  std::vector<std::unique_ptr<Session>> idle_;
};

}  // namespace sosie::store
