#include "protocol/growing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

namespace sosie::protocol {
namespace {

/// Of this thread's: others at work on the machine do not count.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double fastest_of_three(const Growing& growing, const std::string& text) {
  JsonReader reader;
  Scope scope;
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double begin = cpu_seconds();
    static_cast<void>(read_growing(growing, reader, scope, text));
    best = std::min(best, cpu_seconds() - begin);
  }
  return best;
}

TEST(Growing, SixteenTimesTheSizeTakesNowhereNearTheSquareOfThat) {
  constexpr std::size_t kSmall = 1'000, kTimes = 16;
  for (const Growing& growing : all_that_grow()) {
    const double small = fastest_of_three(growing, growing.make(kSmall)), large = fastest_of_three(growing, growing.make(kSmall * kTimes));
    EXPECT_LT(large, small * kTimes * 5) << growing.name;  // Squared it would be 16 times that, less what grows linearly.
  }
}

TEST(Growing, IsReadAndKeptUpToTheBoundAndRefusedBeyond) {
  JsonReader reader;
  Scope scope;
  for (const Growing& growing : all_that_grow()) {
    const bool is_kept = growing.name != "chat: a stream of fields";
    EXPECT_EQ(read_growing(growing, reader, scope, growing.make(1'000)), is_kept) << growing.name;
  }
  for (const Growing& growing : all_that_grow()) {
    if (growing.side != Side::request || growing.head.ends_with(R"("stop":[)") || growing.surface == Surface::completions || growing.surface == Surface::embeddings) continue;
    Question question;
    simdjson::dom::object object;
    const auto root = reader.read_copy(growing.make(50'001));
    ASSERT_TRUE(root && root->get_object().get(object) == simdjson::SUCCESS) << growing.name;
    scope.clear();
    const auto bad = protocol_of(growing.surface).read(object, {}, question, scope);
    ASSERT_TRUE(bad) << growing.name;
    EXPECT_TRUE(bad->unreadable) << growing.name;  // The upstream may read it.
  }
}

TEST(Growing, AnObjectOfManyMembersIsNotRead) {
  JsonReader reader;
  const auto object_of = [](std::size_t count) {
    std::string json = R"({"a":{)";
    for (std::size_t i = 0; i < count; ++i) json += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
    return json + "}}";
  };
  EXPECT_TRUE(reader.read_copy(object_of(kMaxMembers)));
  EXPECT_FALSE(reader.read_copy(object_of(kMaxMembers + 1)));
  EXPECT_EQ(reader.why(), "has an object of too many members");
  EXPECT_FALSE(reader.read_copy("{"));
  EXPECT_EQ(reader.why(), "is not valid JSON");
}

}  // namespace
}  // namespace sosie::protocol
