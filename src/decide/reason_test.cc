#include "decide/reason.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace sosie::decide {
namespace {

TEST(Reason, EachHasANameAndWords) {
  EXPECT_EQ(to_string(Reason::none), "");
  std::set<std::string_view> words;
  for (std::size_t i = 1; i < kReasons; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_NE(to_string(reason), "") << i;
    EXPECT_NE(in_words(reason), "") << to_string(reason);
    EXPECT_TRUE(words.insert(in_words(reason)).second) << to_string(reason);
  }
}

TEST(Reason, NamesAreWhatHeadersAndMetricsMayHold) {
  for (std::size_t i = 1; i < kReasons; ++i) {
    const std::string_view name = to_string(static_cast<Reason>(i));
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos) << name;
  }
}

// One name: of a request that wants them, and of an answer in whose pieces they cannot be joined.
TEST(Reason, LogprobsAreTwoReasonsOfOneName) {
  EXPECT_EQ(to_string(Reason::logprobs), to_string(Reason::split_logprobs));
  EXPECT_NE(in_words(Reason::logprobs), in_words(Reason::split_logprobs));
}

}  // namespace
}  // namespace sosie::decide
