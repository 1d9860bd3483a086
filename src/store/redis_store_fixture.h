// redis_store_fixture.h: stores in a real Redis, for tests.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "redis/test_server.h"
#include "store/redis_store.h"
#include "store/store_model.h"

namespace sosie::store {

/// One for all tests of a process that leave it as it is.
inline redis::TestServer& shared_server() {
  static redis::TestServer server;
  return server;
}

/// With a timeout that a busy machine does not reach.
inline RedisStoreOptions at_server(const redis::TestServer& server, std::string name = "sosie") {
  RedisStoreOptions options{.connection = server.options(), .name = std::move(name)};
  options.connection.connect_timeout = options.connection.command_timeout = std::chrono::seconds(30);
  return options;
}

inline std::unique_ptr<Store> open(const RedisStoreOptions& options, std::uint64_t max_bytes = 0) {
  auto store = open_redis_store(options, max_bytes);
  if (!store) {
    ADD_FAILURE() << store.error().message;
    std::abort();
  }
  return *std::move(store);
}

inline NewEntry numbered(int i, std::size_t response_bytes = 100, const std::string& scope = "scope") {
  std::mt19937 random(static_cast<unsigned>(i));
  return conformance::make_entry(scope, "prompt " + std::to_string(i), std::string(response_bytes, 'r'),
                                 conformance::exact_unit(random), conformance::at(i));
}

}  // namespace sosie::store
