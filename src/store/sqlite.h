// sqlite.h: SQLite's handles as values, its codes as errors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "sosie/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sosie::store {

class Statement;

/// One connection. Thread-safety: one thread at a time.
class Connection {
 public:
  enum class Absent { create, fail };

  /// Opens the file. Waits up to five seconds for a lock that another program holds.
  static Result<Connection> open(const std::filesystem::path& file, Absent absent);

  /// Runs statements that yield nothing of interest.
  Result<void> run(const char* sql);
  Result<Statement> prepare(std::string_view sql);
  Result<std::int64_t> number(std::string_view sql);  ///< The first column of the first row; 0 if there is none.
  Result<std::string> text(std::string_view sql);

  bool read_only() const noexcept;  ///< The file can only be read.

  /// Whether a transaction is open: SQLite ends one by itself after some errors.
  bool in_transaction() const noexcept;

  /// The last failure of this connection, with what to do next.
  Error last_error() const;

 private:
  struct Close {
    void operator()(sqlite3* handle) const noexcept;
  };
  explicit Connection(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement. Bound bytes must live until `reset`. Must not outlive its connection.
class Statement {
 public:
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view bytes);  ///< As a BLOB.
  Statement& bind(int parameter, std::span<const std::uint8_t> bytes);
  Statement& bind_null(int parameter);

  /// Whether there is a row to read.
  Result<bool> step();
  /// Steps a statement that returns no row, and resets it whatever comes.
  Result<void> run();
  void reset() noexcept;

  std::int64_t number(int column) const;
  double real(int column) const;
  bool is_null(int column) const;
  std::string_view bytes(int column) const;  ///< Valid until the next step or reset.

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const noexcept;
  };
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  void note(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
  int bind_code_ = 0;  // The first failure to bind; reported by the next step.
};

/// What an extended result code and the system's errno mean to a caller.
Error sqlite_error(int code, int system_errno, std::string_view detail);

}  // namespace sosie::store
