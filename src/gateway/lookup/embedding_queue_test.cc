#include "gateway/lookup/embedding_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <string>

namespace sosie::gateway {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

/// Notes what it is given together. A call whose first text is "wait" waits until it is let go; one with "bad" in it fails.
class NotingEmbedder : public Embedder {
 public:
  std::size_t dimension() const noexcept override { return 2; }
  std::string_view fingerprint() const noexcept override { return "noting"; }
  std::size_t max_tokens() const noexcept override { return 0; }
  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
    std::string call;
    for (const std::string_view text : texts) call.append(call.empty() ? "" : " ").append(text.substr(0, 8));
    {
      const std::lock_guard lock(mutex);
      calls.push_back(call);
    }
    if (call == "wait") {
      begun.set_value();
      go_on.get_future().wait();
    }
    if (call.find("bad") != std::string::npos) return Error{ErrorCode::unavailable, "bad"};
    return std::vector<Embedding>(texts.size(), Embedding{{1, 0}, 1, false, {}});
  }

  mutable std::mutex mutex;
  mutable std::vector<std::string> calls;
  mutable std::promise<void> begun, go_on;
};

class EmbeddingQueueTest : public testing::Test {
 protected:
  void start(std::size_t threads = 1, std::size_t max_queued = 100) {
    CacheOptions options;
    options.embedder = embedder;
    auto opened = SemanticCache::open(options);
    ASSERT_TRUE(opened) << opened.error().message;
    cache = std::make_shared<SemanticCache>(std::move(*opened));
    pool = std::make_unique<net::WorkerPool>(threads, max_queued);
    queue = std::make_unique<EmbeddingQueue>(*cache, *pool, threads, max_queued);
  }

  void TearDown() override {
    if (pool) pool->join();
  }

  /// How it ended is found in `ends` once `finish` has returned.
  void ask(std::string text, net::SteadyTime deadline = net::SteadyTime::max(), net::Urgency urgency = net::Urgency::normal,
           EmbeddingQueue::Known known = {}) {
    asio::co_spawn(context, one(std::move(text), deadline, urgency, std::move(known)), asio::detached);
    context.poll();
  }
  net::Task<void> one(std::string text, net::SteadyTime deadline, net::Urgency urgency, EmbeddingQueue::Known known) {
    EmbeddingQueue::Then<std::string> then = [](EmbeddingQueue::Embedded embedded, bool others_wait) {
      return (embedded ? std::string("embedded") : std::string(to_string(embedded.error().code))) + (others_wait ? ", others wait" : "");
    };
    auto result = co_await queue->embed(context.get_executor(), text, std::move(then), deadline, urgency, std::move(known));
    ends.push_back(text.substr(0, 8) + ": " + (result ? *result : std::string(to_string(result.error().code))));
  }

  /// An encoder that is busy until `finish`.
  void occupy() {
    ask("wait");
    embedder->begun.get_future().wait();
  }
  void finish() {
    embedder->go_on.set_value();
    context.restart();
    context.run();
  }

  std::shared_ptr<NotingEmbedder> embedder = std::make_shared<NotingEmbedder>();
  std::shared_ptr<SemanticCache> cache;
  asio::io_context context{1};
  std::unique_ptr<net::WorkerPool> pool;
  std::unique_ptr<EmbeddingQueue> queue;
  std::vector<std::string> ends;
};

TEST_F(EmbeddingQueueTest, WhatWaitsIsEmbeddedTogether) {
  start();
  occupy();
  ask("a");
  ask("b");
  ask("c");
  EXPECT_EQ(queue->queued(), 3u);
  finish();
  EXPECT_THAT(embedder->calls, ElementsAre("wait", "a b c"));
  EXPECT_THAT(ends, ElementsAre("wait: embedded", "a: embedded, others wait", "b: embedded, others wait", "c: embedded, others wait"));
  EXPECT_EQ(queue->queued(), 0u);
  EXPECT_EQ(cache->stats().embeddings, 4u);
}

TEST_F(EmbeddingQueueTest, NotMoreThanIsWorthIt) {
  start();
  occupy();
  for (const char* text : {"1", "2", "3", "4", "5", "6", "7", "8", "9"}) ask(text);
  ask("long " + std::string(300, 'x'));
  ask("last");
  finish();
  EXPECT_THAT(embedder->calls, ElementsAre("wait", "1 2 3 4 5 6 7 8", "9", "long xxx", "last"));
}

TEST_F(EmbeddingQueueTest, EveryEncoderTakesItsShare) {
  start(2);
  occupy();
  {  // The other one, for as long as the texts come.
    std::promise<void> over;
    ASSERT_TRUE(pool->submit([&over] { over.get_future().wait(); }));
    for (const char* text : {"a", "b", "c", "d"}) ask(text);
    over.set_value();
  }
  finish();
  EXPECT_THAT(embedder->calls, UnorderedElementsAre("wait", "a b", "c", "d"));
}

TEST_F(EmbeddingQueueTest, NoneFailsForAnothersSake) {
  start();
  occupy();
  ask("a");
  ask("bad");
  ask("c");
  finish();
  EXPECT_THAT(embedder->calls, ElementsAre("wait", "a bad c", "a", "bad", "c"));
  EXPECT_THAT(ends, ElementsAre("wait: embedded", "a: embedded, others wait", "bad: unavailable, others wait", "c: embedded, others wait"));
}

TEST_F(EmbeddingQueueTest, AFullQueueRefuses) {
  start(1, 2);
  occupy();
  ask("a");
  ask("b");
  ask("c");
  EXPECT_THAT(ends, ElementsAre("c: resource_exhausted"));
  finish();
  EXPECT_THAT(embedder->calls, ElementsAre("wait", "a b"));
}

TEST_F(EmbeddingQueueTest, WhoHasGoneIsNotEmbedded) {
  start();
  occupy();
  ask("gone", net::after(net::Milliseconds{1}));
  while (ends.empty()) {
    context.restart();
    context.run_one();
  }
  ask("stays");
  finish();
  EXPECT_THAT(embedder->calls, ElementsAre("wait", "stays"));
  EXPECT_THAT(ends, ElementsAre("gone: deadline_exceeded", "wait: embedded", "stays: embedded"));
}

TEST_F(EmbeddingQueueTest, WhatIsKnownByThenIsNotEmbedded) {
  start();
  occupy();
  const auto embedding = std::make_shared<const Embedding>();
  ask("a", net::SteadyTime::max(), net::Urgency::normal, [&] { return embedding; });
  ask("b", net::SteadyTime::max(), net::Urgency::normal, [] { return nullptr; });
  finish();
  EXPECT_THAT(embedder->calls, ElementsAre("wait", "b"));
  EXPECT_THAT(ends, ElementsAre("wait: embedded", "a: embedded, others wait", "b: embedded, others wait"));
}

TEST_F(EmbeddingQueueTest, WhatNobodyWaitsForComesLast) {
  start();
  occupy();
  ask("later", net::SteadyTime::max(), net::Urgency::later);
  for (const char* text : {"1", "2", "3", "4", "5", "6", "7", "8", "9"}) ask(text);
  finish();
  EXPECT_THAT(embedder->calls, ElementsAre("wait", "1 2 3 4 5 6 7 8", "9", "later"));
}

}  // namespace
}  // namespace sosie::gateway
