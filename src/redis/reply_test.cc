#include "redis/reply.h"

#include <gtest/gtest.h>

#include "redis/pipeline.h"

namespace sosie::redis {
namespace {

Reply text(std::string_view value) {
  Reply reply;
  reply.kind = Reply::Kind::string;
  reply.text = value;
  return reply;
}

Reply error(std::string_view value) {
  Reply reply;
  reply.kind = Reply::Kind::error;
  reply.text = value;
  return reply;
}

TEST(Reply, FindsNamesAndNotValues) {
  Reply list;
  list.kind = Reply::Kind::array;
  list.items = {text("a"), text("b"), text("b"), text("c"), text("lonely")};
  ASSERT_NE(list.find("b"), nullptr);
  EXPECT_EQ(list.find("b")->text, "c");
  EXPECT_EQ(list.find("c"), nullptr);
  EXPECT_EQ(list.find("lonely"), nullptr);
  list.kind = Reply::Kind::map;
  EXPECT_EQ(list.find("a")->text, "b");
  list.kind = Reply::Kind::set;
  EXPECT_EQ(list.find("a"), nullptr);
  EXPECT_EQ(text("a").find("a"), nullptr);
}

TEST(Reply, SaysWhatAServersErrorMeans) {
  const std::pair<std::string_view, ErrorCode> meanings[] = {
      {"NOAUTH Authentication required.", ErrorCode::permission_denied},
      {"WRONGPASS invalid username-password pair or user is disabled.", ErrorCode::permission_denied},
      {"NOPERM User x has no permissions to run the 'ft.create' command", ErrorCode::permission_denied},
      {"ERR AUTH <password> called without any password configured for the default user.",
       ErrorCode::permission_denied},
      {"OOM command not allowed when used memory > 'maxmemory'.", ErrorCode::resource_exhausted},
      {"LOADING Redis is loading the dataset in memory", ErrorCode::unavailable},
      {"BUSY Redis is busy running a script.", ErrorCode::unavailable},
      {"MASTERDOWN Link with MASTER is down", ErrorCode::unavailable},
      {"READONLY You can't write against a read only replica.", ErrorCode::unavailable},
      {"TRYAGAIN Multiple keys request during rehashing of slot", ErrorCode::unavailable},
      {"CLUSTERDOWN The cluster is down", ErrorCode::unavailable},
      {"ERR max number of clients reached", ErrorCode::unavailable},
      {"MOVED 3999 127.0.0.1:6381", ErrorCode::unsupported},
      {"ASK 3999 127.0.0.1:6381", ErrorCode::unsupported},
      {"ERR unknown command 'FT.SEARCH', with args beginning with: 'secret'", ErrorCode::unsupported},
      {"NOPROTO unsupported protocol version", ErrorCode::unsupported},
      {"WRONGTYPE Operation against a key holding the wrong kind of value", ErrorCode::internal},
      {"my words", ErrorCode::internal},
      {"", ErrorCode::internal},
  };
  for (const auto& [words, code] : meanings) EXPECT_EQ(to_error(error(words)).code, code) << words;
}

TEST(Reply, RepeatsNothingOfTheCommand) {
  for (const std::string_view words : {"ERR unknown command 'X', with args beginning with: 'secret'",
                                       "MOVED 1 secret:1", "ERR secret", "secret words", "WRONGPASS secret"}) {
    EXPECT_EQ(to_error(error(words)).message.find("secret"), std::string::npos) << words;
  }
  EXPECT_NE(to_error(error("WRONGTYPE no")).message.find("WRONGTYPE"), std::string::npos);
}

TEST(Pipeline, WritesCommandsAsArraysOfStrings) {
  Pipeline commands;
  commands.add({"GET", "k"}).add({"SET", std::string_view("a\r\n\0b", 5), ""});
  EXPECT_EQ(commands.commands(), 2U);
  EXPECT_EQ(commands.bytes(),
            std::string("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*3\r\n$3\r\nSET\r\n$5\r\na\r\n\0b\r\n$0\r\n\r\n", 50));
}

}  // namespace
}  // namespace sosie::redis
