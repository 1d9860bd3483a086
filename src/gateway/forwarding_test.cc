#include "gateway/forwarding.h"

#include <gtest/gtest.h>

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

TEST(UpstreamHeaders, PassOnWhatIsTheCallers) {
  EXPECT_EQ(upstream_header_lines(headers(), ""),
            "Authorization: Bearer caller\r\nX-Api-Key: caller\r\nContent-Type: application/json\r\nX-Mine: kept\r\nAccept-Encoding: identity\r\n");
}

TEST(UpstreamHeaders, EveryConnectionLineCounts) {
  net::HeaderList list;
  list.add("Connection", "keep-alive");
  list.add("connection", "x, X-Hop");
  list.add("X-Hop", "1");
  EXPECT_EQ(upstream_header_lines(list, "").find("X-Hop"), std::string::npos);
}

TEST(UpstreamHeaders, OurKeyReplacesEveryCredential) {
  const std::string lines = upstream_header_lines(headers(), "ours");
  EXPECT_EQ(lines.find("caller"), std::string::npos);
  EXPECT_NE(lines.find("Authorization: Bearer ours\r\n"), std::string::npos);
}

TEST(ClientHeaders, NeverSpeakInOurName) {
  const std::string lines = client_header_lines(headers());
  EXPECT_EQ(lines.find("Sosie"), std::string::npos);
  EXPECT_EQ(lines.find("X-Hop"), std::string::npos);
  EXPECT_NE(lines.find("X-Mine: kept\r\n"), std::string::npos);
}

TEST(UpstreamTarget, StaysBelowTheBasePath) {
  EXPECT_EQ(upstream_target("/v1/models?x=.."), "/models?x=..");
  for (const char* bad : {"/v1", "/v1x/", "/v1/../admin", "/v1/%2e%2E/admin", "/v1/.%2e/x", "/v1/a\\b", "http://h/v1/x", ""})
    EXPECT_EQ(upstream_target(bad), "") << bad;
}

}  // namespace
}  // namespace sosie::gateway
