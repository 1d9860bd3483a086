#include "net/held_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sosie::net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class HeldBytesTest : public testing::Test {
 protected:
  /// Clients that are gone as soon as they are ended.
  struct Client {
    std::optional<HeldBytes::Waiting> waiting;
  };
  void wait(Client& client, std::string name, std::size_t bytes) {
    client.waiting.emplace(held, bytes, context.get_executor(), [this, &client, name] {
      ended.push_back(name);
      client.waiting.reset();
    });
  }
  void run() {
    context.restart();
    context.poll();
  }

  boost::asio::io_context context{1};
  HeldBytes held{100};
  std::vector<std::string> ended;
  Client a, b, c;
};

TEST_F(HeldBytesTest, TheSlowestIsEndedAndOnlyAsManyAsMustBe) {
  wait(a, "a", 40);
  wait(b, "b", 30);
  wait(c, "c", 30);
  run();
  EXPECT_THAT(ended, IsEmpty());  // The limit itself is not too much.
  a.waiting->took();
  held.add(20);
  run();
  EXPECT_THAT(ended, ElementsAre("b"));
  EXPECT_EQ(held.count(), 90u);
  held.add(50);
  run();
  EXPECT_THAT(ended, ElementsAre("b", "c", "a"));
  EXPECT_EQ(held.count(), 70u);
  EXPECT_EQ(held.ended(), 3u);
}

TEST_F(HeldBytesTest, WhatAnEndedClientHeldElsewhereCountsBeforeTheNextIsEnded) {
  held.add(80);  // Held for `a`, not by its socket.
  a.waiting.emplace(held, 10, context.get_executor(), [this] {
    ended.push_back("a");
    a.waiting.reset();
    held.remove(80);  // As its coroutine ends.
  });
  wait(b, "b", 20);
  held.add(5);
  run();
  EXPECT_THAT(ended, ElementsAre("a"));
  EXPECT_EQ(held.count(), 25u);
}

TEST_F(HeldBytesTest, NobodyIsEndedWhoHasTakenItAllMeanwhile) {
  wait(a, "a", 60);
  wait(b, "b", 60);
  a.waiting.reset();
  run();
  EXPECT_THAT(ended, IsEmpty());
  held.add(50);  // And the next is ended none the less.
  run();
  EXPECT_THAT(ended, ElementsAre("b"));
}

TEST_F(HeldBytesTest, SaysWhenItBecomesTight) {
  held.add(50);
  EXPECT_FALSE(held.tight());
  held.add(1);
  EXPECT_TRUE(held.tight());
  EXPECT_FALSE(held.full());
  held.add(1'000);  // Nobody can be ended.
  EXPECT_TRUE(held.full());
  run();
  EXPECT_EQ(held.ended(), 0u);
  held.remove(1'051);
  EXPECT_FALSE(held.tight());
}

TEST_F(HeldBytesTest, WhoMakesALongReplyWaitsForRoom) {
  std::optional<bool> first, second;
  const auto wait = [&](std::optional<bool>& room, SteadyTime until) -> Task<void> {
    room = co_await held.room(context.get_executor(), until);
  };
  held.add(101);
  boost::asio::co_spawn(context, wait(first, after(Milliseconds{60'000})), boost::asio::detached);
  boost::asio::co_spawn(context, wait(second, SteadyTime::min()), boost::asio::detached);
  run();
  EXPECT_FALSE(first);
  EXPECT_EQ(second, false);
  held.remove(1);
  context.restart();
  context.run();
  EXPECT_EQ(first, true);
}

}  // namespace
}  // namespace sosie::net
