#include "gateway/inflight/shared_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "gateway/inflight/shared_calls.h"

namespace sosie::gateway {
namespace {

using Seen = SharedCall::Subscriber::Seen;
using testing::ElementsAre;

constexpr net::Milliseconds kLong{20'000};

constexpr std::size_t kMostHeld = 1 << 20;

net::HeldBytes& held() {
  static net::HeldBytes bytes(kMostHeld);
  return bytes;
}

std::shared_ptr<SharedCall> make_shared_call(std::string prompt = "question", decide::Reuse reuse = decide::Reuse::by_meaning) {
  SharedCall::Asked asked;
  asked.scope = "scope";
  asked.prompt = std::move(prompt);
  asked.reuse = reuse;
  return std::make_shared<SharedCall>(std::move(asked), held());
}

/// Everything that one subscriber sees.
struct Log {
  std::vector<std::string> pieces;
  std::optional<SharedCall::Head> head;
  std::optional<Seen> last;
};

net::Task<void> read_all(std::shared_ptr<SharedCall> shared_call, net::Executor executor, Log& log) {
  SharedCall::Subscriber subscriber(shared_call, executor);
  log.head = co_await subscriber.head(net::after(kLong));
  for (;;) {
    auto next = co_await subscriber.next(net::after(kLong));
    if (next.seen != Seen::piece) {
      log.last = next.seen;
      co_return;
    }
    log.pieces.push_back(*next.bytes);
  }
}

class FlightTest : public testing::Test {
 protected:
  void spawn(std::shared_ptr<SharedCall> shared_call, Log& log) {
    boost::asio::co_spawn(context, read_all(std::move(shared_call), context.get_executor(), log), boost::asio::detached);
  }
  boost::asio::io_context context{1};
};

TEST_F(FlightTest, EveryReaderSeesEveryPieceInItsOrderHoweverLateItComes) {
  auto shared_call = make_shared_call();
  Log early, late;
  spawn(shared_call, early);
  context.poll();
  shared_call->start({200, "text/event-stream", "", true});
  shared_call->add("a");
  context.poll();
  shared_call->add("b");
  shared_call->complete("c", std::nullopt);
  spawn(shared_call, late);
  context.run();
  EXPECT_THAT(early.pieces, ElementsAre("a", "b", "c"));
  EXPECT_THAT(late.pieces, ElementsAre("a", "b", "c"));
  EXPECT_EQ(early.last, Seen::end);
  EXPECT_EQ(late.last, Seen::end);
  ASSERT_TRUE(late.head);
  EXPECT_EQ(late.head->status, 200);
}

TEST_F(FlightTest, AFailureComesBehindThePiecesThatWereThere) {
  auto shared_call = make_shared_call();
  Log log;
  shared_call->start({200, "", "", true});
  shared_call->add("a");
  shared_call->fail({net::ClientFailure::cut, {}});
  spawn(shared_call, log);
  context.run();
  EXPECT_THAT(log.pieces, ElementsAre("a"));
  EXPECT_EQ(log.last, Seen::failed);
}

TEST_F(FlightTest, AFailureBeforeTheHeadGivesNoHead) {
  auto shared_call = make_shared_call();
  Log log;
  spawn(shared_call, log);
  context.poll();
  shared_call->fail({net::ClientFailure::connect, {}});
  context.run();
  EXPECT_FALSE(log.head);
  EXPECT_EQ(log.last, Seen::failed);
}

TEST_F(FlightTest, EndsOnce) {
  auto shared_call = make_shared_call();
  shared_call->start({200, "", "", false});
  shared_call->complete("whole", SharedCall::Answered{std::make_shared<const std::string>("kept"), decide::Reuse::exact, {}});
  shared_call->fail({net::ClientFailure::cut, {}});
  shared_call->add("more");
  shared_call->complete("again", std::nullopt);
  Log log;
  spawn(shared_call, log);
  context.run();
  EXPECT_THAT(log.pieces, ElementsAre("whole"));
  EXPECT_EQ(log.last, Seen::end);
  EXPECT_FALSE(SharedCall::Subscriber(shared_call, context.get_executor()).failure());
  ASSERT_TRUE(shared_call->answered());
  EXPECT_EQ(*shared_call->answered()->kept, "kept");

  auto failed = make_shared_call();
  failed->fail({net::ClientFailure::cut, {}});
  failed->start({200, "", "", false});
  failed->complete("whole", SharedCall::Answered{});
  EXPECT_TRUE(SharedCall::Subscriber(failed, context.get_executor()).failure());
  EXPECT_FALSE(failed->answered());
}

TEST_F(FlightTest, WhoWaitsForTheHeadLongerThanAllowedIsToldSo) {
  auto shared_call = make_shared_call();
  bool late = false;
  const auto wait = [&]() -> net::Task<void> {
    SharedCall::Subscriber subscriber(shared_call, context.get_executor());
    const auto head = co_await subscriber.head(net::after(net::Milliseconds{1}));
    late = !head && !subscriber.failure();
  };
  boost::asio::co_spawn(context, wait(), boost::asio::detached);
  context.run();
  EXPECT_TRUE(late);
}

TEST_F(FlightTest, AnEndlessFlightDropsWhatAllHaveReadAndWaitsForTheSlowest) {
  auto shared_call = make_shared_call();
  const std::string big(300 << 10, 'x');
  bool had_room = false, woke = false;
  shared_call->start({200, "", "", false});
  shared_call->stop_retaining();
  auto subscriber = std::make_unique<SharedCall::Subscriber>(shared_call, context.get_executor());
  shared_call->add(big);
  const auto pilot = [&]() -> net::Task<void> {
    had_room = co_await shared_call->make_room(context.get_executor());
    woke = true;
  };
  boost::asio::co_spawn(context, pilot(), boost::asio::detached);
  context.poll();
  EXPECT_FALSE(woke);
  const auto read = [&]() -> net::Task<void> {
    const auto next = co_await subscriber->next(net::after(kLong));
    EXPECT_EQ(next.bytes->size(), big.size());
  };
  boost::asio::co_spawn(context, read(), boost::asio::detached);
  context.restart();
  context.run();
  EXPECT_TRUE(woke);
  EXPECT_TRUE(had_room);
  EXPECT_FALSE(shared_call->has_no_subscribers());
  subscriber.reset();
  EXPECT_TRUE(shared_call->has_no_subscribers());
}

TEST_F(FlightTest, AnEndlessFlightReadsNothingAheadWhereAllFlightsTogetherHoldMuch) {
  auto shared_call = make_shared_call(), another = make_shared_call();
  shared_call->start({200, "", "", false});
  shared_call->stop_retaining();
  SharedCall::Subscriber subscriber(shared_call, context.get_executor());
  shared_call->add("x");
  bool woke = false;
  const auto pilot = [&]() -> net::Task<void> {
    co_await shared_call->make_room(context.get_executor());
    woke = true;
  };
  another->add(std::string(kMostHeld, 'x'));
  boost::asio::co_spawn(context, pilot(), boost::asio::detached);
  context.poll();
  EXPECT_FALSE(woke);
  const auto read = [&]() -> net::Task<void> { co_await subscriber.next(net::after(kLong)); };
  boost::asio::co_spawn(context, read(), boost::asio::detached);
  context.restart();
  context.run();
  EXPECT_TRUE(woke);
}

TEST_F(FlightTest, ThePilotOfAnEndlessFlightLearnsThatNobodyIsLeft) {
  auto shared_call = make_shared_call();
  shared_call->stop_retaining();
  auto subscriber = std::make_unique<SharedCall::Subscriber>(shared_call, context.get_executor());
  shared_call->add(std::string(300 << 10, 'x'));
  std::optional<bool> read;
  const auto pilot = [&]() -> net::Task<void> { read = co_await shared_call->make_room(context.get_executor()); };
  boost::asio::co_spawn(context, pilot(), boost::asio::detached);
  context.poll();
  EXPECT_FALSE(read);
  subscriber.reset();
  context.restart();
  context.run();
  EXPECT_EQ(read, false);
}

TEST_F(FlightTest, WhatIsReadIsDroppedWhereAllFlightsTogetherHoldTooMuch) {
  auto shared_call = make_shared_call(), another = make_shared_call();
  Log log;
  shared_call->start({200, "", "", true});
  spawn(shared_call, log);
  shared_call->add("first");
  context.poll();
  EXPECT_TRUE(SharedCall::Subscriber(shared_call, context.get_executor()).from_the_start());
  another->add(std::string(kMostHeld, 'x'));
  shared_call->add("second");
  EXPECT_FALSE(SharedCall::Subscriber(shared_call, context.get_executor()).from_the_start());
  shared_call->complete("", std::nullopt);
  context.restart();
  context.run();
  EXPECT_THAT(log.pieces, ElementsAre("first", "second"));
  another.reset();  // What it held counts no more.
  auto third = make_shared_call();
  Log whole;
  spawn(third, whole);
  third->add("a");
  context.restart();
  context.poll();
  third->add("b");
  EXPECT_TRUE(SharedCall::Subscriber(third, context.get_executor()).from_the_start());
}

TEST_F(FlightTest, WhoWaitsForTheEndHoldsNothing) {
  auto shared_call = make_shared_call();
  Log log;
  spawn(shared_call, log);
  std::optional<Seen> seen;
  const auto wait = [&]() -> net::Task<void> {
    SharedCall::Subscriber subscriber(shared_call, context.get_executor());
    seen = co_await subscriber.end(kLong);
  };
  boost::asio::co_spawn(context, wait(), boost::asio::detached);
  shared_call->start({200, "", "", true});
  const std::size_t piece = kMostHeld / 8;
  for (int i = 0; i < 100; ++i) {
    shared_call->add(std::string(piece, 'x'));
    context.restart();
    context.poll();
    EXPECT_LE(held().count(), kMostHeld / 2 + piece);
  }
  EXPECT_FALSE(seen);
  shared_call->complete({}, std::nullopt);
  context.restart();
  context.run();
  EXPECT_EQ(log.pieces.size(), 100u);
  EXPECT_EQ(seen, Seen::end);
  shared_call.reset();
  EXPECT_EQ(held().count(), 0u);
}

TEST_F(FlightTest, WhatNobodyReadsIsDroppedToo) {
  auto shared_call = make_shared_call();
  shared_call->start({200, "", "", true});
  for (int i = 0; i < 100; ++i) shared_call->add(std::string(kMostHeld / 8, 'x'));
  EXPECT_LE(held().count(), kMostHeld / 2 + kMostHeld / 8);
  const auto kept = std::make_shared<const std::string>(kMostHeld / 4, 'y');
  const std::size_t before = held().count();
  shared_call->complete({}, SharedCall::Answered{kept, decide::Reuse::exact, {}});
  EXPECT_EQ(held().count(), before + kept->size());  // The answer waits for the store.
}

TEST_F(FlightTest, ReadersOfOtherThreadsSeeTheSame) {
  auto shared_call = make_shared_call();
  constexpr int kReaders = 4, kPieces = 2'000;
  std::vector<Log> logs(kReaders);
  std::vector<std::thread> threads;
  for (Log& log : logs)
    threads.emplace_back([&log, shared_call] {
      boost::asio::io_context own{1};
      boost::asio::co_spawn(own, read_all(shared_call, own.get_executor(), log), boost::asio::detached);
      own.run();
    });
  shared_call->start({200, "", "", true});
  for (int i = 0; i < kPieces; ++i) shared_call->add(std::to_string(i));
  shared_call->complete("end", std::nullopt);
  for (std::thread& thread : threads) thread.join();
  for (const Log& log : logs) {
    ASSERT_EQ(log.pieces.size(), kPieces + 1u);
    EXPECT_EQ(log.pieces[1'234], "1234");
    EXPECT_EQ(log.last, Seen::end);
  }
}

TEST(FlightsTest, TheSameTextIsFoundFirstAndTheNewestOfIt) {
  SharedCalls shared_calls(held());
  auto old = make_shared_call(), fresh = make_shared_call();
  shared_calls.add(old);
  shared_calls.add(fresh);
  auto match = shared_calls.find("scope", "question", {}, {});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->shared_call, fresh);
  EXPECT_TRUE(match->same_text);
  match = shared_calls.find("scope", "question", {}, {fresh});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->shared_call, old);
  EXPECT_FALSE(shared_calls.find("scope", "question", {}, {fresh, old}));
  EXPECT_FALSE(shared_calls.find("other scope", "question", {}, {}));
}

TEST(FlightsTest, TheNearestByMeaningIsFoundAmongThoseThatMayBeUsedSo) {
  SharedCalls shared_calls(held());
  auto near = make_shared_call("near"), nearer = make_shared_call("nearer"), exact = make_shared_call("exact", decide::Reuse::exact);
  const auto embedded = [](SharedCall& shared_call, float value) {
    auto embedding = std::make_shared<Embedding>();
    embedding->vector = {value};
    shared_call.set_embedding(embedding);
  };
  embedded(*near, 0.8f);
  embedded(*nearer, 0.9f);
  embedded(*exact, 1.0f);
  for (const auto& shared_call : {near, nearer, exact}) shared_calls.add(shared_call);
  shared_calls.add(make_shared_call("not embedded yet"));
  const SharedCalls::Near decide = [](const Embedding& theirs) -> std::optional<Similarity> {
    if (theirs.vector[0] < 0.7f) return std::nullopt;
    return Similarity{theirs.vector[0]};
  };
  const auto match = shared_calls.find("scope", "question", decide, {});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->shared_call, nearer);
  EXPECT_FALSE(match->same_text);
  EXPECT_FALSE(shared_calls.find("scope", "question", {}, {}));
}

TEST(FlightsTest, SaysWhichFlightsCannotBeComparedYet) {
  SharedCalls shared_calls(held());
  auto compared = make_shared_call("a"), open = make_shared_call("b"), exact = make_shared_call("c", decide::Reuse::exact);
  compared->set_embedding(std::make_shared<Embedding>());
  for (const auto& shared_call : {compared, open, exact}) shared_calls.add(shared_call);
  EXPECT_THAT(shared_calls.unembedded("scope"), ElementsAre(open));
  EXPECT_TRUE(shared_calls.unembedded("other scope").empty());
  for (int i = 0; i < 100; ++i) shared_calls.add(make_shared_call(std::to_string(i)));
  EXPECT_EQ(shared_calls.unembedded("scope").size(), 4u);  // However many there are, others wait for the encoder, too.
}

TEST(FlightsTest, WhoFindsNothingJoinsAndLeavesAgain) {
  SharedCalls shared_calls(held());
  auto mine = make_shared_call(), second = make_shared_call();
  EXPECT_FALSE(shared_calls.find_or_add(mine, {}, {}));
  EXPECT_TRUE(shared_calls.any("scope"));
  const auto match = shared_calls.find_or_add(second, {}, {});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->shared_call, mine);
  shared_calls.remove(second);  // It never was there.
  EXPECT_TRUE(shared_calls.any("scope"));
  shared_calls.remove(mine);
  EXPECT_FALSE(shared_calls.any("scope"));
}

// What an exception between joining and the call does, or the end of a coroutine that was never resumed.
TEST_F(FlightTest, ACallThatIsNeverBegunLeavesNobodyWaiting) {
  SharedCalls shared_calls(held());
  Log log;
  {
    SharedCallOwner owner(shared_calls, {"scope", "question"});
    shared_calls.add(owner.shared_call());
    spawn(owner.shared_call(), log);
    context.poll();
    const SharedCallOwner moved(std::move(owner));
    EXPECT_TRUE(shared_calls.any("scope"));
  }
  EXPECT_FALSE(shared_calls.any("scope"));
  context.restart();
  context.run();
  EXPECT_FALSE(log.head);
  EXPECT_EQ(log.last, Seen::failed);
}

TEST_F(FlightTest, AnAnswerThatIsThereOutlivesItsCall) {
  SharedCalls shared_calls(held());
  std::shared_ptr<SharedCall> shared_call;
  {
    const SharedCallOwner owner(shared_calls, {"scope", "question"});
    shared_call = owner.shared_call();
    shared_calls.add(shared_call);
    shared_call->start({200, "", "", false});
    shared_call->complete("whole", std::nullopt);
  }
  Log log;
  spawn(shared_call, log);
  context.run();
  EXPECT_EQ(log.last, Seen::end);
  EXPECT_FALSE(shared_calls.any("scope"));
}

}  // namespace
}  // namespace sosie::gateway
