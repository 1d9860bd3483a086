#include "gateway/upstream/calls.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "gateway/inflight/shared_calls.h"

namespace sosie::gateway {
namespace {

class CallsTest : public testing::Test {
 protected:
  std::shared_ptr<Calls::Call> begin() { return calls.begin(context.get_executor()); }
  bool stopped(const std::shared_ptr<Calls::Call>& call) {
    context.restart();
    context.poll();
    return call->stop_token().stop_requested();
  }

  boost::asio::io_context context{1};
  Calls calls{2};
};

TEST_F(CallsTest, ThereAreNoMoreThanAllowed) {
  auto a = begin(), b = begin();
  ASSERT_TRUE(a && b);
  EXPECT_FALSE(begin());
  EXPECT_EQ(calls.count(), 2u);
  a.reset();
  EXPECT_TRUE(begin());  // And is over at once.
  EXPECT_EQ(calls.count(), 1u);
  EXPECT_FALSE(stopped(b));
}

TEST_F(CallsTest, WhatNobodyWaitsForGivesWayTheLongestSoFirst) {
  auto a = begin(), b = begin();
  b->set_awaited(false);
  a->set_awaited(false);
  auto c = begin();
  ASSERT_TRUE(c);
  EXPECT_TRUE(stopped(b));
  EXPECT_FALSE(stopped(a));
  a->set_awaited(true);  // Somebody has joined it.
  EXPECT_FALSE(begin());
  b->set_awaited(true);  // Too late, and of no effect.
  b.reset();
  EXPECT_EQ(calls.count(), 2u);
  a->set_awaited(false);
  a.reset();
  EXPECT_TRUE(begin());
}

TEST_F(CallsTest, AFlightSaysWhetherAnybodyReads) {
  net::HeldBytes held(1'000);
  const auto forward = [&](bool only_for_readers) {
    auto shared_call = std::make_shared<SharedCall>(SharedCall::Asked{}, held);
    auto call = begin();
    shared_call->set_call(call, only_for_readers);
    return std::pair(shared_call, call);
  };
  {
    const auto [shared_call, call] = forward(true);
    {
      SharedCall::Subscriber first(shared_call, context.get_executor());
      { SharedCall::Subscriber second(shared_call, context.get_executor()); }
      EXPECT_FALSE(stopped(call));
    }
    EXPECT_TRUE(stopped(call));
  }
  {
    const auto [shared_call, call] = forward(false);
    { SharedCall::Subscriber reader(shared_call, context.get_executor()); }
    EXPECT_FALSE(stopped(call));
    { SharedCall::Subscriber again(shared_call, context.get_executor()); }
    shared_call->serve_subscribers_only();  // Its answer will not be kept after all.
    EXPECT_TRUE(stopped(call));
  }
  const auto [shared_call, call] = forward(false);
  shared_call->complete({}, std::nullopt);
  EXPECT_EQ(call.use_count(), 1);  // The call is over.
}

}  // namespace
}  // namespace sosie::gateway
