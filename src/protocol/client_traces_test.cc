#include "protocol/client_traces.h"

#include <gtest/gtest.h>

#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

TEST(ClientTraces, TheBillingHeaderOfInstructionsIsNone) {
  constexpr std::string_view kHeader = "x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=sdk-cli; cch=36ee5;";
  EXPECT_EQ(without_billing_header(kHeader), "");
  EXPECT_EQ(without_billing_header(std::string(kHeader) + "\nYou are Claude Code."), "You are Claude Code.");
  EXPECT_EQ(without_billing_header("x-anthropic-billing-header: cch=0"), "");
  for (const char* other : {"You are Claude Code.", "", "x-anthropic-billing-header", "x-anthropic-billing-header: obey me; cch=1;", "x-anthropic-billing-header: cch=a b;",
                            " x-anthropic-billing-header: cch=1;", "x-anthropic-billing-header: cch=1; Say no."})
    EXPECT_EQ(without_billing_header(other), other);
}

TEST(ClientTraces, ByEachApiItSeparatesNothing) {
  const auto ask = [](Surface surface, std::string_view nonce, std::string_view instructions) {
    const std::string line = "x-anthropic-billing-header: cc_version=2.1.177." + std::string(nonce) + "; cch=" + std::string(nonce) + ";";
    const std::string said(instructions);
    if (surface == Surface::messages)
      return R"({"model":"m","max_tokens":9,"system":[{"type":"text","text":")" + line + R"("},{"type":"text","text":")" + said +
             R"(","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"a"}]})";
    if (surface == Surface::responses) return R"({"model":"m","store":false,"max_output_tokens":9,"instructions":")" + line + "\\n" + said + R"(","input":"a"})";
    return R"({"model":"m","max_tokens":9,"messages":[{"role":"system","content":")" + line + "\\n" + said + R"("},{"role":"user","content":"a"}]})";
  };
  const std::string plain = read_good(protocol_of(Surface::chat), R"({"model":"m","max_tokens":9,"messages":[{"role":"system","content":"Be kind."},{"role":"user","content":"a"}]})").digest();
  for (const Surface surface : {Surface::chat, Surface::messages, Surface::responses}) {
    const Protocol& api = protocol_of(surface);
    EXPECT_EQ(read_good(api, ask(surface, "36ee5", "Be kind.")).digest(), plain) << to_string(surface);
    EXPECT_EQ(read_good(api, ask(surface, "0aaa9", "Be kind.")).digest(), plain) << to_string(surface);
    EXPECT_NE(read_good(api, ask(surface, "36ee5", "Be rude.")).digest(), plain) << to_string(surface);
  }
}

TEST(ClientTraces, ASessionIsNoUser) {
  const auto scope_of = [](std::string_view user) {
    std::string json;
    append_json_string(json, user);
    return read_good(protocol_of(Surface::messages), R"({"model":"m","max_tokens":9,"metadata":{"user_id":)" + json + R"(},"messages":[{"role":"user","content":"a"}]})").digest();
  };
  const std::string one = "54c1eb09-bc4c-4d2f-98eb-6d2ab2d5e2fe", two = "57a121ec-f78c-48c3-a745-e3036a3ecc33";
  EXPECT_EQ(scope_of("user_ab_account__session_" + one), scope_of("user_ab_account__session_" + two));
  EXPECT_NE(scope_of("user_ab_account__session_" + one), scope_of("user_ac_account__session_" + one));
  EXPECT_NE(scope_of("user_ab_account_x_session_" + one), scope_of("user_ab_account_y_session_" + one));
  EXPECT_NE(scope_of("user_ab_account__session_a"), scope_of("user_ab_account__session_b"));  // Not Claude Code's.
  const auto json = [](const std::string& device, const std::string& session) { return R"({"device_id":")" + device + R"(","account_uuid":"","session_id":")" + session + R"("})"; };
  EXPECT_EQ(scope_of(json("d", one)), scope_of(json("d", two)));
  EXPECT_NE(scope_of(json("d", one)), scope_of(json("e", one)));
  EXPECT_NE(scope_of(R"({"session_id":"a"})"), scope_of(R"({"session_id":"b"})"));
}

TEST(ClientTraces, WhatOnlyTracesOrStreamsSeparatesNothing) {
  const auto codex = [](std::string_view more) { return read_good(protocol_of(Surface::responses), R"({"model":"m","input":"a")" + std::string(more) + "}").digest(); };
  EXPECT_EQ(codex(R"(,"client_metadata":{"x-codex-installation-id":"1"},"prompt_cache_key":"s")"), codex(""));
  const auto tool = [](std::string_view more) {
    return read_good(protocol_of(Surface::messages), R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"tools":[{"name":"f","input_schema":{})" + std::string(more) + "}]}").digest();
  };
  EXPECT_EQ(tool(R"(,"eager_input_streaming":true)"), tool(""));
  EXPECT_NE(tool(R"(,"defer_loading":true)"), tool(""));
  const auto chat = [](std::string_view more) {
    return read_good(protocol_of(Surface::chat), R"({"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f"})" + std::string(more) + "}]}").digest();
  };
  EXPECT_EQ(chat(R"(,"eager_input_streaming":true)"), chat(""));
  EXPECT_NE(chat(R"(,"news":true)"), chat(""));
}

}  // namespace
}  // namespace sosie::protocol
