#include "redis/resp_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace sosie::redis {
namespace {

/// All replies of `stream`, fed in pieces of `piece` bytes; the error, where it ends in one, as its code.
std::string read(std::string_view stream, std::size_t piece, std::size_t max_bytes = 1 << 20);

std::string shown(const Reply& reply) {
  std::string out;
  switch (reply.kind) {
    case Reply::Kind::null:
      return "null";
    case Reply::Kind::string:
      return "'" + reply.text + "'";
    case Reply::Kind::error:
      return "error(" + reply.text + ")";
    case Reply::Kind::integer:
      return std::to_string(reply.integer);
    case Reply::Kind::number:
      return std::isnan(reply.number) ? "nan" : std::to_string(reply.number);
    case Reply::Kind::boolean:
      return reply.integer ? "true" : "false";
    case Reply::Kind::array:
      out = "array";
      break;
    case Reply::Kind::map:
      out = "map";
      break;
    case Reply::Kind::set:
      out = "set";
      break;
    case Reply::Kind::push:
      out = "push";
      break;
  }
  out += '[';
  for (const Reply& item : reply.items) out += (out.back() == '[' ? "" : " ") + shown(item);
  return out + ']';
}

void feed(RespParser& parser, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto space = parser.space();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    parser.filled(count);
    bytes.remove_prefix(count);
  }
}

std::string read(std::string_view stream, std::size_t piece, std::size_t max_bytes) {
  RespParser parser(max_bytes);
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    feed(parser, stream.substr(at, piece));
    while (true) {
      auto next = parser.next();
      if (!next) return out + "!" + std::string(to_string(next.error().code));
      if (!*next) break;
      out += shown(**next) + ";";
    }
  }
  return out + (parser.is_empty() ? "" : "...");
}

struct Vector {
  std::string_view stream, expected;
};

void PrintTo(const Vector& vector, std::ostream* out) { *out << testing::PrintToString(std::string(vector.expected)); }

class RespVectors : public testing::TestWithParam<Vector> {};

TEST_P(RespVectors, ReadTheSameInPiecesOfAnySize) {
  const auto& [stream, expected] = GetParam();
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) EXPECT_EQ(read(stream, piece), expected) << piece;
}

INSTANTIATE_TEST_SUITE_P(
    Resp2, RespVectors,
    testing::Values(Vector{"+OK\r\n", "'OK';"}, Vector{"-ERR no\r\n", "error(ERR no);"},
                    Vector{":-42\r\n:+7\r\n", "-42;7;"}, Vector{"$5\r\nhe\r\no\r\n$0\r\n\r\n", "'he\r\no';'';"},
                    Vector{"$-1\r\n*-1\r\n", "null;null;"}, Vector{"*0\r\n", "array[];"},
                    Vector{"*3\r\n:1\r\n$-1\r\n+a\r\n", "array[1 null 'a'];"},
                    Vector{"*2\r\n*1\r\n*0\r\n*2\r\n:1\r\n*-1\r\n:9\r\n", "array[array[array[]] array[1 null]];9;"},
                    Vector{"*2\r\n$3\r\nab", "..."}, Vector{"+OK\r\n$1", "'OK';..."}));

INSTANTIATE_TEST_SUITE_P(Resp3, RespVectors,
                         testing::Values(Vector{"_\r\n#t\r\n#f\r\n", "null;true;false;"},
                                         Vector{",1.5\r\n,-inf\r\n,nan\r\n,1e3\r\n", "1.500000;-inf;nan;1000.000000;"},
                                         Vector{"(3492890328409238509324850943850943825024385\r\n",
                                                "'3492890328409238509324850943850943825024385';"},
                                         Vector{"!8\r\nERR a\r\nb\r\n", "error(ERR a\r\nb);"},
                                         Vector{"=8\r\ntxt:abcd\r\n", "'abcd';"}, Vector{"=4\r\ntxt:\r\n", "'';"},
                                         Vector{"%2\r\n+a\r\n:1\r\n+b\r\n%0\r\n", "map['a' 1 'b' map[]];"},
                                         Vector{"~2\r\n:1\r\n:2\r\n", "set[1 2];"},
                                         Vector{">2\r\n+message\r\n+x\r\n+OK\r\n", "push['message' 'x'];'OK';"},
                                         Vector{"|1\r\n+ttl\r\n:3\r\n$2\r\nhi\r\n", "'hi';"},
                                         Vector{"*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n|0\r\n:2\r\n", "array[1 2];"},
                                         Vector{"*0\r\n|1\r\n+a\r\n:1\r\n", "array[];..."}));

INSTANTIATE_TEST_SUITE_P(
    Hostile, RespVectors,
    testing::Values(Vector{"HTTP/1.1 200 OK\r\n", "!data_corruption"}, Vector{"\r\n", "!data_corruption"},
                    Vector{"+OK\n", "!data_corruption"}, Vector{":\r\n", "!data_corruption"},
                    Vector{":1x\r\n", "!data_corruption"}, Vector{":99999999999999999999\r\n", "!data_corruption"},
                    Vector{"$x\r\n", "!data_corruption"}, Vector{"$-2\r\n", "!data_corruption"},
                    Vector{"!-1\r\n", "!data_corruption"}, Vector{"=3\r\ntxt\r\n", "!data_corruption"},
                    Vector{"$3\r\nabcde", "!data_corruption"}, Vector{"*-2\r\n", "!data_corruption"},
                    Vector{"%-1\r\n", "!data_corruption"}, Vector{"$?\r\n", "!data_corruption"},
                    Vector{"*?\r\n", "!data_corruption"}, Vector{"#x\r\n", "!data_corruption"},
                    Vector{",1.5.\r\n", "!data_corruption"}, Vector{"_x\r\n", "!data_corruption"},
                    Vector{"$1048577\r\n", "!resource_exhausted"},
                    Vector{"$18446744073709551615\r\n", "!resource_exhausted"},
                    Vector{"*2000000000\r\n", "!resource_exhausted"},
                    Vector{"%9223372036854775807\r\n", "!resource_exhausted"},
                    Vector{"%18446744073709551615\r\n", "!resource_exhausted"}));

TEST(RespParser, KeepsItsErrorAndItsEarlierReplies) {
  RespParser parser;
  feed(parser, ":1\r\n?\r\n:2\r\n");
  auto first = parser.next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->integer, 1);
  EXPECT_FALSE(parser.next());
  EXPECT_FALSE(parser.next());
}

TEST(RespParser, RefusesDeepNesting) {
  std::string deepest, deeper;
  for (std::size_t i = 0; i < RespParser::kMaxDepth; ++i) deepest += "*1\r\n";
  deeper = deepest + "*1\r\n";
  EXPECT_EQ(read(deeper, 64), "!resource_exhausted");
  EXPECT_TRUE(read(deepest + ":1\r\n", 64).ends_with("];"));
}

TEST(RespParser, ChargesListsInsideListsToOneReply) {
  // Each inner list announces far more than it has bytes for.
  std::string stream = "*100\r\n";
  for (int i = 0; i < 100; ++i) stream += "*5000\r\n";
  EXPECT_EQ(read(stream, 4096), "!resource_exhausted");
}

TEST(RespParser, ChargesEveryReplyAnew) {
  const std::string text(700'000, 'x'), stream = "$700000\r\n" + text + "\r\n";
  EXPECT_EQ(read(stream + stream, 4096), "'" + text + "';'" + text + "';");
}

TEST(RespParser, RefusesAnEndlessLine) {
  EXPECT_EQ(read("+" + std::string(RespParser::kMaxLine + 1, 'x'), 1000), "!resource_exhausted");
  const std::string longest(RespParser::kMaxLine - 2, 'x');
  EXPECT_EQ(read("+" + longest + "\r\n", 1000), "'" + longest + "';");
}

TEST(RespParser, ReadsLongTextsWithoutHoldingThemTwice) {
  const std::string text(900'000, 'y');
  RespParser parser;
  feed(parser, "$900000\r\n");
  for (std::size_t at = 0; at < text.size(); at += 1000) {
    feed(parser, std::string_view(text).substr(at, 1000));
    auto next = parser.next();
    ASSERT_TRUE(next && !*next);
    EXPECT_LE(parser.space().size(), 64U * 1024);
  }
  feed(parser, "\r\n");
  auto next = parser.next();
  ASSERT_TRUE(next && *next);
  EXPECT_EQ((*next)->text, text);
  EXPECT_TRUE(parser.is_empty());
}

}  // namespace
}  // namespace sosie::redis
