#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "store/redis_store_fixture.h"

namespace sosie::store {
namespace {

using conformance::at;
using conformance::make_entry;
using conformance::partition;
using redis::TestServer;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

const std::vector<float> kX{1, 0, 0, 0, 0, 0, 0, 0};

bool comes_true(const std::function<bool()>& condition) {
  const auto until = steady_clock::now() + std::chrono::seconds(30);
  while (steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return false;
}

RedisStoreOptions impatient(const TestServer& server) {
  RedisStoreOptions options = at_server(server);
  options.connection.connect_timeout = options.connection.command_timeout = milliseconds(200);
  return options;
}

bool is_found(const Store& store, const NewEntry& made) {
  const auto got = store.get(made.entry.id, at(10));
  const auto exact = store.exact(made.exact_key, {.now = at(10)});
  const auto near = store.nearest(made.partition, made.vector, 1, Similarity{0.9}, {.now = at(10)});
  return got && *got && exact && exact->size() == 1 && near && near->found.size() == 1;
}

/// Every kind of call, each of which must fail with one of these codes and in time.
void expect_failures(Store& store, std::initializer_list<ErrorCode> codes, milliseconds most) {
  const NewEntry made = numbered(1);
  const auto timed = [&](const char* what, const auto& call) {
    const auto begin = steady_clock::now();
    const auto result = call();
    EXPECT_LT(steady_clock::now() - begin, most) << what;
    ASSERT_FALSE(result) << what;
    const bool expected = std::find(codes.begin(), codes.end(), result.error().code) != codes.end();
    EXPECT_TRUE(expected) << what << ": " << result.error().message;
  };
  timed("put", [&] { return store.put(made); });
  timed("exact", [&] { return store.exact(made.exact_key, {.now = at(10)}); });
  timed("nearest", [&] { return store.nearest(made.partition, made.vector, 1, Similarity{0.9}, {.now = at(10)}); });
  timed("get", [&] { return store.get(made.entry.id, at(10)); });
  timed("erase", [&] { return store.erase(made.entry.id); });
  timed("erase by attributes", [&] { return store.erase("s", {{"a", "b"}}); });
  timed("clear", [&] { return store.clear(std::nullopt); });
  timed("sweep", [&] { return store.sweep(at(10)); });
  timed("check", [&] { return store.check(); });
  const auto begin = steady_clock::now();
  store.touch(made.entry.id, at(10));
  (void)store.stats();
  EXPECT_LT(steady_clock::now() - begin, 2 * most);
}

TEST(RedisStoreFaults, AServerThatIsNotThereYetIsWaitedForByNobody) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  server.stop();
  const auto store = open(at_server(server));
  expect_failures(*store, {ErrorCode::unavailable}, std::chrono::seconds(5));
  server.start();
  const NewEntry made = numbered(1);
  EXPECT_TRUE(comes_true([&] { return store->put(made).has_value(); }));
  EXPECT_TRUE(is_found(*store, made));
  EXPECT_TRUE(store->check());
}

TEST(RedisStoreFaults, AHangingServerCostsACallItsTimeoutAndNoMore) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  const auto store = open(impatient(server));
  const NewEntry made = numbered(1);
  ASSERT_TRUE(comes_true([&] { return store->put(made).has_value(); }));
  server.stop_answering();
  expect_failures(*store, {ErrorCode::deadline_exceeded, ErrorCode::unavailable}, std::chrono::seconds(2));
  server.answer_again();
  EXPECT_TRUE(comes_true([&] { return is_found(*store, made) || store->put(made).has_value(); }));
}

TEST(RedisStoreFaults, ARestartedEmptyServerIsBegunAnew) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  const auto store = open(at_server(server));
  ASSERT_TRUE(store->put(numbered(1)));
  ASSERT_TRUE(is_found(*store, numbered(1)));
  server.kill();
  server.start();
  EXPECT_TRUE(comes_true([&] {
    const auto got = store->get(numbered(1).entry.id, at(10));
    return got && !*got;
  }));
  const auto near = store->nearest(partition("scope"), kX, 1, Similarity{-1}, {.now = at(10)});
  ASSERT_TRUE(near) << near.error().message;
  EXPECT_FALSE(near->nearest);
  EXPECT_EQ(store->stats().entries, 0u);
  ASSERT_TRUE(store->put(numbered(2)));
  EXPECT_TRUE(is_found(*store, numbered(2)));
}

TEST(RedisStoreFaults, WhatWasAcknowledgedSurvivesAKilledServerThatKeepsALog) {
  SOSIE_NEEDS_REDIS();
  TestServer server({.arguments = {"--appendonly", "yes", "--appendfsync", "everysec"}});
  const auto store = open(at_server(server));
  std::vector<NewEntry> acknowledged;
  for (int round = 0; round < 3; ++round) {
    std::atomic<bool> killed{false};
    std::thread writer([&] {
      for (int i = 0; !killed; ++i) {
        const NewEntry made = numbered(1000 * round + i);
        if (store->put(made)) acknowledged.push_back(made);
      }
    });
    std::this_thread::sleep_for(milliseconds(150));
    server.kill();
    killed = true;
    writer.join();
    server.start();
    ASSERT_TRUE(comes_true([&] { return store->get(std::string(32, 'a'), at(1)).has_value(); }));
    for (const NewEntry& made : acknowledged) ASSERT_TRUE(is_found(*store, made));
  }
  EXPECT_GT(acknowledged.size(), 30u);
}

TEST(RedisStoreFaults, ALostIndexIsMadeAgainAndSearchedOnlyWhenItIsWhole) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  const auto store = open(at_server(server)), other = open(at_server(server));
  constexpr int kEntries = 1000;
  for (int i = 0; i < kEntries; ++i) ASSERT_TRUE(store->put(make_entry("s", std::to_string(i), "r", kX, at(i))));
  for (int round = 0; round < 3; ++round) {
    server.command({"FT.DROPINDEX", "sosie:index:8"});
    std::atomic<int> wrong{0};
    const auto search = [&](const Store& by) {
      const auto near = by.nearest(partition("s"), kX, kEntries, Similarity{0.9}, {.now = at(10)});
      if (!near || near->found.size() != kEntries) ++wrong;
    };
    std::thread second([&] { search(*other); });
    search(*store);
    second.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST(RedisStoreFaults, ForgottenScriptsAreToldAgain) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  const auto store = open(at_server(server));
  ASSERT_TRUE(store->put(numbered(1)));
  server.command({"SCRIPT", "FLUSH"});
  EXPECT_TRUE(is_found(*store, numbered(1)));
  EXPECT_TRUE(store->put(numbered(2)));
  server.command({"SCRIPT", "FLUSH"});
  EXPECT_TRUE(*store->erase(numbered(1).entry.id));
}

TEST(RedisStoreFaults, AFullServerRefusesAndNothingHasChanged) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  const auto store = open(at_server(server));
  ASSERT_TRUE(store->put(numbered(1)));
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  for (const int i : {1, 2}) {  // An old one, and a new one.
    NewEntry made = numbered(i);
    made.entry.response = "changed";
    const auto put = store->put(made);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, ErrorCode::resource_exhausted);
  }
  EXPECT_EQ(store->stats().entries, 1u);
  EXPECT_EQ((*store->get(numbered(1).entry.id, at(10)))->response, numbered(1).entry.response);
  EXPECT_TRUE(is_found(*store, numbered(1)));
  EXPECT_TRUE(*store->erase(numbered(1).entry.id)) << "there must be a way out";
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(store->put(numbered(2)));
}

TEST(RedisStoreFaults, EntriesThatTheServerDroppedLeaveTheAccounts) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  const auto store = open(at_server(server));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(store->put(numbered(i)));
  for (int i = 0; i < 20; ++i) server.command({"DEL", "sosie:entry:" + numbered(i).entry.id});
  EXPECT_FALSE(is_found(*store, numbered(0)));
  EXPECT_TRUE(is_found(*store, numbered(49)));
  store->touch(numbered(0).entry.id, at(10));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(store->sweep(at(10)));
  const StoreStats stats = store->stats();
  EXPECT_EQ(stats.entries, 30u);
  std::uint64_t bytes = 0;
  for (int i = 20; i < 50; ++i) bytes += numbered(i).entry.prompt.size() + 100 + 32;
  EXPECT_EQ(stats.bytes, bytes);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(*store->erase(numbered(i).entry.id), i >= 20) << i;
  EXPECT_EQ(store->stats().bytes, 0u);
}

TEST(RedisStoreFaults, LostAccountsEmptyTheStoreRatherThanToLetItGrowForEver) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  const std::string others_hash = "sosie:entry:" + std::string(64, 'a'), others_set = "sosie:scope:people";
  server.command({"HSET", others_hash, "prompt", "p"});  // Of an index of LiteLLM's that is named "sosie:entry".
  server.command({"SADD", others_set, "ann"});
  for (const char* key : {"sosie:accounts", "sosie:priorities", "sosie:meta"}) {
    SCOPED_TRACE(key);
    const auto store = open(at_server(server), 100'000);
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(store->put(numbered(i)));
    server.command({"DEL", key});
    ASSERT_TRUE(store->put(numbered(1000)));
    ASSERT_TRUE(store->sweep(at(10)));
    const StoreStats stats = store->stats();
    EXPECT_LE(stats.entries, 1u);
    EXPECT_EQ(server.command({"EXISTS", "sosie:entry:" + numbered(7).entry.id}), "0");
    ASSERT_TRUE(store->put(numbered(2000)));
    EXPECT_TRUE(is_found(*store, numbered(2000)));
    ASSERT_TRUE(store->clear(std::nullopt));
    EXPECT_EQ(store->stats().bytes, 0u);
    EXPECT_EQ(store->stats().scopes, 0u);
  }
  EXPECT_EQ(server.command({"EXISTS", others_hash, others_set}), "2") << "what is no store's is left alone";
}

}  // namespace
}  // namespace sosie::store
