#include "base/number.h"

#include <gtest/gtest.h>

#include "base/comma_locale.h"

namespace sosie::base {
namespace {

TEST(Number, IsReadWholeOrNotAtAll) {
  SOSIE_UNDER_COMMA_LOCALE();
  EXPECT_EQ(read_double("0.31"), 0.31);
  EXPECT_EQ(read_double("-1e-3"), -1e-3);
  EXPECT_EQ(read_double("5"), 5);
  for (const char* bad : {"", "0,31", "0.31 ", " 1", "1x", "1e999", "+1"}) EXPECT_FALSE(read_double(bad)) << bad;
}

TEST(Number, IsWrittenWithAPoint) {
  SOSIE_UNDER_COMMA_LOCALE();
  EXPECT_EQ(to_text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(to_text(0.5), "0.5");
  EXPECT_EQ(to_text(0.8, 6), "0.800000");
}

}  // namespace
}  // namespace sosie::base
