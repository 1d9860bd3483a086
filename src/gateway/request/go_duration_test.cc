#include "gateway/request/go_duration.h"

#include <gtest/gtest.h>

namespace sosie::gateway {
namespace {

using namespace std::chrono_literals;

TEST(GoDuration, ReadsWhatGoReads) {
  EXPECT_EQ(read_go_duration("30s"), 30s);
  EXPECT_EQ(read_go_duration("5m"), 5min);
  EXPECT_EQ(read_go_duration("1h30m"), 90min);
  EXPECT_EQ(read_go_duration("1.5h"), 90min);
  EXPECT_EQ(read_go_duration(".5s"), 500ms);
  EXPECT_EQ(read_go_duration("+250ms"), 250ms);
  EXPECT_EQ(read_go_duration("2000us"), 2ms);
  EXPECT_EQ(read_go_duration("2000µs"), 2ms);
  EXPECT_EQ(read_go_duration("1ns"), 0ms);
}

TEST(GoDuration, RefusesTheRest) {
  for (const char* text :
       {"", "+", "s", "5", "-5s", "5 s", "5x", "5s5", "infs", "nans", "1e3s", "999999999999h", "0x5s", "5s ", "."})
    EXPECT_EQ(read_go_duration(text), std::nullopt) << text;
}

}  // namespace
}  // namespace sosie::gateway
