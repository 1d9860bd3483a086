#include "gateway/chat_request.h"

#include <gtest/gtest.h>

#include <set>

namespace sosie::gateway {
namespace {

std::variant<ChatRequest, BadRequest> read(std::string body, const net::HeaderList& headers = {}) {
  static JsonReader reader;
  body.reserve(body.size() + net::kBodyPadding);
  return read_chat_request(reader, body, headers);
}

ChatRequest good(const std::string& body, const net::HeaderList& headers = {}) {
  auto result = read(body, headers);
  EXPECT_TRUE(std::holds_alternative<ChatRequest>(result)) << body;
  return std::get<ChatRequest>(std::move(result));
}

net::HeaderList with(std::string_view name, std::string_view value) {
  net::HeaderList headers;
  headers.add(name, value);
  return headers;
}

const std::string kPlain = R"({"model":"m","messages":[{"role":"user","content":"hi"}]})";

TEST(ChatScope, DoesNotDependOnOrderSpellingOrDelivery) {
  const std::string scope = good(R"({"model":"m","temperature":0,"top_p":1,"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":"hi"}]})").scope;
  for (const char* same : {
           R"({"tools":[{"b":2.0,"a":1}],"messages":[{"content":"hi","role":"user"}],"top_p":1e0,"temperature":0.0,"model":"m"})",
           R"({"model":"m","temperature":-0.0,"top_p":1.0,"stream":true,"stream_options":{"include_usage":true},"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":"hi"}]})",
           R"({"model":"\u006d","temperature":0,"top_p":1,"seed":null,"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})",
           R"({"model":"m","temperature":0,"top_p":1,"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":"something else entirely"}]})",
       })
    EXPECT_EQ(good(same).scope, scope) << same;
}

TEST(ChatScope, EverythingElseSeparates) {
  std::set<std::string> scopes{good(kPlain).scope};
  const std::vector<std::string> bodies = {
      R"({"model":"n","messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","temperature":0,"messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","temperature":"0","messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","temperature":0.1,"messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","x":{"temperature":0},"messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","user":"u","messages":[{"role":"user","content":"hi"}]})",
      R"({"model":"m","messages":[{"role":"user","content":"hi","name":"n"}]})",
      R"({"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]})",
      R"({"model":"m","messages":[{"role":"developer","content":"s"},{"role":"user","content":"hi"}]})",
      R"({"model":"m","messages":[{"role":"system","content":"s","name":"n"},{"role":"user","content":"hi"}]})",
      R"({"model":"m","messages":[{"role":"system","content":"s"},{"role":"system","content":"s"},{"role":"user","content":"hi"}]})",
      R"({"model":"m","messages":[{"role":"system","content":"ss"},{"role":"system","content":""},{"role":"user","content":"hi"}]})",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":"a"}]}]})",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":"b"}]}]})",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":"a"},{"type":"text","text":"hi"}]}]})",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"h"},{"type":"text","text":"i"}]}]})",
      R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":1}]}]})",
  };
  for (const auto& body : bodies) EXPECT_TRUE(scopes.insert(good(body).scope).second) << body;
  for (const auto& headers : {with("authorization", "Bearer a"), with("Authorization", "Bearer b"), with("x-api-key", "Bearer a"),
                              with("openai-organization", "Bearer a"), with("authorization", "")})
    EXPECT_TRUE(scopes.insert(good(kPlain, headers).scope).second);
  EXPECT_EQ(good(kPlain, with("user-agent", "x")).scope, good(kPlain).scope);
}

TEST(ChatScope, WhateverReachesTheUpstreamSeparates) {
  const std::string plain = good(kPlain).scope;
  std::set<std::string> scopes{plain};
  for (const char* name : {"x-goog-api-key", "x-tenant-id", "Ocp-Apim-Subscription-Key", "x-portkey-config", "never-heard-of"})
    EXPECT_TRUE(scopes.insert(good(kPlain, with(name, "a")).scope).second) << name;
  net::HeaderList twice = with("Authorization", "Bearer a");
  twice.add("authorization", "Bearer b");
  EXPECT_NE(good(kPlain, twice).scope, good(kPlain, with("Authorization", "Bearer a")).scope);
  net::HeaderList one = with("X-Tenant-Id", "a"), other = with("api-key", "k");
  one.add("api-key", "k");
  other.add("x-tenant-id", "a");
  EXPECT_EQ(good(kPlain, one).scope, good(kPlain, other).scope);
  for (const char* name : {"Accept", "User-Agent", "X-Stainless-Lang", "traceparent", "X-Request-Id", "Idempotency-Key",
                           "Sec-Fetch-Mode", "X-Forwarded-For", "Date", "Cookie", "Connection", "x-sosie-x"})
    EXPECT_EQ(good(kPlain, with(name, "a")).scope, plain) << name;
  JsonReader reader;
  std::string body = kPlain;
  body.reserve(body.size() + net::kBodyPadding);
  EXPECT_NE(std::get<ChatRequest>(read_chat_request(reader, body, {}, "?api-version=1")).scope, plain);
}

TEST(ChatScope, TheBordersOfTextPartsCount) {
  const auto scope = [](const std::string& first, const std::string& second) {
    const ChatRequest request = good(R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":")" + first +
                                     R"("},{"type":"text","text":")" + second + R"("}]}]})");
    return std::pair(request.prompt, request.scope);
  };
  EXPECT_EQ(scope("a", "b\\nc").first, scope("a\\nb", "c").first);
  EXPECT_NE(scope("a", "b\\nc").second, scope("a\\nb", "c").second);
  EXPECT_EQ(scope("a", "b").second, scope("long", "words").second);
}

TEST(ChatScope, HoldsNoKeyAndNoText) {
  const ChatRequest request = good(kPlain, with("authorization", "Bearer secret"));
  EXPECT_EQ(request.scope.size(), std::string("chat:").size() + 64);
  EXPECT_EQ(request.scope.find("secret"), std::string::npos);
  EXPECT_EQ(request.prompt, "hi");
}

TEST(ChatRequest, SaysWhatCannotBeMatched) {
  EXPECT_EQ(good(R"({"model":"m","messages":[{"role":"user","content":" \n\t"}]})").bypass_reason, "blank_prompt");
  EXPECT_EQ(good(R"({"model":"m","messages":[{"role":"user","content":null}]})").bypass_reason, "blank_prompt");
  EXPECT_EQ(good(R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":"a"}]}]})").bypass_reason, "blank_prompt");
  EXPECT_EQ(good(R"({"model":"m","messages":[{"role":"user","content":"x"},{"role":"tool","content":"y","tool_call_id":"1"}]})").bypass_reason,
            "last_message_not_user");
  EXPECT_EQ(good(kPlain).bypass_reason, "");
}

TEST(ChatRequest, ReadsTheStreamFields) {
  EXPECT_FALSE(good(R"({"model":"m","stream":null,"messages":[{"role":"user","content":"x"}]})").stream);
  const ChatRequest request = good(R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"x"}]})");
  EXPECT_TRUE(request.stream && request.include_usage);
  EXPECT_EQ(request.choices, 1);
  EXPECT_EQ(good(R"({"model":"m","n":2,"messages":[{"role":"user","content":"x"}]})").choices, 2);
}

TEST(ChatRequest, NamesTheFieldAtFault) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[", ""}, {"3", ""}, {R"({"model":"m"})", "messages"}, {R"({"messages":[{"role":"user","content":"x"}]})", "model"},
      {R"({"model":"m","messages":"x"})", "messages"}, {R"({"model":"m","stream":1,"messages":[]})", "stream"},
      {R"({"model":"m","stream_options":1,"messages":[]})", "stream_options"}, {R"({"model":"m","model":"m","messages":[]})", ""},
      {R"({"model":"m","messages":[{"role":"user","content":{"a":1}}]})", "messages"},
  };
  for (const auto& [body, param] : cases) {
    const auto result = read(body);
    ASSERT_TRUE(std::holds_alternative<BadRequest>(result)) << body;
    EXPECT_EQ(std::get<BadRequest>(result).param, param) << body;
  }
}

TEST(CanonicalJson, IsEqualExactlyForEqualMeaning) {
  JsonReader reader;
  const auto canonical = [&reader](std::string_view text) {
    std::string out;
    append_canonical_json(out, *reader.read_copy(text));
    return out;
  };
  EXPECT_EQ(canonical(R"({"b":[1,2.50,"\u0041"],"a":-0.0})"), R"({"a":0,"b":[1,2.5,"A"]})");
  EXPECT_EQ(canonical("9007199254740992.0"), "9007199254740992");
  EXPECT_NE(canonical("9007199254740993"), canonical("9007199254740992.0"));
  EXPECT_EQ(canonical("18446744073709551615"), "18446744073709551615");
  EXPECT_NE(canonical(R"("1")"), canonical("1"));
  EXPECT_NE(canonical(R"({"a":1,"a":2})"), canonical(R"({"a":2,"a":1})"));
  EXPECT_EQ(canonical("\"\\u0000\\n\\\"\\\\\x7f\""), "\"\\u0000\\n\\\"\\\\\x7f\"");
}

}  // namespace
}  // namespace sosie::gateway
