#include "gateway/same_site.h"

#include <gtest/gtest.h>

namespace sosie::gateway {
namespace {

bool refused(std::initializer_list<std::pair<const char*, const char*>> fields, bool loopback_only) {
  net::HeaderList headers;
  for (const auto& [name, value] : fields) headers.add(name, value);
  return !cross_site_fault(headers, loopback_only).empty();
}

TEST(SameSite, OnALoopbackAddressHostNamesIt) {
  EXPECT_FALSE(refused({}, true));
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "127.9.9.9", "[::1]", "[::1]:8080"})
    EXPECT_FALSE(refused({{"Host", host}}, true)) << host;
  for (const char* host : {"evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "[::2]:80", "127.1@x"})
    EXPECT_TRUE(refused({{"Host", host}}, true)) << host;
  EXPECT_FALSE(refused({{"Host", "gateway.example"}}, false));
  EXPECT_TRUE(refused({{"Host", "localhost"}, {"Host", "evil.example"}}, true));
}

TEST(SameSite, OriginIsOfTheHost) {
  EXPECT_FALSE(refused({{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}}, true));
  EXPECT_FALSE(refused({{"Host", "gateway.example"}, {"Origin", "https://gateway.example:443"}}, false));
  EXPECT_FALSE(refused({{"Host", "[::1]:80"}, {"Origin", "http://[::1]"}}, true));
  for (const char* origin : {"null", "", "http://localhost", "http://localhost:8081", "https://evil.example", "localhost:8080"})
    EXPECT_TRUE(refused({{"Host", "localhost:8080"}, {"Origin", origin}}, false)) << origin;
  EXPECT_TRUE(refused({{"Host", "a:1"}, {"Origin", "http://a:1"}, {"Origin", "http://b:1"}}, false));
  EXPECT_TRUE(refused({{"Origin", "http://a:1"}}, false));
}

TEST(SameSite, KnowsTheAddressesItListensOn) {
  EXPECT_TRUE(is_loopback_address("127.0.0.1") && is_loopback_address("::1"));
  EXPECT_FALSE(is_loopback_address("0.0.0.0") || is_loopback_address("::") || is_loopback_address(""));
}

}  // namespace
}  // namespace sosie::gateway
