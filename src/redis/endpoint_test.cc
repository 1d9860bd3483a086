#include "redis/endpoint.h"

#include <gtest/gtest.h>

namespace sosie::redis {
namespace {

Result<Endpoint> from_url(std::string url) {
  RedisOptions options;
  options.url = std::move(url);
  return read_endpoint(options);
}

TEST(Endpoint, ReadsEveryPartOfAUrl) {
  auto plain = from_url("redis://localhost");
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->host, "localhost");
  EXPECT_EQ(plain->port, 6379);
  EXPECT_EQ(plain->db, 0);
  EXPECT_EQ(plain->protocol, 2);
  EXPECT_FALSE(plain->tls.enabled);
  EXPECT_TRUE(plain->username.empty() && plain->password.empty());

  auto all = from_url("rediss://us%40er:p%3Aa:s%2Fs%25@[::1]:7000/3?protocol=3");
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->host, "::1");
  EXPECT_EQ(all->port, 7000);
  EXPECT_EQ(all->username, "us@er");
  EXPECT_EQ(all->password, "p:a:s/s%");
  EXPECT_EQ(all->db, 3);
  EXPECT_EQ(all->protocol, 3);
  EXPECT_TRUE(all->tls.enabled);

  auto password = from_url("redis://:secret@10.0.0.1/");
  ASSERT_TRUE(password);
  EXPECT_EQ(password->username, "");
  EXPECT_EQ(password->password, "secret");

  auto query = from_url("redis://h?db=5&protocol=2");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->db, 5);

  auto socket = from_url("unix://user:pw@/run/my%20redis.sock?db=2");
  ASSERT_TRUE(socket) << socket.error().message;
  EXPECT_EQ(socket->unix_socket, "/run/my redis.sock");
  EXPECT_TRUE(socket->host.empty());
  EXPECT_EQ(socket->username, "user");
  EXPECT_EQ(socket->db, 2);
}

TEST(Endpoint, LetsOptionsWin) {
  RedisOptions options;
  options.url = "redis://a:b@h/1";
  options.username = "c";
  options.password = "d";
  options.db = 0;
  options.tls.enabled = true;
  options.connect_timeout = std::chrono::milliseconds(7);
  options.command_timeout = std::chrono::milliseconds(8);
  auto endpoint = read_endpoint(options);
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->username, "c");
  EXPECT_EQ(endpoint->password, "d");
  EXPECT_EQ(endpoint->db, 0);
  EXPECT_TRUE(endpoint->tls.enabled);
  EXPECT_EQ(endpoint->connect_timeout.count(), 7);
  EXPECT_EQ(endpoint->command_timeout.count(), 8);
}

TEST(Endpoint, RefusesWhatIsNoRedisUrlAndRepeatsNothingOfIt) {
  for (const char* const url : {"",
                                "localhost:6379",
                                "http://secret",
                                "redis://",
                                "redis://:secret@",
                                "redis://secret:port",
                                "redis://secret:0",
                                "redis://secret:65536",
                                "redis://secret:",
                                "redis://secret/x",
                                "redis://secret/-1",
                                "redis://secret/1/2",
                                "redis://secret?db=-1",
                                "redis://secret?db=",
                                "redis://secret?db",
                                "redis://secret?protocol=4",
                                "redis://secret?timeout=3",
                                "redis://secret%2",
                                "redis://:secret%zz@h",
                                "redis://[secret",
                                "redis://sec ret",
                                "redis://secret#x",
                                "unix://secret",
                                "unix://",
                                "REDIS://secret"}) {
    auto endpoint = from_url(url);
    ASSERT_FALSE(endpoint) << url;
    EXPECT_EQ(endpoint.error().code, ErrorCode::invalid_argument) << url;
    EXPECT_EQ(endpoint.error().message.find("secret"), std::string::npos) << url;
  }
}

TEST(Endpoint, RefusesOptionsThatContradictEachOther) {
  RedisOptions options;
  options.url = "redis://h";
  options.tls.client_certificate = "a.crt";
  EXPECT_FALSE(read_endpoint(options));
  options.tls.client_key = "a.key";
  EXPECT_TRUE(read_endpoint(options));
  options.db = -2;
  EXPECT_FALSE(read_endpoint(options));
  options.db = -1;
  options.connect_timeout = std::chrono::milliseconds(0);
  EXPECT_FALSE(read_endpoint(options));
  options.connect_timeout = std::chrono::milliseconds(1);
  options.pool_size = 0;
  EXPECT_FALSE(read_endpoint(options));
  options.pool_size = 16;
  ASSERT_TRUE(read_endpoint(options));
  options.url = "unix:///s";
  options.tls.enabled = true;
  EXPECT_FALSE(read_endpoint(options));
}

}  // namespace
}  // namespace sosie::redis
