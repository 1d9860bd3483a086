#include "net/url.h"

#include <gtest/gtest.h>

namespace sosie::net {
namespace {

TEST(ParseBaseUrl, ReadsSchemeHostPortAndPath) {
  const auto url = parse_base_url("https://api.openai.com/v1/");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "api.openai.com");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->path, "/v1");
  EXPECT_EQ(url->authority(), "api.openai.com");
}

TEST(ParseBaseUrl, ReadsAddresses) {
  const auto v4 = parse_base_url("http://127.0.0.1:11434/v1");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->authority(), "127.0.0.1:11434");
  const auto v6 = parse_base_url("http://[::1]:80");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->authority(), "[::1]");
  EXPECT_EQ(v6->path, "");
}

TEST(ParseBaseUrl, RefusesTheRestAndRepeatsNothingOfIt) {
  for (const char* text : {"", "api.openai.com", "ftp://x", "http://", "http:///v1", "http://h:0", "http://h:65536", "http://h:1x", "http://h:",
                           "http://[::1", "http://[::1]x", "http://h/v1?key=secret", "http://h/#secret", "http://user:secret@h/", "http://h h/",
                           "http://h\r\nX: secret", "http://\xc3\xa4/"}) {
    const auto url = parse_base_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(url.error().message.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace sosie::net
