#include "net/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sosie::net {
namespace {

struct Read {
  std::string raw;
  std::vector<std::string> data;
  bool operator==(const Read&) const = default;
};

Read read_in_pieces(std::string_view stream, std::size_t piece) {
  SseParser parser(1 << 20);
  Read read;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    EXPECT_TRUE(parser.feed(stream.substr(at, piece)));
    while (const auto event = parser.next()) {
      read.raw += event->raw;
      read.data.emplace_back(event->data);
    }
  }
  return read;
}

TEST(SseParser, ReadsWhatTheStandardShows) {
  const Read read = read_in_pieces("data: a\n\n: comment\n\ndata\ndata\n\ndata:b\nevent: x\nid: 1\ndata:  c\n\n", 1000);
  EXPECT_EQ(read.data, (std::vector<std::string>{"a", "", "\n", "b\n c"}));
}

TEST(SseParser, PiecesDoNotMatter) {
  const std::string stream = "\xEF\xBB\xBF" "data: one\r\n\r\ndata: two\n\n\ndata: t\rdata: h\r\rdatum: no\n\ndata: [DONE]\n\n";
  const Read whole = read_in_pieces(stream, stream.size());
  EXPECT_EQ(whole.raw, stream);
  EXPECT_EQ(whole.data, (std::vector<std::string>{"one", "two", "", "t\nh", "", "[DONE]"}));
  for (std::size_t piece = 1; piece < stream.size(); ++piece) EXPECT_EQ(read_in_pieces(stream, piece), whole) << piece;
}

TEST(SseParser, AnEventThatIsNotCompleteIsNotGiven) {
  SseParser parser(100);
  ASSERT_TRUE(parser.feed("data: a\n\ndata: b\n"));
  EXPECT_EQ(parser.next()->data, "a");
  EXPECT_FALSE(parser.next());
  EXPECT_TRUE(parser.partial());
  ASSERT_TRUE(parser.feed("\n"));
  EXPECT_EQ(parser.next()->data, "b");
  EXPECT_FALSE(parser.partial());
}

TEST(SseParser, ALineWithoutEndIsRefused) {
  SseParser parser(1000);
  bool accepted = true;
  for (int i = 0; i < 30 && accepted; ++i) {
    accepted = parser.feed(std::string(100, 'x'));
    EXPECT_FALSE(parser.next());
  }
  EXPECT_FALSE(accepted);
}

TEST(SseParser, TheSmallestPiecesTakeLinearTime) {
  // Quadratic work over 4 MB would not end.
  std::string one = "data: ";
  while (one.size() < 2 << 20) one += "x";
  for (int i = 0; i < 100'000; ++i) one += "\ndata: y";
  std::string many;
  while (many.size() < 2 << 20) many += "data: x\n\n";
  SseParser parser(4 << 20);
  std::size_t events = 0, bytes = 0;
  for (const char each : one + "\n\n" + many) {
    ASSERT_TRUE(parser.feed(std::string_view(&each, 1)));
    while (const auto event = parser.next()) {
      ++events;
      bytes += event->raw.size();
    }
  }
  EXPECT_EQ(events, 1 + many.size() / 9);
  EXPECT_EQ(bytes, one.size() + 2 + many.size());
}

}  // namespace
}  // namespace sosie::net
