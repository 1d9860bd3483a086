#include "gateway/request/same_site.h"

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
  for (const char* host : {"evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "[::2]:80", "127.1@x", "localhost:80@evil.example", "localhost:x", "localhost:80:80", "[::1]x", "[::1]@evil", "::1", "localhost/", "local host"})
    EXPECT_TRUE(refused({{"Host", host}}, true)) << host;
  EXPECT_FALSE(refused({{"Host", "gateway.example"}}, false));
  EXPECT_TRUE(refused({{"Host", "localhost"}, {"Host", "evil.example"}}, true));
}

TEST(SameSite, OriginIsOfTheHost) {
  EXPECT_FALSE(refused({{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}}, true));
  EXPECT_FALSE(refused({{"Host", "gateway.example"}, {"Origin", "https://gateway.example:443"}}, false));
  EXPECT_FALSE(refused({{"Host", "[::1]:80"}, {"Origin", "http://[::1]"}}, true));
  for (const char* origin : {"null", "", "http://localhost", "http://localhost:8081", "https://evil.example", "localhost:8080", "http://localhost:8080@evil.example"})
    EXPECT_TRUE(refused({{"Host", "localhost:8080"}, {"Origin", origin}}, false)) << origin;
  EXPECT_TRUE(refused({{"Host", "a:1"}, {"Origin", "http://a:1"}, {"Origin", "http://b:1"}}, false));
  EXPECT_TRUE(refused({{"Origin", "http://a:1"}}, false));
  EXPECT_TRUE(refused({{"Host", "a:1@b"}, {"Origin", "http://a:1@b"}}, false));
}

TEST(SameSite, AHostIsAHostAndPerhapsAPort) {
  const auto fault = [](std::initializer_list<const char*> hosts) {
    net::HeaderList headers;
    for (const char* host : hosts) headers.add("Host", host);
    return !host_fault(headers).empty();
  };
  EXPECT_FALSE(fault({}));
  for (const char* host : {"", "localhost", "a.example:8080", "gateway_1", "127.0.0.1:1", "[::1]", "[2001:db8::7]:443", "a:"})
    EXPECT_FALSE(fault({host})) << host;
  for (const char* host : {"localhost:80@evil.example", "user@localhost", "a:80x", "a:8:8", "::1", "[::1", "[::1]:x", "[localhost]", "[::1]]", "a/b", "a\\b",
                           "a?b", "a#b", "a b", "a,b@c", "a, b"})
    EXPECT_TRUE(fault({host})) << host;
  EXPECT_TRUE(fault({"a", "a"}));
}

TEST(SameSite, KnowsTheAddressesItListensOn) {
  EXPECT_TRUE(is_loopback_address("127.0.0.1") && is_loopback_address("::1"));
  EXPECT_FALSE(is_loopback_address("0.0.0.0") || is_loopback_address("::") || is_loopback_address(""));
}

}  // namespace
}  // namespace sosie::gateway
