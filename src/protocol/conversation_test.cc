#include "protocol/conversation.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

#include "protocol/json.h"

namespace sosie::protocol {
namespace {

using Write = std::function<void(Turns&)>;

std::string written(const Write& write) {
  std::string out;
  Turns turns(out);
  write(turns);
  return out;
}

Write message(Role role, std::vector<std::string> texts) {
  return [=](Turns& turns) {
    turns.begin(role);
    for (const auto& text : texts) turns.text(text);
    turns.end();
  };
}

TEST(Turns, JoinTextsAsOneStringDoes) {
  EXPECT_EQ(written(message(Role::user, {"a", "b"})), written(message(Role::user, {"a\nb"})));
  EXPECT_EQ(written(message(Role::user, {"", "a", ""})), written(message(Role::user, {"a"})));
  EXPECT_NE(written(message(Role::user, {"a", "b\nc"})), written(message(Role::user, {"a\nb", "c"})));
  EXPECT_NE(written(message(Role::user, {"ab"})), written(message(Role::user, {"a", "b"})));
}

TEST(Turns, KeepRolesAndBordersApart) {
  JsonReader reader;
  const auto one = *reader.read_copy("1");
  std::set<std::string> all;
  const std::vector<Write> different = {
      message(Role::user, {"a"}),
      message(Role::system, {"a"}),
      message(Role::assistant, {"a"}),
      message(Role::tool, {"a"}),
      message(Role::user, {}),
      [](Turns& turns) { message(Role::user, {"a"})(turns), message(Role::user, {"a"})(turns); },
      [](Turns& turns) { turns.begin(Role::user, "n"), turns.text("a"), turns.end(); },
      [&](Turns& turns) { turns.begin(Role::user), turns.text("a"), turns.other("image", one), turns.end(); },
      [&](Turns& turns) { turns.begin(Role::user), turns.other("image", one), turns.text("a"), turns.end(); },
      [&](Turns& turns) { turns.begin(Role::user), turns.text("a"), turns.field("image", one), turns.end(); },
      [](Turns& turns) { turns.begin(Role::assistant), turns.tool_call("i", "f", "{}"), turns.end(); },
      [](Turns& turns) { turns.begin(Role::assistant), turns.tool_call("i", "f", "{"), turns.end(); },
      [](Turns& turns) { turns.begin(Role::assistant), turns.tool_call("i", "f", "\"{\""), turns.end(); },
      [](Turns& turns) { turns.begin(Role::tool), turns.tool_result("i"), turns.end(); },
  };
  for (const Write& write : different) EXPECT_TRUE(all.insert(written(write)).second) << all.size();
}

TEST(Turns, NumberCallsAndRememberWhichIsAnswered) {
  const auto conversation = [](std::string first, std::string second, std::string answered) {
    return written([=](Turns& turns) {
      turns.begin(Role::assistant);
      turns.tool_call(first, "f", R"({"a": 1, "b": 2})");
      turns.tool_call(second, "f", R"({"b":2,"a":1})");
      turns.end();
      turns.begin(Role::tool);
      turns.tool_result(answered);
      turns.text("x");
      turns.end();
    });
  };
  EXPECT_EQ(conversation("a", "b", "a"), conversation("call_1", "call_2", "call_1"));
  EXPECT_NE(conversation("a", "b", "a"), conversation("a", "b", "b"));
  EXPECT_NE(conversation("a", "b", "c"), conversation("a", "b", "d"));
}

TEST(Turns, FieldsHaveNoOrder) {
  JsonReader reader;
  const auto one = *reader.read_copy("1");
  const auto fields = [&](const char* first, const char* second) {
    return written([=](Turns& turns) {
      turns.begin(Role::user);
      turns.field(first, one);
      turns.text("x");
      turns.field(second, one);
      turns.end();
    });
  };
  EXPECT_EQ(fields("a", "b"), fields("b", "a"));
  EXPECT_NE(fields("a", "b"), fields("a", "c"));
}

TEST(AskedTurn, GivesItsTextAwayAndIsNothingElse) {
  const auto asked = [](const std::vector<std::string>& texts) {
    std::string out, prompt;
    Turns turns(out);
    turns.begin_asked(prompt);
    for (const auto& text : texts) turns.text(text);
    turns.end();
    return std::pair(prompt, out);
  };
  EXPECT_EQ(asked({"a"}), std::pair(std::string("a"), std::string()));
  EXPECT_EQ(asked({"a", "b"}), asked({"a\nb"}));
  EXPECT_EQ(asked({"a", "b\nc"}).first, asked({"a\nb", "c"}).first);
  EXPECT_NE(asked({"a", "b\nc"}).second, asked({"a\nb", "c"}).second);
}

TEST(AskedTurn, SaysWhatSurroundsTheText) {
  JsonReader reader;
  const auto one = *reader.read_copy("1");
  std::string out, prompt;
  Turns turns(out);
  turns.begin_asked(prompt);
  turns.text("a");
  turns.other("image", one);
  turns.text("b");
  turns.end();
  EXPECT_EQ(prompt, "a\nb");
  const std::string around = out;
  out.clear();
  prompt.clear();
  turns.begin_asked(prompt);
  turns.text("other");
  turns.other("image", one);
  turns.text("words");
  turns.end();
  EXPECT_EQ(out, around);
  out.clear();
  prompt.clear();
  turns.begin_asked(prompt);
  turns.other("image", one);
  turns.text("a");
  turns.end();
  EXPECT_NE(out, around);
}

std::string digest(const std::function<void(Scope&, JsonReader&)>& add) {
  Scope scope;
  JsonReader reader;
  add(scope, reader);
  return base::to_hex(scope.digest());
}

TEST(Parameters, DefaultsAddNothing) {
  const std::string empty = digest([](Scope&, JsonReader&) {});
  EXPECT_EQ(digest([](Scope& scope, JsonReader& reader) { add_temperature(scope, *reader.read_copy("1.0")); }), empty);
  EXPECT_EQ(digest([](Scope& scope, JsonReader& reader) { add_top_p(scope, *reader.read_copy("1")); }), empty);
  EXPECT_EQ(digest([](Scope& scope, JsonReader& reader) { add_stop(scope, *reader.read_copy("[]")); }), empty);
  EXPECT_EQ(digest([](Scope& scope, JsonReader&) { add_tool_choice(scope, ToolChoice::automatic); }), empty);
  EXPECT_NE(digest([](Scope& scope, JsonReader& reader) { add_temperature(scope, *reader.read_copy("\"1\"")); }), empty);
  const auto stop = [](const char* json) {
    return digest([=](Scope& scope, JsonReader& reader) { add_stop(scope, *reader.read_copy(json)); });
  };
  EXPECT_EQ(stop(R"("x")"), stop(R"(["x"])"));
  EXPECT_EQ(stop(R"(["x","y"])"), stop(R"(["y","x","y"])"));
  EXPECT_NE(stop(R"("x")"), stop(R"("y")"));
  EXPECT_NE(stop(R"(["x","y"])"), stop(R"("x\",\"y")"));
  EXPECT_NE(digest([](Scope& scope, JsonReader&) { add_tool_choice(scope, ToolChoice::none); }),
            digest([](Scope& scope, JsonReader&) { add_tool_choice(scope, ToolChoice::function, "none"); }));
}

}  // namespace
}  // namespace sosie::protocol
