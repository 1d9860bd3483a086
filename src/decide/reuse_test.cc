#include "decide/reuse.h"

#include <gtest/gtest.h>

#include <functional>

namespace sosie::decide {
namespace {

constexpr std::string_view kQuestion = "How do I reset my password?";

TEST(Reuse, IsByMeaningWhereNothingSpeaksAgainstIt) {
  const Verdict verdict = judge_request({}, {}, kQuestion);
  EXPECT_EQ(verdict.reuse, Reuse::by_meaning);
  EXPECT_EQ(verdict.reason, Reason::none);
}

TEST(Reuse, HasADocumentedDefaultForEachTrait) {
  struct Case {
    std::function<void(Traits&)> set;
    Reuse reuse;
    Reason reason;
  };
  const Case cases[] = {
      {[](Traits& t) { t.choices = 3; }, Reuse::by_meaning, Reason::none},
      {[](Traits& t) { t.completion = true; }, Reuse::by_meaning, Reason::none},
      {[](Traits& t) { t.temperature = 1; }, Reuse::by_meaning, Reason::none},
      {[](Traits& t) { t.functions = {"delete_all"}; }, Reuse::by_meaning, Reason::none},
      {[](Traits& t) { t.logprobs = true; }, Reuse::exact, Reason::logprobs},
      {[](Traits& t) { t.seed = true; }, Reuse::exact, Reason::seed},
      {[](Traits& t) { t.open_turn = true; }, Reuse::exact, Reason::open_turn},
      {[](Traits& t) { t.no_text = true; }, Reuse::exact, Reason::no_text},
      {[](Traits& t) { t.embeddings = true; }, Reuse::exact, Reason::embeddings},
      {[](Traits& t) { t.temperature = 1.01; }, Reuse::never, Reason::high_temperature},
      {[](Traits& t) { t.hosted_tools = true; }, Reuse::never, Reason::hosted_tools},
      {[](Traits& t) { t.hidden_state = true; }, Reuse::never, Reason::hidden_state},
  };
  for (const Case& each : cases) {
    Traits traits;
    each.set(traits);
    const Verdict verdict = judge_request({}, traits, kQuestion);
    EXPECT_EQ(verdict.reuse, each.reuse) << to_string(each.reason);
    EXPECT_EQ(verdict.reason, each.reason);
  }
}

TEST(Reuse, TakesTheStrictestRule) {
  Traits traits;
  traits.seed = true;
  traits.temperature = 2;
  EXPECT_EQ(judge_request({}, traits, kQuestion).reason, Reason::high_temperature);
  traits.temperature = 0;
  EXPECT_EQ(judge_request({}, traits, "Who won today?").reason, Reason::time_bound);
  ReusePolicy policy;
  policy.time_bound = Reuse::exact;
  EXPECT_EQ(judge_request(policy, traits, "Who won today?").reason, Reason::seed);
  traits.seed = false;
  EXPECT_EQ(judge_request(policy, traits, "Who won today?").reason, Reason::time_bound);
  policy.time_bound = Reuse::by_meaning;
  EXPECT_EQ(judge_request(policy, traits, "Who won today?").reuse, Reuse::by_meaning);
}

TEST(Reuse, FollowsTheSettings) {
  ReusePolicy policy;
  policy.several_choices = Reuse::never;
  policy.completions = Reuse::exact;
  policy.high_temperature = Reuse::exact;
  policy.high_temperature_above = 0.5;
  Traits traits;
  traits.choices = 2;
  EXPECT_EQ(judge_request(policy, traits, kQuestion).reason, Reason::several_choices);
  traits = {};
  traits.completion = true;
  EXPECT_EQ(judge_request(policy, traits, kQuestion).reason, Reason::high_temperature);  // 1 is above 0.5
  traits.temperature = 0.5;
  EXPECT_EQ(judge_request(policy, traits, kQuestion).reason, Reason::completions);
}

TEST(Reuse, AVectorDoesNotDependOnTheTime) {
  Traits traits;
  traits.embeddings = true;
  EXPECT_EQ(judge_request({}, traits, "the weather today").reason, Reason::embeddings);
}

TEST(Reuse, JudgesAnAnswerByItsMostDangerousTool) {
  EXPECT_EQ(judge_answer({}, {}).reuse, Reuse::by_meaning);
  EXPECT_EQ(judge_answer({}, {"get_weather"}).reuse, Reuse::exact);
  EXPECT_EQ(judge_answer({}, {"get_weather"}).reason, Reason::read_tools);
  EXPECT_EQ(judge_answer({}, {"get_weather", "send_mail"}).reason, Reason::write_tools);
  EXPECT_EQ(judge_answer({}, {"get_weather", "send_mail"}).reuse, Reuse::never);
  ReusePolicy policy;
  policy.tools.pure = {"get_*"};
  EXPECT_EQ(judge_answer(policy, {"get_weather"}).reuse, Reuse::by_meaning);
  policy.pure_tool_call = Reuse::exact;
  EXPECT_EQ(judge_answer(policy, {"get_weather"}).reason, Reason::pure_tools);
}

TEST(Tools, AreKnownByTheirVerbs) {
  for (const char* name : {"send_mail",
                           "deleteUser",
                           "create-issue",
                           "mcp__github__create_issue",
                           "orders.cancel",
                           "executeSQL",
                           "run",
                           "bash",
                           "HTTPPost",
                           "transfer",
                           "user_delete",
                           "get_and_delete_user",
                           "list_create",
                           "book_flight",
                           "pay",
                           "placeOrder",
                           "update",
                           "addToCart",
                           "functions.send_email",
                           "EXECUTE"})
    EXPECT_EQ(class_of({}, name), ToolClass::write) << name;
  for (const char* name : {"get_weather", "getOrder", "list_orders", "search", "lookup_order", "read_mail", "find-post",
                           "checkOrder", "calculate", "github_get_order", "weather", "", "_", "fetchBook",
                           "count_calls", "describeTransfer", "settings", "address", "runner"})
    EXPECT_EQ(class_of({}, name), ToolClass::read) << name;
}

TEST(Tools, AreWhatTheListsSayWriteFirst) {
  ToolPolicy policy;
  policy.pure = {"*"};
  EXPECT_EQ(class_of(policy, "send_mail"), ToolClass::pure);
  policy.read = {"*_mail"};
  EXPECT_EQ(class_of(policy, "send_mail"), ToolClass::read);
  policy.write = {"send_*"};
  EXPECT_EQ(class_of(policy, "send_mail"), ToolClass::write);
  EXPECT_EQ(class_of(policy, "get_time"), ToolClass::pure);
}

TEST(Reuse, IsWrittenAsInTheConfiguration) {
  EXPECT_EQ(to_string(Reuse::by_meaning), "semantic");
  EXPECT_EQ(to_string(Reuse::exact), "exact");
  EXPECT_EQ(to_string(Reuse::never), "bypass");
}

}  // namespace
TEST(Judge, AQuestionOfTheTimeIsLeftToTheToolThatLooks) {
  const ReusePolicy policy;
  Traits traits;
  EXPECT_EQ(judge_request(policy, traits, "What is the weather in Oslo today?").reuse, Reuse::never);
  traits.functions = {"get_weather"};
  const Verdict verdict = judge_request(policy, traits, "What is the weather in Oslo today?");
  EXPECT_EQ(verdict.reuse, Reuse::exact);
  EXPECT_EQ(verdict.reason, Reason::time_bound);
  EXPECT_EQ(judge(policy, verdict, {"get_weather"}), Reuse::exact);
  EXPECT_EQ(judge(policy, verdict, {"set_alarm"}), Reuse::never);
  EXPECT_EQ(judge(policy, verdict, {}), Reuse::never);  // A text says what was true then.
  traits.seed = true;
  EXPECT_EQ(judge(policy, judge_request(policy, traits, "What is the weather in Oslo today?"), {}), Reuse::never);
}

TEST(Judge, AnAnswerIsAsStrictAsTheStricterOfRequestAndAnswer) {
  const ReusePolicy policy;
  EXPECT_EQ(judge(policy, {}, {}), Reuse::by_meaning);
  EXPECT_EQ(judge(policy, {}, {"get_order"}), Reuse::exact);
  EXPECT_EQ(judge(policy, {Reuse::exact, Reason::seed}, {}), Reuse::exact);
  EXPECT_EQ(judge(policy, {Reuse::never, Reason::hosted_tools}, {}), Reuse::never);
}

}  // namespace sosie::decide
