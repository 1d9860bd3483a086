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
#include "store/redis_schema.h"
#include "store/redis_store_fixture.h"
#include "store/store_conformance.h"

namespace sosie::store {
namespace {

using conformance::at;
using conformance::exact_key;
using conformance::make_entry;
using conformance::partition;
using conformance::without_vector;
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

// "right" where the bytes of each scope are what the accounts of its entries say.
std::string scopes_counted(const TestServer& server, const std::string& name) {
  return server.command({"EVAL", R"(
    local recounts, sums = tonumber(redis.call("HGET", KEYS[3], "recounts") or 0), {}
    local function add(member, bytes) sums[member] = (sums[member] or 0) + bytes end
    local accounts = redis.call("HGETALL", KEYS[1])
    for i = 2, #accounts, 2 do
      local bytes, _, _, scope, _, _, counted = cmsgpack.unpack(accounts[i])
      if counted ~= recounts then return accounts[i - 1] .. " is not counted" end
      add(scope, bytes)
      add("all", -bytes)
    end
    local kept = redis.call("ZRANGE", KEYS[2], 0, -1, "WITHSCORES")
    for i = 1, #kept, 2 do add(kept[i], -kept[i + 1]) end
    for member, difference in pairs(sums) do
      if difference ~= 0 then return member .. " should have more by " .. difference end
    end
    return "right")", "3", name + ":accounts", name + ":scopes", name + ":meta"});
}

// An older sosie, which knows nothing of the bytes of scopes, puts an entry: one of these bytes, under an id of this digit.
void put_as_before(const TestServer& server, const std::string& name, char digit, const std::string& scope, int bytes) {
  const std::string said = server.command({"EVAL", R"(
    local name, id, scope, bytes = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
    redis.call("HSET", name .. "entry:" .. id, "scope", scope, "prompt", "p", "response", "r", "created", "1", "exact_only", "1")
    redis.call("HSET", name .. "accounts", id, cmsgpack.pack(bytes, 1, 0, scope, "", "e"))
    redis.call("ZADD", name .. "priorities", 1, id)
    redis.call("HINCRBY", name .. "meta", "bytes", bytes)
    redis.call("HINCRBY", name .. "meta", "entries", 1)
    if redis.call("SADD", name .. "scope:" .. scope, id) == 1 and redis.call("SCARD", name .. "scope:" .. scope) == 1 then
      redis.call("HINCRBY", name .. "meta", "scopes", 1)
    end
    return "done")", "0", name + ":", std::string(32, digit), scope_key(scope), std::to_string(bytes)});
  ASSERT_EQ(said, "done");
}

// And removes one.
void remove_as_before(const TestServer& server, const std::string& name, const std::string& id) {
  const std::string said = server.command({"EVAL", R"(
    local name, id = ARGV[1], ARGV[2]
    local bytes, worth, sliding, scope, partition, exact = cmsgpack.unpack(redis.call("HGET", name .. "accounts", id))
    redis.call("HDEL", name .. "accounts", id)
    redis.call("ZREM", name .. "priorities", id)
    redis.call("HINCRBY", name .. "meta", "bytes", -bytes)
    redis.call("HINCRBY", name .. "meta", "entries", -1)
    redis.call("SREM", name .. "exact:" .. exact, id)
    if redis.call("SREM", name .. "scope:" .. scope, id) == 1 and redis.call("EXISTS", name .. "scope:" .. scope) == 0 then
      redis.call("HINCRBY", name .. "meta", "scopes", -1)
    end
    if redis.call("HINCRBY", name .. "partitions", partition, -65536) < 65536 then
      redis.call("HDEL", name .. "partitions", partition)
    end
    redis.call("UNLINK", name .. "entry:" .. id)
    return "done")", "0", name + ":", id});
  ASSERT_EQ(said, "done");
}

// The accounts of a store as all of them were before the bytes of scopes were counted.
void make_former(const TestServer& server, const std::string& name) {
  const std::string said = server.command({"EVAL", R"(
    local accounts = redis.call("HGETALL", KEYS[1])
    for i = 1, #accounts, 2 do
      local account = {cmsgpack.unpack(accounts[i + 1])}
      redis.call("HSET", KEYS[1], accounts[i], cmsgpack.pack(unpack(account, 1, 6)))
    end
    redis.call("HDEL", KEYS[3], "recounts", "cursor")
    redis.call("DEL", KEYS[2])
    return "done")", "3", name + ":accounts", name + ":scopes", name + ":meta"});
  ASSERT_EQ(said, "done");
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
    possible.push_back(numbered(i, static_cast<std::size_t>(i) * 7, i % 3 != 0 ? "large" : "scope " + std::to_string(i % 7)));
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
  EXPECT_EQ(scopes_counted(shared_server(), "many"), "right");
  EXPECT_EQ(shared_server().command({"HGET", "many:meta", "recounts"}), "") << "they were right all the time";
  ASSERT_TRUE(stores[0]->clear(std::nullopt));
  EXPECT_EQ(stores[1]->stats().bytes, 0u);
  EXPECT_EQ(stores[1]->stats().scopes, 0u);
  EXPECT_EQ(shared_server().command({"KEYS", "many:*"}), "many:meta") << "nothing is left behind";
}

class RedisStoreShare : public testing::Test {
 protected:
  static constexpr std::uint64_t kBound = 60'000;
  static constexpr int kOthers = 20;

  void SetUp() override { SOSIE_NEEDS_REDIS(); }

  static NewEntry of_others(int i) { return numbered(i, 1000, "tenant " + std::to_string(i % 5)); }
  static NewEntry of_the_large(int i) { return numbered(1000 + i, 1000, "large"); }

  static void put_others(Store& store) {
    for (int i = 0; i < kOthers; ++i) ASSERT_TRUE(store.put(of_others(i)));
  }
  // Each is asked for eight times: by worth alone they would push out all others.
  static void flood(Store& store, int first = 0) {
    for (int i = first; i < first + 100; ++i) {
      ASSERT_TRUE(store.put(of_the_large(i)));
      for (int hit = 0; hit < 8; ++hit) store.touch(of_the_large(i).entry.id, at(2000));
    }
  }
  static int others_left(const Store& store) {
    int count = 0;
    for (int i = 0; i < kOthers; ++i) count += store.get(of_others(i).entry.id, at(2000))->has_value();
    return count;
  }
};

TEST_F(RedisStoreShare, HoldsAmongProcesses) {
  const auto options = at_server(shared_server(), "share");
  const auto a = open(options, kBound), b = open(options, kBound);
  put_others(*a);
  flood(*b);
  EXPECT_EQ(others_left(*a), kOthers);
  EXPECT_GT(a->stats().bytes, kBound * 9 / 10);
  EXPECT_GT(b->stats().evicted, 50u);
  EXPECT_EQ(scopes_counted(shared_server(), "share"), "right");
}

TEST_F(RedisStoreShare, HoldsInAStoreOfAnOlderVersion) {
  const auto options = at_server(shared_server(), "former");
  constexpr int kSmall = 1000;  // More than one step looks at.
  {
    const auto store = open(options);
    put_others(*store);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(store->put(of_the_large(i)));
    for (int i = 0; i < kSmall; ++i) ASSERT_TRUE(store->put(without_vector(make_entry("small", std::to_string(i), "", {}, at(1)))));
  }
  make_former(shared_server(), "former");
  const auto store = open(options, kBound);
  EXPECT_EQ(store->stats().entries, static_cast<std::uint64_t>(kOthers + 30 + kSmall)) << "no entry is lost";
  EXPECT_EQ(scopes_counted(shared_server(), "former"), "right");
  flood(*store);
  EXPECT_EQ(others_left(*store), kOthers);
  EXPECT_EQ(scopes_counted(shared_server(), "former"), "right");
}

TEST_F(RedisStoreShare, IsRightAgainAfterAnOlderVersionWroteBeside) {
  const auto& server = shared_server();
  const auto store = open(at_server(server, "beside"), kBound);
  put_others(*store);
  put_as_before(server, "beside", '1', "large", 700);
  EXPECT_NE(scopes_counted(server, "beside"), "right");
  ASSERT_TRUE(store->sweep(at(2000)));
  EXPECT_EQ(scopes_counted(server, "beside"), "right") << "what it put";

  remove_as_before(server, "beside", of_others(3).entry.id);
  put_as_before(server, "beside", '2', "large", 500);
  EXPECT_NE(scopes_counted(server, "beside"), "right");
  ASSERT_TRUE(store->sweep(at(2000)));
  EXPECT_EQ(scopes_counted(server, "beside"), "right") << "what it removed";

  // As many bytes as it put: no sum tells, before an entry that was counted nowhere is looked at.
  remove_as_before(server, "beside", of_others(4).entry.id);
  put_as_before(server, "beside", '3', "large", static_cast<int>(of_others(4).entry.prompt.size()) + 1000 + 32);
  EXPECT_NE(scopes_counted(server, "beside"), "right");
  ASSERT_TRUE(store->sweep(at(2000)));
  EXPECT_EQ(scopes_counted(server, "beside"), "right") << "what it exchanged";

  EXPECT_EQ(store->stats().entries, static_cast<std::uint64_t>(kOthers - 2 + 3));
  flood(*store);
  EXPECT_EQ(others_left(*store), kOthers - 2);
}

TEST_F(RedisStoreShare, IsRightAgainAfterKeysWereRemovedByHand) {
  const auto& server = shared_server();
  const auto store = open(at_server(server, "by-hand"), kBound);
  const auto key = [](const std::string& rest) { return "by-hand:" + rest; };
  put_others(*store);
  flood(*store);
  const auto expect_drift_and_repair = [&](const char* what) {
    SCOPED_TRACE(what);
    ASSERT_TRUE(store->sweep(at(2000)));
    ASSERT_EQ(scopes_counted(server, "by-hand"), "right");
    flood(*store);
    EXPECT_GE(others_left(*store), kOthers - 2);
    EXPECT_EQ(scopes_counted(server, "by-hand"), "right");
  };

  server.command({"DEL", key("entry:" + of_others(0).entry.id)});
  ASSERT_EQ(server.command({"PEXPIRE", key("entry:" + of_others(1).entry.id), "-1"}), "1");
  expect_drift_and_repair("entries");
  EXPECT_EQ(server.command({"ZSCORE", key("scopes"), scope_key("tenant 0")}),
            std::to_string(3 * (1000 + 32) + static_cast<int>(std::string("prompt 5prompt 10prompt 15").size())));

  ASSERT_EQ(server.command({"DEL", key("scopes")}), "1");
  expect_drift_and_repair("all bytes");

  ASSERT_TRUE(store->put(of_others(2)));
  ASSERT_EQ(server.command({"DEL", key("scopes")}), "1");
  ASSERT_TRUE(*store->erase(of_others(2).entry.id));
  ASSERT_TRUE(store->put(of_others(2)));
  expect_drift_and_repair("all bytes, and writes since");

  ASSERT_EQ(server.command({"ZADD", key("scopes"), "1", scope_key("large")}), "0");
  ASSERT_EQ(server.command({"ZADD", key("scopes"), "-1", "all"}), "0");
  expect_drift_and_repair("wrong bytes");

  // The set from which those that leave are drawn.
  ASSERT_EQ(server.command({"DEL", key("scope:" + scope_key("large"))}), "1");
  expect_drift_and_repair("a scope's ids");
  ASSERT_TRUE(store->sweep(at(2000)));
  EXPECT_GT(*store->clear("large"), 20u);
  EXPECT_EQ(others_left(*store), kOthers - 2);
  ASSERT_TRUE(store->clear(std::nullopt));
  EXPECT_EQ(store->stats().bytes, 0u);
  EXPECT_EQ(server.command({"KEYS", "by-hand:*"}), "by-hand:meta") << "nothing is left behind";
}

TEST_F(RedisStoreShare, IsCountedOnAFullServerToo) {
  TestServer server;
  const auto store = open(at_server(server), kBound);
  put_others(*store);
  make_former(server, "sosie");
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  ASSERT_FALSE(store->put(of_the_large(0)));
  const auto swept = store->sweep(at(2000));
  EXPECT_TRUE(swept) << swept.error().message;
  EXPECT_EQ(scopes_counted(server, "sosie"), "right");
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
