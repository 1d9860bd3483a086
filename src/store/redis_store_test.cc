#include "store/redis_store.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "redis/test_server.h"
#include "store/store_conformance.h"

namespace sosie::store {
namespace {

using conformance::at;
using conformance::make_entry;
using redis::TestServer;

const std::vector<float> kX{1, 0, 0, 0, 0, 0, 0, 0}, kY{0, 1, 0, 0, 0, 0, 0, 0};

/// One for all tests of this process that leave it as it is.
TestServer& shared_server() {
  static TestServer server;
  return server;
}

RedisStoreOptions at_server(const TestServer& server, std::string name = "sosie") {
  return {.connection = server.options(), .name = std::move(name)};
}

std::unique_ptr<Store> open(const RedisStoreOptions& options, std::uint64_t max_bytes = 0) {
  auto store = open_redis_store(options, max_bytes);
  if (!store) {
    ADD_FAILURE() << store.error().message;
    std::abort();
  }
  return *std::move(store);
}

std::optional<ErrorCode> open_error(const RedisStoreOptions& options) {
  const auto store = open_redis_store(options, 0);
  return store ? std::optional<ErrorCode>() : store.error().code;
}

class InRedis final : public Subject {
 public:
  InRedis(const std::string& query, std::uint64_t max_bytes) : options_(at_server(shared_server())), max_bytes_(max_bytes) {
    static int count = 0;
    options_.name = "store-" + std::to_string(++count);
    options_.connection.url += query;
    reopen();
  }
  Store& store() override { return *store_; }
  bool reopen() override {
    store_.reset();
    store_ = open(options_, max_bytes_);
    return true;
  }

 private:
  RedisStoreOptions options_;
  std::uint64_t max_bytes_;
  std::unique_ptr<Store> store_;
};

std::vector<Maker> makers() {
  if (!TestServer::missing().empty()) return {};
  return {Maker{"resp2", [](std::uint64_t bound) { return std::make_unique<InRedis>("", bound); }},
          Maker{"resp3", [](std::uint64_t bound) { return std::make_unique<InRedis>("?protocol=3", bound); }}};
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformance);
INSTANTIATE_TEST_SUITE_P(Redis, StoreConformance, testing::ValuesIn(makers()), [](const auto& tested) { return tested.param.name; });


TEST(RedisStore, PassesTheConformanceSuite) {
  SOSIE_NEEDS_REDIS();  // Says why the suite's tests for Redis are missing.
}

TEST(RedisStore, WhatCannotBeUsedIsRefusedWithAWayOut) {
  SOSIE_NEEDS_REDIS();
  auto& server = shared_server();
  for (const char* name : {"", "a:b", "a b", "{a}"}) EXPECT_EQ(open_error(at_server(server, name)), ErrorCode::invalid_argument) << name;
  RedisStoreOptions options = at_server(server);
  options.connection.url = "http://127.0.0.1";
  EXPECT_EQ(open_error(options), ErrorCode::invalid_argument);

  server.command({"HSET", "newer:meta", "format", "2"});
  EXPECT_EQ(open_error(at_server(server, "newer")), ErrorCode::unsupported);

  TestServer plain({.arguments = {"--requirepass", "very-secret"}, .with_search = false});
  EXPECT_EQ(open_error(at_server(plain)), ErrorCode::permission_denied);
  options = at_server(plain);
  options.connection.password = "very-secret";
  const auto opened = open_redis_store(options, 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::unavailable);
  EXPECT_NE(opened.error().message.find("has no search module"), std::string::npos) << opened.error().message;
  EXPECT_EQ(opened.error().message.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace sosie::store
