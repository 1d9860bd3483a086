#include "store/redis_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/comma_locale.h"
#include "base/number.h"
#include "store/redis_store_fixture.h"
#include "store/store_conformance.h"

namespace sosie::store {
namespace {

using conformance::at;
using conformance::exact_key;
using conformance::make_entry;
using conformance::partition;
using redis::TestServer;

std::optional<ErrorCode> open_error(const RedisStoreOptions& options) {
  const auto store = open_redis_store(options, 0);
  return store ? std::optional<ErrorCode>() : store.error().code;
}

class InRedis final : public Subject {
 public:
  InRedis(const std::string& query, std::uint64_t max_bytes)
      : options_(at_server(shared_server())), max_bytes_(max_bytes) {
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
INSTANTIATE_TEST_SUITE_P(Redis, StoreConformance, testing::ValuesIn(makers()),
                         [](const auto& tested) { return tested.param.name; });


TEST(RedisStore, PassesTheConformanceSuite) {
  SOSIE_NEEDS_REDIS();  // Says why the suite's tests for Redis are missing.
}

TEST(RedisStore, WhatCannotBeUsedIsRefusedWithAWayOut) {
  SOSIE_NEEDS_REDIS();
  auto& server = shared_server();
  for (const char* name : {"", "a:b", "a b", "{a}"}) {
    EXPECT_EQ(open_error(at_server(server, name)), ErrorCode::invalid_argument) << name;
  }
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

// What the entries themselves say, next to what the accounts do.
void expect_right_accounts(Store& store, const TestServer& server, const std::string& name,
                           const std::vector<NewEntry>& possible) {
  std::uint64_t entries = 0, bytes = 0;
  std::set<std::string> scopes;
  for (const NewEntry& made : possible) {
    const auto got = store.get(made.entry.id, at(0));
    ASSERT_TRUE(got);
    if (!*got) continue;
    ++entries;
    bytes += (*got)->prompt.size() + (*got)->response.size() + made.vector.size() * sizeof(float);
    scopes.insert((*got)->scope);
  }
  const StoreStats stats = store.stats();
  EXPECT_EQ(stats.entries, entries);
  EXPECT_EQ(stats.bytes, bytes);
  EXPECT_EQ(stats.scopes, scopes.size());
  EXPECT_EQ(server.command({"ZCARD", name + ":priorities"}), std::to_string(entries));
}

TEST(RedisStore, TwoOfThemSeeEachOthersWrites) {
  SOSIE_NEEDS_REDIS();
  const auto options = at_server(shared_server(), "two");
  const auto a = open(options), b = open(options);
  const NewEntry made = numbered(1);
  ASSERT_TRUE(a->put(made));
  EXPECT_TRUE((*b->get(made.entry.id, at(2))).has_value());
  EXPECT_EQ((*b->exact(made.exact_key, {.now = at(2)})).size(), 1u);
  EXPECT_EQ((*b->nearest(made.partition, made.vector, 1, Similarity{0.9}, {.now = at(2)})).found.size(), 1u);
  EXPECT_EQ(b->stats().entries, 1u);
  EXPECT_EQ(a->stats().stored, 1u);
  EXPECT_EQ(b->stats().stored, 0u) << "counts what it did itself";
  EXPECT_TRUE(*b->erase(made.entry.id));
  EXPECT_FALSE(*a->erase(made.entry.id));
  EXPECT_FALSE((*a->get(made.entry.id, at(2))).has_value());
  EXPECT_FALSE((*a->nearest(made.partition, made.vector, 1, Similarity{-1}, {.now = at(2)})).nearest);
  EXPECT_EQ(open(at_server(shared_server(), "tw"))->stats().entries, 0u);
}

std::uint64_t scripts_run(TestServer& server) {
  const std::string stats = server.command({"INFO", "commandstats"});
  std::uint64_t sum = 0;
  for (const std::string_view name : {"cmdstat_evalsha:calls=", "cmdstat_eval:calls="}) {
    if (const auto at = stats.find(name); at != std::string::npos) sum += std::stoull(stats.substr(at + name.size()));
  }
  return sum;
}

TEST(RedisStore, HitsCostNoRoundTripOfTheirOwn) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  constexpr int kEntries = 100;
  auto store = open(at_server(server));
  for (int i = 0; i < kEntries; ++i) {
    NewEntry made = numbered(i);
    made.entry.expires = at(1000);
    made.sliding_ttl = std::chrono::milliseconds(1000);
    ASSERT_TRUE(store->put(made));
  }
  const std::string last = numbered(kEntries - 1).entry.id;
  const std::uint64_t before = scripts_run(server);
  for (int i = 0; i < kEntries; ++i) {
    for (int hit = 0; hit < 2; ++hit) store->touch(numbered(i).entry.id, at(500));
  }
  EXPECT_EQ(scripts_run(server), before) << "nobody waits for the server";
  EXPECT_TRUE((*store->get(last, at(1200))).has_value()) << "who looks here sees the hit";
  EXPECT_EQ(scripts_run(server), before + 1) << "one command for all of them";
  EXPECT_EQ(server.command({"HGET", "sosie:hits", last}), "2");
  EXPECT_EQ(server.command({"HLEN", "sosie:hits"}), std::to_string(kEntries));

  store->touch(last, at(1200));
  ASSERT_TRUE(store->sweep(at(1200)));
  EXPECT_EQ(server.command({"HGET", "sosie:hits", last}), "3");
  store->touch(last, at(1200));
  server.command({"SCRIPT", "FLUSH"});
  store.reset();
  EXPECT_EQ(server.command({"HGET", "sosie:hits", last}), "4") << "closing tells what is left";
}

TEST(RedisStore, HitsThatCannotBeToldAreBounded) {
  SOSIE_NEEDS_REDIS();
  TestServer server;
  auto store = open(at_server(server));
  ASSERT_TRUE(store->put(numbered(1)));
  std::string id(32, '0');
  for (int i = 0; i < 100'000; ++i) {
    for (int digit = 0, rest = i; digit < 6; ++digit, rest /= 10) id[static_cast<std::size_t>(digit)] = static_cast<char>('0' + rest % 10);
    store->touch(id, at(1));
  }
  const std::uint64_t before = scripts_run(server);
  store.reset();
  EXPECT_LT(scripts_run(server) - before, 100u);
}

TEST(RedisStore, ALocaleWithADecimalCommaChangesNothing) {
  SOSIE_NEEDS_REDIS();
  SOSIE_UNDER_COMMA_LOCALE();
  auto& server = shared_server();
  const auto store = open(at_server(server, "comma"));
  NewEntry made = numbered(1);
  made.cost = 0.25;
  ASSERT_TRUE(store->put(made)) << store->put(made).error().message;
  const auto near = store->nearest(made.partition, made.vector, 1, Similarity{-1}, {.now = at(2)});
  ASSERT_TRUE(near && near->found.size() == 1);
  EXPECT_NEAR(near->found[0].similarity.value, 1, 1e-6);
  const double worth = 0.25 / static_cast<double>(store->stats().bytes);
  EXPECT_EQ(base::read_double(server.command({"ZSCORE", "comma:priorities", made.entry.id})), worth);
}

TEST(RedisStore, AccountsStayRightWhileManyWrite) {
  SOSIE_NEEDS_REDIS();
  constexpr std::uint64_t kBound = 20'000;
  const auto options = at_server(shared_server(), "many");
  std::vector<std::unique_ptr<Store>> stores;
  for (int i = 0; i < 3; ++i) stores.push_back(open(options, kBound));
  std::vector<NewEntry> possible;
  for (int i = 0; i < 120; ++i) {
    possible.push_back(numbered(i, static_cast<std::size_t>(i) * 7, "scope " + std::to_string(i % 7)));
  }
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      Store& store = *stores[t % stores.size()];
      for (int step = 0; step < 150; ++step) {
        NewEntry made = possible[random() % possible.size()];
        const unsigned action = random() % 10;
        if (action < 6) {
          made.entry.response.resize(random() % 900, 'r');
          if (random() % 3 == 0) made.entry.expires = at(1 + random() % 100'000);
          failed += !store.put(made);
        } else if (action < 8) {
          store.touch(made.entry.id, at(0));
        } else if (action == 8) {
          failed += !store.erase(made.entry.id);
        } else if (random() % 4 == 0) {
          failed += !store.clear(made.entry.scope);
        } else {
          failed += !store.exact(made.exact_key, {.now = at(random() % 1000)});
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  std::uint64_t evicted = 0;
  for (const auto& store : stores) evicted += store->stats().evicted;
  EXPECT_GT(evicted, 0u);
  EXPECT_LE(stores[0]->stats().bytes, kBound);
  EXPECT_GT(stores[0]->stats().bytes, kBound / 2);
  ASSERT_TRUE(stores[1]->sweep(at(1000)));
  expect_right_accounts(*stores[0], shared_server(), "many", possible);
  ASSERT_TRUE(stores[0]->clear(std::nullopt));
  EXPECT_EQ(stores[1]->stats().bytes, 0u);
  EXPECT_EQ(stores[1]->stats().scopes, 0u);
  EXPECT_EQ(shared_server().command({"KEYS", "many:*"}), "many:meta") << "nothing is left behind";
}

TEST(RedisStore, EqualsAreOrderedByIdHoweverMany) {
  SOSIE_NEEDS_REDIS();
  const auto store = open(at_server(shared_server(), "equals"));
  std::vector<std::string> ids;
  const std::vector<float> x{1, 0, 0, 0, 0, 0, 0, 0};
  NewEntry one_of_them;
  for (int i = 0; i < 300; ++i) {
    const NewEntry made = make_entry("s", "p", "r" + std::to_string(i), x, at(i), {{"user", std::to_string(i)}});
    ASSERT_TRUE(store->put(made));
    ids.push_back(made.entry.id);
    if (i == 123) one_of_them = made;
  }
  std::sort(ids.begin(), ids.end());
  const auto near = store->nearest(partition("s"), x, 3, Similarity{0.9}, {.now = at(1000)});
  ASSERT_TRUE(near) << near.error().message;
  ASSERT_EQ(near->found.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(near->found[i].entry->id, ids[i]);

  const Attributes wanted{{"user", "123"}};
  const Filter filter{.now = at(1000), .attributes = &wanted};
  const auto filtered = store->nearest(partition("s"), x, 3, Similarity{0.9}, filter);
  ASSERT_TRUE(filtered);
  ASSERT_EQ(filtered->found.size(), 1u);
  conformance::expect_equal(*filtered->found[0].entry, one_of_them.entry);
  EXPECT_TRUE(filtered->filtered);
  const auto exact = store->exact(exact_key("s", "p"), filter);
  ASSERT_TRUE(exact);
  ASSERT_EQ(exact->size(), 1u);
  conformance::expect_equal(*exact->front(), one_of_them.entry);
  EXPECT_EQ((*store->exact(exact_key("s", "p"), {.now = at(1000)})).front()->created, at(299)) << "newest first";
}

TEST(RedisStore, ALoweredBoundHoldsFromTheNextOpening) {
  SOSIE_NEEDS_REDIS();
  const auto options = at_server(shared_server(), "bound");
  std::vector<NewEntry> possible;
  {
    const auto store = open(options);
    for (int i = 0; i < 500; ++i) {
      possible.push_back(numbered(i));
      ASSERT_TRUE(store->put(possible.back()));
    }
    for (int touches = 0; touches < 3; ++touches) store->touch(possible[7].entry.id, at(1000));
  }
  const auto store = open(options, 5000);
  EXPECT_LE(store->stats().bytes, 5000u);
  EXPECT_GT(store->stats().entries, 10u);
  EXPECT_TRUE((*store->get(possible[7].entry.id, at(1000))).has_value()) << "hits must survive closing";
  expect_right_accounts(*store, shared_server(), "bound", possible);
}

// A client whose clock was 200 years ahead: the server's own expiry counts from the moment of the put.
TEST(RedisStore, AClockThatJumpedGivesNoEntryALongerLife) {
  SOSIE_NEEDS_REDIS();
  auto& server = shared_server();
  const auto store = open(at_server(server, "jumped"));
  NewEntry made = numbered(1);
  made.entry.created = TimePoint(std::chrono::years{200});
  made.entry.expires = made.entry.created + std::chrono::hours{1};
  ASSERT_TRUE(store->put(made));
  const long left = std::stol(server.command({"PTTL", "jumped:entry:" + made.entry.id}));
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 2 * 3'600'000) << "its ttl, and an hour in which nobody finds what has expired";
}

TEST(RedisStore, ExpiredEntriesLeaveWithTheNextWrites) {
  SOSIE_NEEDS_REDIS();
  const auto store = open(at_server(shared_server(), "expired"));
  for (int i = 0; i < 100; ++i) {
    NewEntry made = numbered(i);
    made.entry.expires = at(5000);
    ASSERT_TRUE(store->put(made));
  }
  ASSERT_TRUE(store->exact({}, {.now = at(6000)}));  // Tells the time.
  for (int i = 100; i < 110; ++i) ASSERT_TRUE(store->put(numbered(i)));
  EXPECT_EQ(store->stats().entries, 10u);
  EXPECT_EQ(store->stats().expired, 100u);
}

}  // namespace
}  // namespace sosie::store
