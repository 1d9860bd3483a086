#include "gateway/flight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "gateway/flights.h"

namespace sosie::gateway {
namespace {

using Seen = Flight::Reader::Seen;
using testing::ElementsAre;

constexpr net::Milliseconds kLong{20'000};

constexpr std::size_t kMostHeld = 1 << 20;

net::HeldBytes& held() {
  static net::HeldBytes bytes(kMostHeld);
  return bytes;
}

std::shared_ptr<Flight> make_flight(std::string prompt = "question", decide::Reuse reuse = decide::Reuse::by_meaning) {
  Flight::Asked asked;
  asked.scope = "scope";
  asked.prompt = std::move(prompt);
  asked.reuse = reuse;
  return std::make_shared<Flight>(std::move(asked), held());
}

/// Everything that one reader sees.
struct Log {
  std::vector<std::string> pieces;
  std::optional<Flight::Head> head;
  std::optional<Seen> last;
};

net::Task<void> read_all(std::shared_ptr<Flight> flight, net::Executor executor, Log& log) {
  Flight::Reader reader(flight, executor);
  log.head = co_await reader.head(net::after(kLong));
  for (;;) {
    auto next = co_await reader.next(net::after(kLong));
    if (next.seen != Seen::piece) {
      log.last = next.seen;
      co_return;
    }
    log.pieces.push_back(*next.bytes);
  }
}

class FlightTest : public testing::Test {
 protected:
  void spawn(std::shared_ptr<Flight> flight, Log& log) {
    boost::asio::co_spawn(context, read_all(std::move(flight), context.get_executor(), log), boost::asio::detached);
  }
  boost::asio::io_context context{1};
};

TEST_F(FlightTest, EveryReaderSeesEveryPieceInItsOrderHoweverLateItComes) {
  auto flight = make_flight();
  Log early, late;
  spawn(flight, early);
  context.poll();
  flight->start({200, "text/event-stream", "", true});
  flight->add("a");
  context.poll();
  flight->add("b");
  flight->complete("c", std::nullopt);
  spawn(flight, late);
  context.run();
  EXPECT_THAT(early.pieces, ElementsAre("a", "b", "c"));
  EXPECT_THAT(late.pieces, ElementsAre("a", "b", "c"));
  EXPECT_EQ(early.last, Seen::end);
  EXPECT_EQ(late.last, Seen::end);
  ASSERT_TRUE(late.head);
  EXPECT_EQ(late.head->status, 200);
}

TEST_F(FlightTest, AFailureComesBehindThePiecesThatWereThere) {
  auto flight = make_flight();
  Log log;
  flight->start({200, "", "", true});
  flight->add("a");
  flight->fail({net::ClientFailure::cut, {}});
  spawn(flight, log);
  context.run();
  EXPECT_THAT(log.pieces, ElementsAre("a"));
  EXPECT_EQ(log.last, Seen::failed);
}

TEST_F(FlightTest, AFailureBeforeTheHeadGivesNoHead) {
  auto flight = make_flight();
  Log log;
  spawn(flight, log);
  context.poll();
  flight->fail({net::ClientFailure::connect, {}});
  context.run();
  EXPECT_FALSE(log.head);
  EXPECT_EQ(log.last, Seen::failed);
}

TEST_F(FlightTest, EndsOnce) {
  auto flight = make_flight();
  flight->start({200, "", "", false});
  flight->complete("whole", Flight::Answered{std::make_shared<const std::string>("kept"), decide::Reuse::exact, {}});
  flight->fail({net::ClientFailure::cut, {}});
  flight->add("more");
  flight->complete("again", std::nullopt);
  Log log;
  spawn(flight, log);
  context.run();
  EXPECT_THAT(log.pieces, ElementsAre("whole"));
  EXPECT_EQ(log.last, Seen::end);
  EXPECT_FALSE(Flight::Reader(flight, context.get_executor()).failure());
  ASSERT_TRUE(flight->answered());
  EXPECT_EQ(*flight->answered()->kept, "kept");

  auto failed = make_flight();
  failed->fail({net::ClientFailure::cut, {}});
  failed->start({200, "", "", false});
  failed->complete("whole", Flight::Answered{});
  EXPECT_TRUE(Flight::Reader(failed, context.get_executor()).failure());
  EXPECT_FALSE(failed->answered());
}

TEST_F(FlightTest, WhoWaitsForTheHeadLongerThanAllowedIsToldSo) {
  auto flight = make_flight();
  bool late = false;
  const auto wait = [&]() -> net::Task<void> {
    Flight::Reader reader(flight, context.get_executor());
    const auto head = co_await reader.head(net::after(net::Milliseconds{1}));
    late = !head && !reader.failure();
  };
  boost::asio::co_spawn(context, wait(), boost::asio::detached);
  context.run();
  EXPECT_TRUE(late);
}

TEST_F(FlightTest, AnEndlessFlightDropsWhatAllHaveReadAndWaitsForTheSlowest) {
  auto flight = make_flight();
  const std::string big(300 << 10, 'x');
  bool had_room = false, woke = false;
  flight->start({200, "", "", false});
  flight->make_endless();
  auto reader = std::make_unique<Flight::Reader>(flight, context.get_executor());
  flight->add(big);
  const auto pilot = [&]() -> net::Task<void> {
    had_room = co_await flight->make_room(context.get_executor());
    woke = true;
  };
  boost::asio::co_spawn(context, pilot(), boost::asio::detached);
  context.poll();
  EXPECT_FALSE(woke);
  const auto read = [&]() -> net::Task<void> {
    const auto next = co_await reader->next(net::after(kLong));
    EXPECT_EQ(next.bytes->size(), big.size());
  };
  boost::asio::co_spawn(context, read(), boost::asio::detached);
  context.restart();
  context.run();
  EXPECT_TRUE(woke);
  EXPECT_TRUE(had_room);
  EXPECT_FALSE(flight->is_alone());
  reader.reset();
  EXPECT_TRUE(flight->is_alone());
}

TEST_F(FlightTest, AnEndlessFlightReadsNothingAheadWhereAllFlightsTogetherHoldMuch) {
  auto flight = make_flight(), another = make_flight();
  flight->start({200, "", "", false});
  flight->make_endless();
  Flight::Reader reader(flight, context.get_executor());
  flight->add("x");
  bool woke = false;
  const auto pilot = [&]() -> net::Task<void> {
    co_await flight->make_room(context.get_executor());
    woke = true;
  };
  another->add(std::string(kMostHeld, 'x'));
  boost::asio::co_spawn(context, pilot(), boost::asio::detached);
  context.poll();
  EXPECT_FALSE(woke);
  const auto read = [&]() -> net::Task<void> { co_await reader.next(net::after(kLong)); };
  boost::asio::co_spawn(context, read(), boost::asio::detached);
  context.restart();
  context.run();
  EXPECT_TRUE(woke);
}

TEST_F(FlightTest, ThePilotOfAnEndlessFlightLearnsThatNobodyIsLeft) {
  auto flight = make_flight();
  flight->make_endless();
  auto reader = std::make_unique<Flight::Reader>(flight, context.get_executor());
  flight->add(std::string(300 << 10, 'x'));
  std::optional<bool> read;
  const auto pilot = [&]() -> net::Task<void> { read = co_await flight->make_room(context.get_executor()); };
  boost::asio::co_spawn(context, pilot(), boost::asio::detached);
  context.poll();
  EXPECT_FALSE(read);
  reader.reset();
  context.restart();
  context.run();
  EXPECT_EQ(read, false);
}

TEST_F(FlightTest, WhatIsReadIsDroppedWhereAllFlightsTogetherHoldTooMuch) {
  auto flight = make_flight(), another = make_flight();
  Log log;
  flight->start({200, "", "", true});
  spawn(flight, log);
  flight->add("first");
  context.poll();
  EXPECT_TRUE(Flight::Reader(flight, context.get_executor()).from_the_start());
  another->add(std::string(kMostHeld, 'x'));
  flight->add("second");
  EXPECT_FALSE(Flight::Reader(flight, context.get_executor()).from_the_start());
  flight->complete("", std::nullopt);
  context.restart();
  context.run();
  EXPECT_THAT(log.pieces, ElementsAre("first", "second"));
  another.reset();  // What it held counts no more.
  auto third = make_flight();
  Log whole;
  spawn(third, whole);
  third->add("a");
  context.restart();
  context.poll();
  third->add("b");
  EXPECT_TRUE(Flight::Reader(third, context.get_executor()).from_the_start());
}

TEST_F(FlightTest, WhoWaitsForTheEndHoldsNothing) {
  auto flight = make_flight();
  Log log;
  spawn(flight, log);
  std::optional<Seen> seen;
  const auto wait = [&]() -> net::Task<void> {
    Flight::Reader reader(flight, context.get_executor());
    seen = co_await reader.end(kLong);
  };
  boost::asio::co_spawn(context, wait(), boost::asio::detached);
  flight->start({200, "", "", true});
  const std::size_t piece = kMostHeld / 8;
  for (int i = 0; i < 100; ++i) {
    flight->add(std::string(piece, 'x'));
    context.restart();
    context.poll();
    EXPECT_LE(held().count(), kMostHeld / 2 + piece);
  }
  EXPECT_FALSE(seen);
  flight->complete({}, std::nullopt);
  context.restart();
  context.run();
  EXPECT_EQ(log.pieces.size(), 100u);
  EXPECT_EQ(seen, Seen::end);
  flight.reset();
  EXPECT_EQ(held().count(), 0u);
}

TEST_F(FlightTest, WhatNobodyReadsIsDroppedToo) {
  auto flight = make_flight();
  flight->start({200, "", "", true});
  for (int i = 0; i < 100; ++i) flight->add(std::string(kMostHeld / 8, 'x'));
  EXPECT_LE(held().count(), kMostHeld / 2 + kMostHeld / 8);
  const auto kept = std::make_shared<const std::string>(kMostHeld / 4, 'y');
  const std::size_t before = held().count();
  flight->complete({}, Flight::Answered{kept, decide::Reuse::exact, {}});
  EXPECT_EQ(held().count(), before + kept->size());  // The answer waits for the store.
}

TEST_F(FlightTest, ReadersOfOtherThreadsSeeTheSame) {
  auto flight = make_flight();
  constexpr int kReaders = 4, kPieces = 2'000;
  std::vector<Log> logs(kReaders);
  std::vector<std::thread> threads;
  for (Log& log : logs)
    threads.emplace_back([&log, flight] {
      boost::asio::io_context own{1};
      boost::asio::co_spawn(own, read_all(flight, own.get_executor(), log), boost::asio::detached);
      own.run();
    });
  flight->start({200, "", "", true});
  for (int i = 0; i < kPieces; ++i) flight->add(std::to_string(i));
  flight->complete("end", std::nullopt);
  for (std::thread& thread : threads) thread.join();
  for (const Log& log : logs) {
    ASSERT_EQ(log.pieces.size(), kPieces + 1u);
    EXPECT_EQ(log.pieces[1'234], "1234");
    EXPECT_EQ(log.last, Seen::end);
  }
}

TEST(FlightsTest, TheSameTextIsFoundFirstAndTheNewestOfIt) {
  Flights flights(held());
  auto old = make_flight(), fresh = make_flight();
  flights.add(old);
  flights.add(fresh);
  auto match = flights.find("scope", "question", {}, {});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->flight, fresh);
  EXPECT_TRUE(match->same_text);
  match = flights.find("scope", "question", {}, {fresh});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->flight, old);
  EXPECT_FALSE(flights.find("scope", "question", {}, {fresh, old}));
  EXPECT_FALSE(flights.find("other scope", "question", {}, {}));
}

TEST(FlightsTest, TheNearestByMeaningIsFoundAmongThoseThatMayBeUsedSo) {
  Flights flights(held());
  auto near = make_flight("near"), nearer = make_flight("nearer"), exact = make_flight("exact", decide::Reuse::exact);
  const auto embedded = [](Flight& flight, float value) {
    auto embedding = std::make_shared<Embedding>();
    embedding->vector = {value};
    flight.set_embedding(embedding);
  };
  embedded(*near, 0.8f);
  embedded(*nearer, 0.9f);
  embedded(*exact, 1.0f);
  for (const auto& flight : {near, nearer, exact}) flights.add(flight);
  flights.add(make_flight("not embedded yet"));
  const Flights::Near decide = [](const Embedding& theirs) -> std::optional<Similarity> {
    if (theirs.vector[0] < 0.7f) return std::nullopt;
    return Similarity{theirs.vector[0]};
  };
  const auto match = flights.find("scope", "question", decide, {});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->flight, nearer);
  EXPECT_FALSE(match->same_text);
  EXPECT_FALSE(flights.find("scope", "question", {}, {}));
}

TEST(FlightsTest, SaysWhichFlightsCannotBeComparedYet) {
  Flights flights(held());
  auto compared = make_flight("a"), open = make_flight("b"), exact = make_flight("c", decide::Reuse::exact);
  compared->set_embedding(std::make_shared<Embedding>());
  for (const auto& flight : {compared, open, exact}) flights.add(flight);
  EXPECT_THAT(flights.unembedded("scope"), ElementsAre(open));
  EXPECT_TRUE(flights.unembedded("other scope").empty());
  for (int i = 0; i < 100; ++i) flights.add(make_flight(std::to_string(i)));
  EXPECT_EQ(flights.unembedded("scope").size(), 4u);  // However many there are, others wait for the encoder, too.
}

TEST(FlightsTest, WhoFindsNothingJoinsAndLeavesAgain) {
  Flights flights(held());
  auto mine = make_flight(), second = make_flight();
  EXPECT_FALSE(flights.find_or_add(mine, {}, {}));
  EXPECT_TRUE(flights.any("scope"));
  const auto match = flights.find_or_add(second, {}, {});
  ASSERT_TRUE(match);
  EXPECT_EQ(match->flight, mine);
  flights.remove(second);  // It never was there.
  EXPECT_TRUE(flights.any("scope"));
  flights.remove(mine);
  EXPECT_FALSE(flights.any("scope"));
}

// What an exception between joining and the call does, or the end of a coroutine that was never resumed.
TEST_F(FlightTest, ACallThatIsNeverBegunLeavesNobodyWaiting) {
  Flights flights(held());
  Log log;
  {
    FlightOwner owner(flights, {"scope", "question"});
    flights.add(owner.flight());
    spawn(owner.flight(), log);
    context.poll();
    const FlightOwner moved(std::move(owner));
    EXPECT_TRUE(flights.any("scope"));
  }
  EXPECT_FALSE(flights.any("scope"));
  context.restart();
  context.run();
  EXPECT_FALSE(log.head);
  EXPECT_EQ(log.last, Seen::failed);
}

TEST_F(FlightTest, AnAnswerThatIsThereOutlivesItsCall) {
  Flights flights(held());
  std::shared_ptr<Flight> flight;
  {
    const FlightOwner owner(flights, {"scope", "question"});
    flight = owner.flight();
    flights.add(flight);
    flight->start({200, "", "", false});
    flight->complete("whole", std::nullopt);
  }
  Log log;
  spawn(flight, log);
  context.run();
  EXPECT_EQ(log.last, Seen::end);
  EXPECT_FALSE(flights.any("scope"));
}

}  // namespace
}  // namespace sosie::gateway
