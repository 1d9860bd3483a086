#include "net/worker_pool.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <new>
#include <stdexcept>
#include <stop_token>
#include <string>

#include "base/log.h"

namespace sosie::net {
namespace {

namespace asio = boost::asio;

/// Keeps a worker busy until it goes.
class Busy {
 public:
  explicit Busy(WorkerPool& pool) {
    std::promise<void> begun;
    EXPECT_TRUE(pool.submit([this, &begun] {
      begun.set_value();
      over_.get_future().wait();
    }));
    begun.get_future().wait();
  }
  ~Busy() { over_.set_value(); }

 private:
  std::promise<void> over_;
};

TEST(WorkerPool, AJobThatThrowsEndsAlone) {
  base::set_log_level(base::LogLevel::off);
  WorkerPool pool(1, 8);
  asio::io_context context{1};
  const auto code_of = [&](std::function<int()> job) {
    std::optional<Result<int>> result;
    auto task = [&]() -> Task<void> {
      auto ran = co_await pool.run(context.get_executor(), std::move(job), after(Milliseconds{60'000}));
      result = std::move(ran);
    };
    asio::co_spawn(context, task(), asio::detached);
    context.restart();
    context.run();
    return *result ? std::string("none") : std::string(to_string(result->error().code));
  };
  EXPECT_EQ(code_of([]() -> int { throw std::bad_alloc(); }), "resource_exhausted");
  EXPECT_EQ(code_of([]() -> int { throw std::runtime_error("other"); }), "internal");
  EXPECT_EQ(code_of([]() -> int { throw 1; }), "internal");
  EXPECT_EQ(code_of([] { return 1; }), "none");
  EXPECT_TRUE(pool.submit([] { throw std::bad_alloc(); }));
  EXPECT_EQ(code_of([] { return 1; }), "none");
  base::set_log_level(base::LogLevel::info);
}

TEST(WorkerPool, TheMostUrgentComesFirst) {
  WorkerPool pool(1, 2);
  std::string order;
  {
    Busy busy(pool);
    const auto note = [&](char what) { return [&order, what] { order.push_back(what); }; };
    EXPECT_TRUE(pool.submit(note('b'), Urgency::bulk));
    EXPECT_TRUE(pool.submit(note('B'), Urgency::bulk));
    EXPECT_FALSE(pool.submit(note('x'), Urgency::bulk));
    EXPECT_TRUE(pool.submit(note('l'), Urgency::later));
    EXPECT_TRUE(pool.submit(note('L'), Urgency::later));
    EXPECT_FALSE(pool.submit(note('x'), Urgency::later));
    EXPECT_EQ(pool.queued(), 0u);
    EXPECT_TRUE(pool.submit(note('n'))) << "full of the others is not full";
    EXPECT_TRUE(pool.submit(note('N')));
    EXPECT_FALSE(pool.submit(note('x')));
    EXPECT_EQ(pool.queued(), 2u);
  }
  pool.join();
  EXPECT_EQ(order, "nNlLbB");
}

TEST(WorkerPool, WhatIsStoppedIsNotBegun) {
  WorkerPool pool(1, 8);
  asio::io_context context{1};
  std::stop_source source;
  bool ran_job = false;
  std::optional<Result<int>> result;
  auto task = [&]() -> Task<void> {
    auto ran = co_await pool.run<int>(
        context.get_executor(), [&ran_job] { return ran_job = true, 1; }, SteadyTime::max(), Urgency::bulk, source.get_token());
    result = std::move(ran);
  };
  {
    Busy busy(pool);
    asio::co_spawn(context, task(), asio::detached);
    asio::post(context, [&] { source.request_stop(); });
    context.run();
  }
  pool.join();
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().code, ErrorCode::cancelled);
  EXPECT_FALSE(ran_job);
}

}  // namespace
}  // namespace sosie::net
