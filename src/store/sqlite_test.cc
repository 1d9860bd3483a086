#include "store/sqlite.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cerrno>

namespace sosie::store {
namespace {

TEST(Sqlite, CodesBecomeTheErrorsACallerCanActOn) {
  EXPECT_EQ(sqlite_error(SQLITE_FULL, 0, "").code, ErrorCode::resource_exhausted);
  EXPECT_EQ(sqlite_error(SQLITE_IOERR_WRITE, ENOSPC, "").code, ErrorCode::resource_exhausted);
  EXPECT_EQ(sqlite_error(SQLITE_IOERR_WRITE, EFBIG, "").code, ErrorCode::resource_exhausted);
  EXPECT_EQ(sqlite_error(SQLITE_IOERR_READ, EIO, "").code, ErrorCode::unavailable);
  EXPECT_EQ(sqlite_error(SQLITE_READONLY_DIRECTORY, 0, "").code, ErrorCode::permission_denied);
  EXPECT_EQ(sqlite_error(SQLITE_CANTOPEN, EACCES, "").code, ErrorCode::permission_denied);
  EXPECT_EQ(sqlite_error(SQLITE_CANTOPEN, EMFILE, "").code, ErrorCode::resource_exhausted);
  EXPECT_EQ(sqlite_error(SQLITE_NOTADB, 0, "").code, ErrorCode::data_corruption);
  EXPECT_EQ(sqlite_error(SQLITE_CORRUPT_INDEX, 0, "").code, ErrorCode::data_corruption);
  EXPECT_EQ(sqlite_error(SQLITE_BUSY_SNAPSHOT, 0, "").code, ErrorCode::unavailable);
  EXPECT_EQ(sqlite_error(SQLITE_TOOBIG, 0, "").code, ErrorCode::invalid_argument);
}

TEST(Sqlite, BytesGoInAndOutUnchanged) {
  auto connection = Connection::open(":memory:", Connection::Absent::create);
  ASSERT_TRUE(connection);
  ASSERT_TRUE(connection->run("CREATE TABLE t(b BLOB NOT NULL, n INTEGER) STRICT"));
  auto insert = connection->prepare("INSERT INTO t VALUES(?1,?2)");
  ASSERT_TRUE(insert);
  const std::string bytes("a\0\xff", 3);
  ASSERT_TRUE(insert->bind(1, bytes).bind(2, std::int64_t{-7}).run());
  ASSERT_TRUE(insert->bind(1, std::string_view()).bind_null(2).run()) << "an empty text is not NULL";
  auto select = connection->prepare("SELECT b,n FROM t ORDER BY rowid");
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->bytes(0), bytes);
  EXPECT_EQ(select->number(1), -7);
  ASSERT_TRUE(*select->step());
  EXPECT_EQ(select->bytes(0), "");
  EXPECT_TRUE(select->is_null(1));
  EXPECT_FALSE(*select->step());
}

TEST(Sqlite, AFailedStatementCanBeUsedAgain) {
  auto connection = Connection::open(":memory:", Connection::Absent::create);
  ASSERT_TRUE(connection->run("CREATE TABLE t(b BLOB NOT NULL) STRICT"));
  auto insert = connection->prepare("INSERT INTO t VALUES(?1)");
  EXPECT_FALSE(insert->bind_null(1).run());
  EXPECT_FALSE(insert->bind(5, std::int64_t{1}).run()) << "there is no fifth parameter";
  EXPECT_TRUE(insert->bind(1, std::string_view("x")).run());
  EXPECT_EQ(*connection->number("SELECT count(*) FROM t"), 1);
}

}  // namespace
}  // namespace sosie::store
