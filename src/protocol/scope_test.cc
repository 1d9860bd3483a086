#include "protocol/scope.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "protocol/json.h"

namespace sosie::protocol {
namespace {

TEST(Scope, IsItsPartsWhateverTheirOrder) {
  Scope one, other;
  one.add("a", std::int64_t{1});
  one.add("b", "x");
  other.add("b", "x");
  JsonReader reader;
  other.add("a", *reader.read_copy("1.0"));
  EXPECT_EQ(one.digest(), other.digest());
  other.clear();
  EXPECT_NE(one.digest(), other.digest());
  EXPECT_EQ(Scope().digest(), other.digest());
}

TEST(Scope, NothingRunsIntoItsNeighbour) {
  const auto digest = [](std::initializer_list<std::pair<const char*, const char*>> parts) {
    Scope scope;
    for (const auto& [name, bytes] : parts) scope.add(name, bytes);
    return scope.digest();
  };
  EXPECT_NE(digest({{"a", "bc"}}), digest({{"ab", "c"}}));
  EXPECT_NE(digest({{"a", "b"}, {"c", "d"}}), digest({{"a", "bcd"}}));
  EXPECT_NE(digest({{"a", ""}}), digest({}));
  EXPECT_NE(digest({{"a", "1"}, {"a", "2"}}), digest({{"a", "2"}, {"a", "1"}}));
}

TEST(Scope, WritesPiecewiseAndForgets) {
  Scope pieces, whole;
  pieces.open("gone").append("never");
  pieces.drop();
  pieces.open("history").append("ab").append("cd");
  pieces.close();
  whole.add("history", "abcd");
  EXPECT_EQ(pieces.digest(), whole.digest());
  ASSERT_EQ(pieces.parts().size(), 1u);
  EXPECT_EQ(pieces.parts()[0].hash, whole.parts()[0].hash);
}

TEST(Scope, TakesOutPartsAndOneApisOwn) {
  Scope scope, rest;
  for (const char* name : {"metadata", "chat.metadata", "header.metadata", "xmetadata"}) scope.add(name, "x");
  for (const char* name : {"header.metadata", "xmetadata"}) rest.add(name, "x");
  scope.remove("metadata");
  EXPECT_EQ(scope.digest(), rest.digest());
}

TEST(Scope, ShowsWhatIsShortAndNoSecret) {
  JsonReader reader;
  Scope scope;
  scope.add("number", *reader.read_copy("0.50"));
  scope.add("text", *reader.read_copy(R"("1234567890123456789012345678901234567890")"));
  scope.add("long", *reader.read_copy(R"("12345678901234567890123456789012345678901")"));
  scope.add("list", *reader.read_copy("[1]"));
  scope.add("word", "a \"b\"");
  scope.add("key", "secret", true);
  scope.open("history").append("hi");
  scope.close();
  std::string shown;
  for (const ScopePart& part : scope.parts()) shown += part.name + "=" + part.shown + "\n";
  EXPECT_EQ(shown,
            "history=\nkey=\nlist=\nlong=\nnumber=0.5\ntext=\"1234567890123456789012345678901234567890\"\nword=\"a \\\"b\\\"\"\n");
}

TEST(Scope, RemembersSoMuchOfARequestAndNoMore) {
  Scope one, other;
  for (Scope* scope : {&one, &other}) {
    for (int i = 0; i < 1'000; ++i) scope->add("chat.f" + std::to_string(i), std::string_view("v"));
    scope->add("chat." + std::string(100'000, 'n'), std::string_view("v"));
    scope->add("tenant", scope == &one ? std::string_view("a") : std::string_view("b"), true);
  }
  const auto parts = one.parts(), others = other.parts();
  EXPECT_EQ(parts.size(), 129u);
  for (const ScopePart& part : parts) EXPECT_LE(part.name.size(), 128u);
  EXPECT_TRUE(std::is_sorted(parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.name < b.name; }));
  EXPECT_EQ(parts.back().name, "~more");
  EXPECT_NE(parts.back().hash, others.back().hash);
}

}  // namespace
}  // namespace sosie::protocol
