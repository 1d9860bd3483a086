#include "store/sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

namespace sosie::store {
namespace {

constexpr int kBusyMilliseconds = 5000;

// The errno of the last failed call on a file. SQLite's own record of it is that of the database file alone, and is often
// overwritten by the clean-up.
int last_errno(sqlite3_file* file) {
  int number = 0;
  if (file == nullptr || file->pMethods == nullptr) return 0;
  file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
  return number;
}

Error error_of(sqlite3* handle) {
  const int code = sqlite3_extended_errcode(handle);
  int number = sqlite3_system_errno(handle);
  if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_TRUNCATE) {
    for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
      sqlite3_file* file = nullptr;
      sqlite3_file_control(handle, "main", which, &file);
      if (const int of_file = last_errno(file); of_file != 0) {
        number = of_file;
        break;
      }
    }
  }
  return sqlite_error(code, number, sqlite3_errmsg(handle));
}

}  // namespace

Error sqlite_error(int code, int system_errno, std::string_view detail) {
  const std::string tail = " (SQLite: " + std::string(detail) + ")";
  const bool no_space = system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
  const bool refused = system_errno == EACCES || system_errno == EPERM || system_errno == EROFS;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {ErrorCode::resource_exhausted, "the disk of the data folder is full: free some space; nothing stored is lost" + tail};
    case SQLITE_IOERR:
      if (code == SQLITE_IOERR_NOMEM) return {ErrorCode::resource_exhausted, "out of memory" + tail};
      if (code == SQLITE_IOERR_CORRUPTFS) return {ErrorCode::data_corruption, "the file system is corrupt: check the disk" + tail};
      if (no_space) {
        return {ErrorCode::resource_exhausted, "the data folder is full or over a quota: free some space; nothing stored is lost" + tail};
      }
      if (refused) return {ErrorCode::permission_denied, "the data folder cannot be written: check its owner and mode" + tail};
      return {ErrorCode::unavailable, "the data folder cannot be read or written now: check the disk" + tail};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {ErrorCode::permission_denied, "the data folder cannot be written: check its owner, its mode and the mount" + tail};
    case SQLITE_CANTOPEN:
      if (no_space) return {ErrorCode::resource_exhausted, "the disk of the data folder is full: free some space" + tail};
      if (system_errno == EMFILE || system_errno == ENFILE) {
        return {ErrorCode::resource_exhausted, "too many open files: raise the limit (ulimit -n)" + tail};
      }
      return {ErrorCode::permission_denied, "the store's file cannot be opened: check its owner and mode" + tail};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:  // Of the schema's, which no sound file breaks.
      return {ErrorCode::data_corruption, "the store's file is damaged or no SQLite database: restore it, or move it away to start anew" + tail};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::unavailable, "another program holds a lock on the store's file: close it and try again" + tail};
    case SQLITE_TOOBIG: return {ErrorCode::invalid_argument, "the entry is longer than the store can keep" + tail};
    case SQLITE_NOMEM: return {ErrorCode::resource_exhausted, "out of memory" + tail};
    default: return {ErrorCode::internal, "the store's database failed" + tail};
  }
}

void Connection::Close::operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }

Result<Connection> Connection::open(const std::filesystem::path& file, Absent absent) {
  sqlite3* handle = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(file.c_str(), &handle, absent == Absent::create ? flags | SQLITE_OPEN_CREATE : flags, nullptr);
  if (handle == nullptr) return Error{ErrorCode::resource_exhausted, "out of memory"};
  Connection connection(handle);
  if (code != SQLITE_OK) return connection.last_error();
  sqlite3_busy_timeout(handle, kBusyMilliseconds);
  return connection;
}

Error Connection::last_error() const { return error_of(handle_.get()); }

bool Connection::read_only() const noexcept { return sqlite3_db_readonly(handle_.get(), "main") == 1; }

bool Connection::in_transaction() const noexcept { return sqlite3_get_autocommit(handle_.get()) == 0; }

Result<void> Connection::run(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return last_error();
  return {};
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK) {
    return last_error();
  }
  return Statement(statement);
}

Result<std::int64_t> Connection::number(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  auto row = statement->step();
  if (!row) return std::move(row).error();
  return *row ? statement->number(0) : 0;
}

Result<std::string> Connection::text(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return std::move(statement).error();
  auto row = statement->step();
  if (!row) return std::move(row).error();
  return *row ? std::string(statement->bytes(0)) : std::string();
}

void Statement::Finalize::operator()(sqlite3_stmt* handle) const noexcept { sqlite3_finalize(handle); }

void Statement::note(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  note(sqlite3_bind_int64(handle_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  note(sqlite3_bind_double(handle_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view bytes) {
  // A null pointer would bind NULL instead of an empty BLOB.
  note(sqlite3_bind_blob64(handle_.get(), parameter, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind(int parameter, std::span<const std::uint8_t> bytes) {
  return bind(parameter, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

Statement& Statement::bind_null(int parameter) {
  note(sqlite3_bind_null(handle_.get(), parameter));
  return *this;
}

Result<bool> Statement::step() {
  if (bind_code_ != SQLITE_OK) return sqlite_error(std::exchange(bind_code_, SQLITE_OK), 0, "cannot bind");
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return error_of(sqlite3_db_handle(handle_.get()));
}

Result<void> Statement::run() {
  auto row = step();
  reset();
  if (!row) return std::move(row).error();
  return {};
}

void Statement::reset() noexcept {
  sqlite3_reset(handle_.get());
  sqlite3_clear_bindings(handle_.get());
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(handle_.get(), column); }
double Statement::real(int column) const { return sqlite3_column_double(handle_.get(), column); }
bool Statement::is_null(int column) const { return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL; }

std::string_view Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(handle_.get(), column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

}  // namespace sosie::store
