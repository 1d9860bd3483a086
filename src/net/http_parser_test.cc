#include "net/http_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sosie::net {
namespace {

/// Feeds `bytes` as a socket would, `piece` at a time; what is not consumed is given again.
template <class Parser>
Parse feed_in_pieces(Parser& parser, std::string_view bytes, std::size_t piece) {
  std::string pending;
  Fed fed;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    pending += bytes.substr(at, piece);
    fed = parser.feed(pending);
    pending.erase(0, fed.consumed);
    if (fed.state != Parse::need_more) break;
  }
  return fed.state;
}

TEST(RequestParser, ReadsARequestInAnyPieces) {
  const std::string_view bytes = "POST /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nX-A:  b c \r\nContent-Length: 5\r\n\r\nhello";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    RequestParser parser(16 << 10, 100);
    Request request;
    parser.start(request);
    ASSERT_EQ(feed_in_pieces(parser, bytes, piece), Parse::done) << piece;
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/v1/x?y=1");
    EXPECT_EQ(request.path(), "/v1/x");
    EXPECT_EQ(request.headers.find("x-a"), "b c");
    EXPECT_FALSE(request.headers.find("x-b"));
    EXPECT_EQ(request.body, "hello");
    EXPECT_GE(request.body.capacity(), request.body.size() + kBodyPadding);
    EXPECT_TRUE(request.keep_alive);
  }
}

TEST(RequestParser, LeavesTheNextRequestAlone) {
  const std::string_view bytes = "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\n\r\n";
  RequestParser parser(16 << 10, 100);
  Request request;
  parser.start(request);
  const Fed first = parser.feed(bytes);
  ASSERT_EQ(first.state, Parse::done);
  EXPECT_EQ(request.target, "/a");
  parser.start(request);
  const Fed second = parser.feed(bytes.substr(first.consumed));
  ASSERT_EQ(second.state, Parse::done);
  EXPECT_EQ(request.target, "/b");
  EXPECT_FALSE(request.keep_alive);
  EXPECT_FALSE(request.http11);
}

TEST(RequestParser, ReadsChunksAndDropsTrailers) {
  RequestParser parser(16 << 10, 100);
  Request request;
  parser.start(request);
  const auto state = feed_in_pieces(parser, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nAuthorization: late\r\n\r\n", 1);
  ASSERT_EQ(state, Parse::done);
  EXPECT_EQ(request.body, "abcde");
  EXPECT_FALSE(request.headers.find("authorization"));
}

TEST(RequestParser, RefusesTransferCodingsOtherThanChunked) {
  const auto state = [](std::string_view fields) {
    Request request;
    RequestParser parser(16 << 10, 1 << 20);
    parser.start(request);
    return parser.feed("POST / HTTP/1.1\r\n" + std::string(fields) + "\r\n2\r\nok\r\n0\r\n\r\n").state;
  };
  EXPECT_EQ(state("Transfer-Encoding: chunked\r\n"), Parse::done);
  EXPECT_EQ(state("transfer-encoding: CHUNKED\r\n"), Parse::done);
  for (const std::string_view value : {"xchunked", "chunked, identity", "gzip, chunked", "identity", "chunked, chunked", ""})
    EXPECT_EQ(state("Transfer-Encoding: " + std::string(value) + "\r\n"), Parse::malformed) << value;
  EXPECT_EQ(state("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Parse::malformed);
}

TEST(RequestParser, KnowsItsLimits) {
  const auto state_of = [](std::string_view bytes) {
    RequestParser parser(1'000, 10);
    Request request;
    parser.start(request);
    return feed_in_pieces(parser, bytes, bytes.size());
  };
  EXPECT_EQ(state_of("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789"), Parse::done);
  EXPECT_EQ(state_of("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n"), Parse::body_too_large);
  EXPECT_EQ(state_of("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n"), Parse::body_too_large);
  EXPECT_EQ(state_of("GET / HTTP/1.1\r\nX: " + std::string(1'000, 'y')), Parse::header_too_large);
  EXPECT_EQ(state_of("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), Parse::malformed);
  for (const std::string coding : {"xchunked", "chunked, identity", "gzip, chunked", "identity", "chunked\r\nTransfer-Encoding: chunked"}) {
    EXPECT_EQ(state_of("POST / HTTP/1.1\r\nTransfer-Encoding: " + coding + "\r\n\r\n0\r\n\r\n"), Parse::malformed) << coding;
  }
  EXPECT_EQ(state_of("GET / HTTP/2.0\r\n\r\n"), Parse::malformed);
}

TEST(ResponseParser, ReadsLengthsChunksAndTheEnd) {
  ResponseParser sized(16 << 10, 100, false);
  EXPECT_EQ(feed_in_pieces(sized, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 2), Parse::done);
  EXPECT_EQ(sized.body(), "abc");
  EXPECT_TRUE(sized.keep_alive());

  ResponseParser cut(16 << 10, 100, false);
  EXPECT_EQ(feed_in_pieces(cut, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 2), Parse::need_more);
  EXPECT_EQ(cut.end(), Parse::malformed);

  ResponseParser open(16 << 10, 100, false);
  EXPECT_EQ(feed_in_pieces(open, "HTTP/1.1 200 OK\r\n\r\nabc", 2), Parse::need_more);
  EXPECT_EQ(open.end(), Parse::done);
  EXPECT_FALSE(open.keep_alive());

  ResponseParser cut_chunk(16 << 10, 100, false);
  EXPECT_EQ(feed_in_pieces(cut_chunk, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 2), Parse::need_more);
  EXPECT_EQ(cut_chunk.end(), Parse::malformed);
}

TEST(ResponseParser, SkipsInterimAnswers) {
  ResponseParser parser(16 << 10, 100, false);
  EXPECT_EQ(feed_in_pieces(parser, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 204 No\r\n\r\n", 7), Parse::done);
  EXPECT_EQ(parser.status(), 204);
  EXPECT_FALSE(parser.headers().find("a"));
}

TEST(ResponseParser, TakesNoNumberBelowAHundredForAStatus) {
  for (const char* status : {"000", "001", "099"}) {
    ResponseParser parser(16 << 10, 100, false);
    EXPECT_EQ(parser.feed("HTTP/1.1 " + std::string(status) + " X\r\nContent-Length: 0\r\n\r\n").state, Parse::malformed) << status;
  }
}

/// Feeds `begin`, then `again` for as long as the parser wants more; returns what ended it, and how many bytes it had taken then.
template <class Parser>
std::pair<Parse, std::size_t> feed_for_ever(Parser& parser, std::string_view begin, std::string_view again) {
  constexpr std::size_t kEver = 1 << 20;
  std::string pending(begin);
  for (std::size_t given = begin.size(); given < kEver; given += again.size()) {
    const Fed fed = parser.feed(pending);
    if (fed.state != Parse::need_more) return {fed.state, given};
    pending.erase(0, fed.consumed);
    pending += again;
  }
  return {Parse::need_more, kEver};
}

TEST(RequestParser, BoundsWhatArrivesLineByLine) {
  const std::string line = "x-" + std::string(100, 'n') + ": " + std::string(100, 'v') + "\r\n";
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [begin, again] : {std::pair<std::string, std::string>{"GET / HTTP/1.1\r\n", line},
                                     {"GET / HTTP/1.1\r\n", "a:\r\n"},
                                     {"GET / HTTP/1.1\r\na:", "b\r\na:"},
                                     {"GET / HTTP/1.1\r\na: ", "x"},
                                     {"GET /", "x"},
                                     {chunked + "0\r\n", line},
                                     {chunked + "0\r\n", "a:\r\n"},
                                     {chunked + "1;", "x"},
                                     {chunked, "1;" + std::string(100, 'x') + "\r\ny\r\n"}}) {
    RequestParser parser(16 << 10, 1 << 20);
    Request request;
    parser.start(request);
    const auto [state, taken] = feed_for_ever(parser, begin, again);
    EXPECT_EQ(state, Parse::header_too_large) << begin << again;
    EXPECT_LE(taken, (16u << 10) + 2'048) << begin << again;
    EXPECT_LE(request.headers.size(), kMaxHeaderLines);
  }
}

TEST(RequestParser, TakesAsManyLinesAsAllowed) {
  std::string bytes = "GET / HTTP/1.1\r\n";
  for (std::size_t i = 0; i < kMaxHeaderLines; ++i) bytes += "a: b\r\n";
  for (const std::size_t piece : {std::size_t{6}, bytes.size() + 2}) {
    RequestParser parser(16 << 10, 100);
    Request request;
    parser.start(request);
    EXPECT_EQ(feed_in_pieces(parser, bytes + "\r\n", piece), Parse::done);
    EXPECT_EQ(request.headers.size(), kMaxHeaderLines);
    parser.start(request);
    EXPECT_EQ(feed_in_pieces(parser, bytes + "a: b\r\n\r\n", piece), Parse::header_too_large);
  }
}

TEST(RequestParser, TheSmallestPiecesOfALongBodyTakeLinearTime) {
  // Quadratic work over 6 MB would not end.
  std::string bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  constexpr std::size_t kSize = 1 << 20;
  for (std::size_t i = 0; i < kSize; ++i) bytes += "1\r\nx\r\n";
  RequestParser parser(16 << 10, kSize);
  Request request;
  parser.start(request);
  EXPECT_EQ(feed_in_pieces(parser, bytes + "0\r\n\r\n", 1), Parse::done);
  EXPECT_EQ(request.body.size(), kSize);
}

TEST(ResponseParser, BoundsWhatArrivesLineByLine) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& [begin, again] : {std::pair<std::string, std::string>{"HTTP/1.1 200 OK\r\n", "a: b\r\n"},
                                     {"HTTP/1.1 200 OK\r\na:", "b\r\na:"},
                                     {"HTTP/1.1 200 OK\r\n", "a: " + std::string(1'000, 'b') + "\r\n"},
                                     {"HTTP/1.1 200 ", "x"},
                                     {"", "HTTP/1.1 100 Continue\r\n\r\n"},
                                     {"", "HTTP/1.1 103 Early Hints\r\na: b\r\nb: c\r\n\r\n"},
                                     {chunked + "0\r\n", "a: b\r\n"},
                                     {chunked + "5;a=", "x"}}) {
    ResponseParser parser(16 << 10, 1 << 20, false);
    const auto [state, taken] = feed_for_ever(parser, begin, again);
    EXPECT_EQ(state, Parse::header_too_large) << begin << again;
    EXPECT_LE(taken, (16u << 10) + 2'048) << begin << again;
  }
}

}  // namespace
}  // namespace sosie::net
