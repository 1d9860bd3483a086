#include "gateway/upstream/forwarding.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sosie::gateway {
namespace {

net::HeaderList headers() {
  net::HeaderList list;
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Host", "me"}, {"Authorization", "Bearer caller"}, {"X-Api-Key", "caller"}, {"Connection", "keep-alive, X-Hop"}, {"X-Hop", "1"},
           {"Content-Type", "application/json"}, {"Content-Length", "5"}, {"Accept-Encoding", "gzip"}, {"X-Sosie-Cache", "hit"}, {"X-Mine", "kept"}})
    list.add(name, value);
  return list;
}

UpstreamOptions with_key(std::string key, KeyHeader header = KeyHeader::authorization) {
  UpstreamOptions options;
  options.api_key = std::move(key);
  options.key_header = header;
  return options;
}

TEST(UpstreamHeaders, PassOnWhatIsTheCallers) {
  EXPECT_EQ(upstream_header_lines(headers(), with_key(""), Compat()),
            "Authorization: Bearer caller\r\nX-Api-Key: caller\r\nContent-Type: application/json\r\nX-Mine: kept\r\nAccept-Encoding: identity\r\n");
}

TEST(UpstreamHeaders, WhatOnlyTheCallerReadsComesAsHeWantsIt) {
  net::HeaderList list;
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Accept-Encoding", "gzip, br"}, {"Cache-Control", "no-cache"}, {"Cookie", "a=b"}, {"X-Twice", "1"}, {"X-Twice", "2"}})
    list.add(name, value);
  EXPECT_EQ(upstream_header_lines(list, with_key(""), Compat(), ReadBy::caller),
            "Accept-Encoding: gzip, br\r\nCache-Control: no-cache\r\nX-Twice: 1\r\nX-Twice: 2\r\n");
  EXPECT_EQ(upstream_header_lines(list, with_key(""), Compat()), "X-Twice: 1\r\nX-Twice: 2\r\nAccept-Encoding: identity\r\n");
  EXPECT_EQ(upstream_header_lines({}, with_key(""), Compat(), ReadBy::caller), "");
}

// An upstream that knows the key gives the answer that it gave before, to another question perhaps.
TEST(UpstreamHeaders, AnIdempotencyKeyStaysWhereOthersMayReadTheAnswer) {
  net::HeaderList list;
  list.add("Idempotency-Key", "k");
  EXPECT_EQ(upstream_header_lines(list, with_key(""), Compat()), "Accept-Encoding: identity\r\n");
  EXPECT_EQ(upstream_header_lines(list, with_key(""), Compat(), ReadBy::one_caller), "Idempotency-Key: k\r\nAccept-Encoding: identity\r\n");
  EXPECT_EQ(upstream_header_lines(list, with_key(""), Compat(), ReadBy::caller), "Idempotency-Key: k\r\n");
}

TEST(UpstreamHeaders, EveryConnectionLineCounts) {
  net::HeaderList list;
  list.add("Connection", "keep-alive");
  list.add("connection", "x, X-Hop, accept-encoding");
  list.add("X-Hop", "1");
  list.add("Accept-Encoding", "gzip");
  EXPECT_EQ(upstream_header_lines(list, with_key(""), Compat(), ReadBy::caller), "");
}

TEST(UpstreamHeaders, WishesToTheCacheStayHere) {
  net::HeaderList list;
  list.add("x-portkey-cache", "simple");
  list.add("Helicone-Cache-Enabled", "true");
  Compat compat;
  compat.portkey = true;
  EXPECT_EQ(upstream_header_lines(list, with_key(""), compat, ReadBy::caller), "Helicone-Cache-Enabled: true\r\n");
}

TEST(UpstreamHeaders, OurKeyReplacesEveryCredential) {
  for (const auto& [header, line] : {std::pair{KeyHeader::authorization, "Authorization: Bearer ours\r\n"},
                                     {KeyHeader::x_api_key, "x-api-key: ours\r\n"},
                                     {KeyHeader::api_key, "api-key: ours\r\n"}}) {
    for (const ReadBy reader : {ReadBy::cache, ReadBy::caller}) {
      const std::string lines = upstream_header_lines(headers(), with_key("ours", header), Compat(), reader);
      EXPECT_EQ(lines.find("caller"), std::string::npos);
      EXPECT_TRUE(lines.ends_with(line)) << lines;
    }
  }
}

TEST(UpstreamQuery, OurKeyReplacesEveryCredential) {
  const auto kept = [](std::string_view query) { return upstream_query(query, with_key("ours")); };
  for (const char* keys : {"?key=caller", "?key=a&Key=b&api_key=c&apiKey=d", "?api-key=a&x-api-key=b&x-goog-api-key=c&authorization=Bearer%20d",
                           "?access_token=a&auth_token=b&token=c&subscription-key=d", "?%6bey=a&access%5Ftoken=b", "?key", "?key="})
    EXPECT_EQ(kept(keys), "") << keys;
  EXPECT_EQ(kept("?key=caller&alt=sse"), "?alt=sse");
  EXPECT_EQ(kept("?alt=sse&key=caller"), "?alt=sse");
  EXPECT_EQ(kept("?a=%6Bey&key=caller&&b&c=1?d"), "?a=%6Bey&&b&c=1?d");
  for (const char* others : {"", "?", "?&", "?api-version=2024-10-21", "?after=key&key_ids[]=1&page_token=x&%6=1&ke%79%=2"}) EXPECT_EQ(kept(others), others);
  EXPECT_EQ(upstream_query("?key=caller&alt=sse", with_key("")), "?key=caller&alt=sse");
}

TEST(ClientHeaders, NeverSpeakInOurName) {
  for (const std::string& lines : {client_header_lines(headers()), untouched_header_lines(headers())}) {
    EXPECT_EQ(lines.find("Sosie"), std::string::npos);
    EXPECT_EQ(lines.find("X-Hop"), std::string::npos);
    EXPECT_EQ(lines.find("Content-Length"), std::string::npos);
    EXPECT_NE(lines.find("X-Mine: kept\r\n"), std::string::npos);
  }
}

TEST(ClientHeaders, KeepTheirOrderAndTheirNumber) {
  net::HeaderList list;
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"Set-Cookie", "a=1"}, {"content-type", "audio/mpeg"}, {"Set-Cookie", "b=2"}, {"Date", "then"}, {"Content-Encoding", "gzip"}})
    list.add(name, value);
  EXPECT_EQ(untouched_header_lines(list),
            "Set-Cookie: a=1\r\ncontent-type: audio/mpeg\r\nSet-Cookie: b=2\r\nDate: then\r\nContent-Encoding: gzip\r\n");
  EXPECT_EQ(client_header_lines(list), "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Encoding: gzip\r\n");
}

TEST(UpstreamFailures, SayWhetherToTryAgain) {
  const auto headers_of = [](net::ClientFailure kind) {
    const net::ClientError failure{kind, {ErrorCode::unavailable, ""}, std::chrono::seconds{7}};
    EXPECT_EQ(failure_words(failure).headers, upstream_failure_reply(failure).headers);
    EXPECT_EQ(failure_words(failure).status, upstream_failure_reply(failure).status);
    return failure_words(failure).headers;
  };
  EXPECT_EQ(headers_of(net::ClientFailure::connect), "Retry-After: 1\r\n");
  EXPECT_EQ(headers_of(net::ClientFailure::cancelled), "Retry-After: 1\r\n");
  EXPECT_EQ(headers_of(net::ClientFailure::refused), "Retry-After: 7\r\n");
  for (const auto kind : {net::ClientFailure::timeout, net::ClientFailure::cut, net::ClientFailure::malformed})
    EXPECT_EQ(headers_of(kind), "x-should-retry: false\r\n");
}

TEST(UpstreamTarget, StaysBelowTheBasePath) {
  EXPECT_EQ(upstream_target("/v1/models?x=.."), "/models?x=..");
  for (const char* bad : {"/v1", "/v1x/", "/v1/../admin", "/v1/%2e%2E/admin", "/v1/.%2e/x", "/v1/a\\b", "http://h/v1/x", ""})
    EXPECT_EQ(upstream_target(bad), "") << bad;
}

}  // namespace
}  // namespace sosie::gateway
