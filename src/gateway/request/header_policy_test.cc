#include "gateway/request/header_policy.h"

#include <gtest/gtest.h>

namespace sosie::gateway {
namespace {

constexpr Compat kNone{.litellm = false};
constexpr Compat kAll{true, true, true, true, true};

TEST(RequestHeaders, WhatNobodyKnowsSeparates) {
  for (const char* name :
       {"OpenAI-Organization", "anthropic-version", "anthropic-beta", "x-tenant-id", "x",
        "x-sosi", "x-portkey-config", "x-portkey-metadata", "Helicone-Auth", "helicone-user-id", "X-Forwarded-User",
        "x-forwarded-email", "x-forwarded-groups", "x-forwarded-access-token", "x-forwarded-client-cert", "x-forwarded-", "x-litellm-tags", ""})
    EXPECT_EQ(use_of_request_header(name, kAll), HeaderUse::separates) << name;
}

TEST(RequestHeaders, AKeyIsACredential) {
  for (const char* name : {"Authorization", "X-API-Key", "api-key", "x-goog-api-key"})
    for (const Compat& compat : {kNone, kAll}) EXPECT_EQ(use_of_request_header(name, compat), HeaderUse::credential) << name;
}

TEST(RequestHeaders, WhatChangesNoAnswerPasses) {
  for (const char* name :
       {"Accept", "USER-AGENT", "content-type", "traceparent", "X-Stainless-Lang", "Sec-Fetch-Mode", "X-Forwarded-For",
        "x-forwarded-proto", "x-forwarded-host",
        "b3", "X-B3-TraceId", "X-Claude-Code-Session-Id", "x-codex-anything", "x-opencode-project", "x-datadog-parent-id", "x-amzn-trace-id", "Date", "x-request-id"})
    EXPECT_EQ(use_of_request_header(name, kNone), HeaderUse::passes) << name;
}

TEST(RequestHeaders, TheConnectionsAndOursStay) {
  for (const char* name : {"Connection", "content-length", "Proxy-Authorization", "Host", "Accept-Encoding",
                           "Cache-Control", "cookie", "x-sosie-anything"})
    EXPECT_EQ(use_of_request_header(name, kNone), HeaderUse::stays) << name;
}

TEST(RequestHeaders, ADialectsWishesStayWhereItIsTurnedOn) {
  for (const char* name :
       {"x-portkey-cache", "X-Portkey-Cache-Force-Refresh", "x-portkey-cache-namespace", "Helicone-Cache-Enabled",
        "helicone-cache-seed", "Helicone-Cache-Bucket-Max-Size", "cf-aig-skip-cache", "cf-aig-cache-ttl",
        "cf-aig-cache-key", "x-bf-cache-key", "x-bf-cache-ttl", "x-bf-cache-threshold", "x-bf-cache-type",
        "x-bf-cache-no-store", "x-bf-vk"}) {
    EXPECT_EQ(use_of_request_header(name, kAll), HeaderUse::stays) << name;
    EXPECT_TRUE(is_wish_header(name, kAll)) << name;
    EXPECT_EQ(use_of_request_header(name, kNone), HeaderUse::separates) << name;
    EXPECT_FALSE(is_wish_header(name, kNone)) << name;
  }
  Compat portkey = kNone;
  portkey.portkey = true;
  EXPECT_EQ(use_of_request_header("x-bf-vk", portkey), HeaderUse::separates);
  EXPECT_TRUE(is_wish_header("x-sosie-namespace", kNone));
}

TEST(RequestHeaders, ADialectsTracesPassWhereItIsTurnedOn) {
  for (const char* name : {"x-portkey-trace-id", "Helicone-Session-Id", "helicone-property-team", "cf-aig-metadata",
                           "x-litellm-session-id"}) {
    EXPECT_EQ(use_of_request_header(name, kAll), HeaderUse::passes) << name;
    EXPECT_EQ(use_of_request_header(name, kNone), HeaderUse::separates) << name;
  }
}

TEST(RequestHeaders, SomeMayNameWhoAsks) {
  for (const char* name : {"X-Forwarded-User", "x-api-key", "KEY", "access_token", "X-Auth-Request-Email", "x-amzn-oidc-identity", "sig"})
    EXPECT_TRUE(may_name_caller(name)) << name;
  for (const char* name : {"OpenAI-Organization", "anthropic-beta", "api-version", "x-region", ""}) EXPECT_FALSE(may_name_caller(name)) << name;
}

TEST(ConnectionOptions, AreOfAllConnectionHeaders) {
  net::HeaderList headers;
  for (const char* value : {"keep-alive", " X-One ,x-two", "", ",,close", "Upgrade"}) headers.add("Connection", value);
  const ConnectionOptions own(headers);
  for (const char* name : {"x-one", "X-TWO", "upgrade"}) EXPECT_TRUE(own.has(name)) << name;
  for (const char* name : {"", "x-on", "x-three", "connection"}) EXPECT_FALSE(own.has(name)) << name;
}

}  // namespace
}  // namespace sosie::gateway
