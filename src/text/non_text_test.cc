#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "text/contract_vectors.h"
#include "text/prompt.h"

namespace sosie::text {
namespace {

std::string parts(const std::string& kwargs) {
  const auto found = non_text_parts(kwargs);
  EXPECT_TRUE(found) << kwargs;
  return found ? *found : "error";
}
std::string of_messages(const std::string& messages) { return parts(R"({"messages": [)" + messages + "]}"); }
std::string of_content(const std::string& blocks) {
  return of_messages(R"({"role": "user", "content": [)" + blocks + "]}");
}
std::string of_input(const std::string& input) { return parts(R"({"input": )" + input + "}"); }

void expect_all_different(const std::vector<std::string>& texts) {
  std::set<std::string> seen = {""};
  for (const std::string& text : texts) EXPECT_TRUE(seen.insert(text).second) << text;
}

// Upstream takes the answer to one image for the answer to another (docs: contract, found bug 1).
TEST(NonText, TwoImageQuestionsNeverShareAnAnswer) {
  const std::string text = R"({"type": "text", "text": "what is this?"})";
  const auto image = [](const std::string& url) {
    return R"({"type": "image_url", "image_url": {"url": ")" + url + R"("}})";
  };
  const auto source = [](const std::string& data) {
    return R"({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ")" + data + R"("}})";
  };
  expect_all_different({of_content(text + "," + image("a")), of_content(text + "," + image("b")),
                        of_content(image("a") + "," + image("b")), of_content(image("b") + "," + image("a")),
                        of_content(image("a")), of_content(image("a") + "," + image("a")), of_content(source("a")),
                        of_content(source("b")), of_content(R"({"type": "image_url", "image_url": "a"})"),
                        of_content(R"({"type": "image_url"})"), of_content(image("a") + "," + text),
                        of_content(image("a") + "," + text + "," + image("b"))});
}

TEST(NonText, EveryKindOfPartCounts) {
  expect_all_different({
      of_content(R"({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}})"),
      of_content(R"({"type": "video_url", "video_url": {"url": "v"}})"),
      of_content(R"({"type": "file", "file": {"file_id": "f"}})"),
      of_content(R"({"type": "document", "source": {"type": "text", "data": "d"}})"),
      of_content(R"({"type": "document", "source": {"type": "text", "data": "e"}})"),
      of_content(R"({"type": "document", "text": "seen", "title": "t"})"),
      of_content(R"({"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}})"),
      of_content(R"({"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 2}})"),
      of_content(R"({"type": "tool_use", "id": "t1", "name": "g", "input": {"x": 1}})"),
      of_content(R"({"type": "thinking", "thinking": "hm"})"),
      of_content(R"({"type": "refusal", "refusal": "no"})"),
      of_content(R"({"type": "tool_result", "tool_use_id": "t", "is_error": true, "content": "x"})"),
      of_content(
          R"({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"data": "A"}}]})"),
      of_content(
          R"({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": {"data": "B"}}]})"),
      of_content(R"({"type": "never_heard_of", "n": 1})"),
      of_content(R"({"type": "never_heard_of", "text": "seen"})"),
      of_content(R"({"type": "text", "text": ["unseen"]})"),
      of_content(R"("a string in a list")"),
      of_content(R"([{"type": "text", "text": "a list in a list"}])"),
      of_messages(R"({"role": "assistant", "content": null, "refusal": "no"})"),
      of_messages(R"({"role": "assistant", "audio": {"id": "a1"}})"),
      of_messages(R"({"role": "assistant", "audio": {"id": "a2"}})"),
      of_messages(R"({"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}})"),
      of_messages(R"({"role": "assistant", "function_call": {"name": "f", "arguments": "{\"a\":1}"}})"),
      of_messages(
          R"({"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "1"}}]})"),
      of_messages(
          R"({"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "2"}}]})"),
      of_messages(R"({"role": "user", "name": "bob", "content": "hi"})"),
      of_messages(R"({"role": "user", "content": {"x": 1}})"),
      of_messages(R"({"role": "user", "content": 1.5})"),
      of_messages(R"({"role": "tool", "search_results": "unseen"})"),
      of_messages(R"({"role": "tool", "search_results": [{"title": "t", "source": {"a": 1}}]})"),
      of_messages(R"({"role": "tool", "search_results": [{"content": [{"type": "image", "data": "A"}]}]})"),
      of_input("[1, 2, 3]"),
      of_input("[1, 2, 4]"),
      of_input("[[1, 2], [4]]") + "nested",
      of_input(R"([{"role": "user", "content": [{"type": "input_image", "image_url": "a"}]}])"),
      of_input(R"([{"role": "user", "content": [{"type": "input_image", "image_url": "b"}]}])"),
      of_input(R"([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}])"),
      of_input(R"([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"x\":1}"}])"),
      of_input(R"([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"x\":2}"}])"),
      of_input(R"([{"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "code"}])"),
      of_input(R"([{"type": "item_reference", "id": "msg_1"}])"),
      of_input(R"([{"type": "item_reference", "id": "msg_2"}])"),
      of_input(R"([{"id": "msg_1"}])"),
      of_input(R"([{"id": "msg_2"}])"),
      of_input(R"([{"": "odd"}])"),
      of_messages(
          R"({"role": "tool", "search_results": [{"content": [{"type": "tool_result", "text": "t", "content": "a"}]}]})"),
      of_messages(
          R"({"role": "tool", "search_results": [{"content": [{"type": "tool_result", "text": "t", "content": "b"}]}]})"),
      of_input(R"([{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "thought"}]}])"),
      of_input(R"([{"type": "function_call_output", "call_id": "c", "output": {"k": 1}}])"),
      of_input(
          R"([{"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot", "image_url": "x"}}])"),
      of_input(R"([{"content": "seen", "text": "hidden"}])"),
      of_input(R"([{"output": [], "text": "hidden"}])"),
      of_input(R"([{"content": 5}])"),
  });
}

TEST(NonText, PlainTextHasNone) {
  for (
      const char* kwargs :
      {R"({})", R"({"messages": []})", R"({"prompt": "p"})", R"({"messages": [{"role": "user", "content": "hi"}]})",
       R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}]})",
       R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}]})",
       R"({"messages": [{"role": "assistant", "content": "a", "tool_calls": null, "function_call": null, "annotations": [],
            "provider_specific_fields": {"refusal": null}}]})",
       R"({"messages": [{"role": "tool", "tool_call_id": "c1", "content": "18C"}]})",
       R"({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "is_error": false, "content": [{"type": "text", "text": "x"}]}]}]})",
       R"({"messages": [{"role": "tool", "content": "", "search_results": [{"type": "search_result", "title": "t", "source": "s",
            "content": [{"type": "text", "text": "c"}], "citations": {"enabled": true}}]}]})",
       R"({"input": "text"})", R"({"input": ["a", " ", null]})",
       R"({"input": [{"type": "message", "id": "m1", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "4", "annotations": [], "logprobs": []}]}]})",
       R"({"input": [{"type": "function_call_output", "id": "o1", "call_id": "c", "status": "completed", "output": "42"}]})",
       R"({"input": [{"content": {"content": "deep"}}]})", R"({"input": [{"text": "  ", "output": "o"}]})"}) {
    EXPECT_EQ(parts(kwargs), "") << kwargs;
  }
}

TEST(NonText, OrderOfKeysRolesAndBoundariesDoNotMatter) {
  EXPECT_EQ(of_content(R"({"type": "image_url", "image_url": {"url": "a", "detail": "low"}})"),
            of_content(R"({"image_url": {"detail": "low", "url": "a"}, "type": "image_url"})"));
  const std::string image = R"({"type": "image_url", "image_url": "a"})";
  EXPECT_EQ(of_messages(R"({"role": "user", "content": ["x", )" + image + "]}"),
            of_messages(R"({"role": "user", "content": ["x"]}, {"role": "system", "content": [)" + image + "]}"));
  EXPECT_EQ(of_messages(R"({"content": "a"}, {"content": "b"}, {"content": [)" + image + "]}"),
            of_messages(R"({"content": "ab"}, {"content": [)" + image + "]}"));
}

TEST(NonText, CallsAreKnownByTheirOrderNotByTheirMadeUpNames) {
  const auto calls = [](const std::string& first, const std::string& second, const std::string& answered) {
    return of_messages(R"({"tool_calls": [{"id": ")" + first + R"(", "function": {"name": "f"}}, {"id": ")" + second +
                       R"(", "function": {"name": "f"}}]}, {"role": "tool", "tool_call_id": ")" + answered +
                       R"(", "content": "x"})");
  };
  EXPECT_EQ(calls("c1", "c2", "c1"), calls("r7", "r9", "r7"));
  EXPECT_NE(calls("c1", "c2", "c1"), calls("c1", "c2", "c2")) << "another call is answered";
  EXPECT_EQ(
      of_input(
          R"([{"type": "function_call", "id": "fc1", "call_id": "c", "name": "f"}, {"type": "function_call_output", "call_id": "c", "output": "x"}])"),
      of_input(
          R"([{"type": "function_call", "id": "fc2", "call_id": "d", "name": "f"}, {"type": "function_call_output", "call_id": "d", "output": "x"}])"));
}

TEST(NonText, RefusesWhatThePromptRefuses) {
  for (const char* text : {"", "[]", R"({"messages": "hi"})", R"({"messages": [null]})"})
    EXPECT_FALSE(non_text_parts(text)) << text;
}

// Where the recorded prompt leaves something out, two of them with different ones must differ.
TEST(NonText, IsEmptyForRecordedRequestsOfTextOnly) {
  const PythonValue file = read_vectors("prompt_vectors.json");
  const std::set<std::string> with_parts = {"p005", "p008", "p025", "p026", "p027", "p030", "p031", "p043",
                                            "p047", "p052", "p054", "p062", "p097", "p099", "p100", "p103",
                                            "p104", "p105", "p107", "p109", "p110", "p111", "p112", "p113",
                                            "p108", "p114", "p115", "p126", "p128"};
  for (const PythonValue& vector : member(file, "vectors")->items) {
    if (member(vector, "raises") != nullptr) continue;
    const std::string id = text_of(vector, "id");
    const std::string found = parts(json_of(*member(vector, "kwargs")));
    EXPECT_EQ(found.empty(), !with_parts.contains(id)) << id << ": " << found;
  }
}

}  // namespace
}  // namespace sosie::text
