#include "gateway/request/tenant.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace sosie::gateway {
namespace {

using Lines = std::initializer_list<std::pair<std::string_view, std::string_view>>;

net::HeaderList list(Lines lines) {
  net::HeaderList headers;
  for (const auto& [name, value] : lines) headers.add(name, value);
  return headers;
}

base::Digest id(Lines lines, const TenantOptions& options = {}) { return tenant_of(list(lines), "", options, {}).id; }

protocol::Scope scope_of(Lines lines, const TenantOptions& options = {}, const Compat& compat = {}, const std::vector<std::string>& ignored = {}) {
  const net::HeaderList headers = list(lines);
  protocol::Scope scope;
  add_caller(headers, "", options, compat, ignored, scope);
  return scope;
}

base::Digest scope(Lines lines, const TenantOptions& options = {}, const Compat& compat = {}) {
  return scope_of(lines, options, compat).digest();
}

TEST(Tenant, IsTheKeyHoweverItIsSent) {
  const auto same = id({{"Authorization", "Bearer sk-1"}});
  EXPECT_EQ(id({{"authorization", "bearer  sk-1"}}), same);
  EXPECT_EQ(id({{"X-API-Key", "sk-1"}}), same);
  EXPECT_EQ(id({{"api-key", "sk-1"}}), same);
  EXPECT_EQ(id({{"x-goog-api-key", "sk-1"}}), same);
  EXPECT_EQ(id({{"x-api-key", "sk-1"}, {"Authorization", "Bearer sk-1"}}), same);
  EXPECT_NE(id({{"api-key", "sk-2"}}), same);
  EXPECT_NE(id({{"api-key", "SK-1"}}), same);
  EXPECT_NE(id({{"Authorization", "Basic sk-1"}}), same);
}

TEST(Tenant, OfSeveralKeysIsTheirSet) {
  const auto both = id({{"x-api-key", "a"}, {"Authorization", "Bearer b"}});
  EXPECT_EQ(id({{"Authorization", "Bearer a"}, {"x-api-key", "b"}}), both);
  EXPECT_NE(id({{"x-api-key", "a"}}), both);
  EXPECT_NE(id({{"x-api-key", "b"}}), both);
  EXPECT_NE(id({{"x-api-key", "ab"}}), both);
  EXPECT_NE(id({{"x-api-key", "a1:b"}}), both);
}

TEST(Tenant, WithoutAKeyIsTheAnonymousOne) {
  const auto nobody = id({});
  EXPECT_EQ(id({{"Authorization", ""}}), nobody);
  EXPECT_EQ(id({{"Authorization", "Bearer "}}), nobody);
  EXPECT_EQ(id({{"Authorization", "Bearer"}}), nobody);
  EXPECT_EQ(id({{"Proxy-Authorization", "Basic x"}, {"Cookie", "a=b"}}), nobody);
  EXPECT_NE(id({{"x-api-key", "0:"}}), nobody);
}

TEST(Tenant, CanBeWhatATrustedProxySays) {
  const TenantOptions by_team{.by = TenantBy::header, .header = "x-team"};
  EXPECT_EQ(id({{"X-Team", "blue"}, {"x-api-key", "a"}}, by_team),
            id({{"x-team", "blue"}, {"x-api-key", "b"}}, by_team));
  EXPECT_NE(id({{"x-team", "blue"}}, by_team), id({{"x-team", "red"}}, by_team));
  EXPECT_NE(id({{"x-team", "blue"}, {"x-team", "red"}}, by_team), id({{"x-team", "blue"}}, by_team));
  EXPECT_EQ(id({{"x-api-key", "a"}}, by_team), id({{"x-api-key", "a"}}));
  EXPECT_EQ(id({{"x-team", ""}, {"x-api-key", "a"}}, by_team), id({{"x-api-key", "a"}}));
  EXPECT_NE(id({{"x-team", "a"}}, by_team), id({{"x-api-key", "a"}}, by_team));  // no team passes for a key
}

TEST(Tenant, CanBeEveryone) {
  const TenantOptions everyone{.by = TenantBy::everyone};
  EXPECT_EQ(id({{"x-api-key", "a"}}, everyone), id({}, everyone));
  EXPECT_EQ(scope({{"x-api-key", "a"}}, everyone), scope({{"Authorization", "Bearer b"}}, everyone));
  EXPECT_NE(scope({{"OpenAI-Organization", "a"}}, everyone), scope({}, everyone));
}

base::Digest caller(Lines lines, std::string_view query = "", const TenantOptions& options = {}) {
  return tenant_of(list(lines), query, options, {}).caller;
}

TEST(Explained, IsTheVeryCallerWhateverItsCredentialsAre) {
  const auto plain = caller({{"x-api-key", "a"}});
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"X-Forwarded-User", "bob"}, {"x-forwarded-email", "b@c"}, {"X-Auth-Request-User", "bob"}, {"Cf-Access-Jwt-Assertion", "j"},
           {"X-Goog-Authenticated-User-Email", "b@c"}, {"x-amzn-oidc-identity", "i"}, {"Ocp-Apim-Subscription-Key", "k"}, {"x-auth-token", "t"},
           {"X-MS-Client-Principal-Id", "p"}, {"x-forwarded-client-cert", "c"}, {"Helicone-Auth", "h"}, {"x-my-secret", "s"}, {"x-tenant-id", "1"}}) {
    const auto as_bob = caller({{"x-api-key", "a"}, {name, value}});
    EXPECT_NE(as_bob, plain) << name;
    EXPECT_NE(caller({{"x-api-key", "a"}, {name, "ann"}}), as_bob) << name;
    EXPECT_NE(caller({{name, value}}), caller({{name, "ann"}})) << name;
  }
  EXPECT_NE(caller({{"x-goog-api-key", "1"}}), caller({{"x-goog-api-key", "2"}}));
  EXPECT_NE(caller({}, "?key=1"), caller({}, "?key=2"));
  EXPECT_NE(caller({{"x-api-key", "a"}}, "?v=1&access_token=1"), caller({{"x-api-key", "a"}}, "?v=1&access_token=2"));
  EXPECT_EQ(caller({{"x-api-key", "a"}, {"x-user", "u"}, {"x-token", "t"}}), caller({{"x-token", "t"}, {"X-User", "u"}, {"api-key", "a"}}));
}

TEST(Explained, IsTheCallerWithinATenantOfSeveral) {
  const TenantOptions by_team{.by = TenantBy::header, .header = "x-team"}, everyone{.by = TenantBy::everyone};
  EXPECT_NE(caller({{"x-team", "blue"}, {"x-api-key", "a"}}, "", by_team), caller({{"x-team", "blue"}, {"x-api-key", "b"}}, "", by_team));
  EXPECT_NE(caller({{"x-team", "blue"}, {"x-api-key", "a"}}, "", by_team), caller({{"x-team", "red"}, {"x-api-key", "a"}}, "", by_team));
  EXPECT_NE(caller({{"x-api-key", "a"}}, "", everyone), caller({{"x-api-key", "b"}}, "", everyone));
  EXPECT_EQ(caller({{"x-odd", "1"}}, "", everyone), caller({}, "", everyone));
}

TEST(Explained, IsWhoeverSendsTheSameHeadersWhereNobodyHasAKey) {
  EXPECT_NE(caller({{"x-odd", "1"}}), caller({{"x-odd", "2"}}));
  EXPECT_NE(caller({}, "?odd=1"), caller({}, "?odd=2"));
  EXPECT_EQ(caller({{"anthropic-version", "2023-06-01"}, {"User-Agent", "u"}}), caller({{"traceparent", "t"}}));
  // A key names its caller; what else is said then only tells answers apart.
  EXPECT_EQ(caller({{"x-api-key", "a"}, {"x-odd", "1"}, {"anthropic-beta", "b"}}, "?api-version=3"), caller({{"x-api-key", "a"}}));
}

TEST(Tenant, IsAnonymousWhereNothingNamesIt) {
  const auto anonymous = [](Lines lines, std::string_view query = "") { return tenant_of(list(lines), query, {}, {}).anonymous; };
  EXPECT_TRUE(anonymous({}) && anonymous({{"x-odd", "1"}, {"Authorization", "Bearer "}}, "?odd=1"));
  EXPECT_FALSE(anonymous({{"Authorization", "Bearer x"}}) || anonymous({{"X-Forwarded-User", "u"}}) || anonymous({}, "?key=1"));
}

TEST(Tenant, MayLoosenWhereItsKeyIsListed) {
  // printf %s sk-1 | sha256sum
  const TenantOptions options{.may_loosen = {base::to_hex(base::sha256("other")), base::to_hex(base::sha256("sk-1"))}};
  EXPECT_TRUE(tenant_of(list({{"Authorization", "Bearer sk-1"}}), "", options, {}).may_loosen);
  EXPECT_TRUE(tenant_of(list({{"x-api-key", "sk-1"}}), "", options, {}).may_loosen);
  EXPECT_FALSE(tenant_of(list({{"x-api-key", "sk-2"}}), "", options, {}).may_loosen);
  EXPECT_FALSE(tenant_of(list({{"x-api-key", options.may_loosen[1]}}), "", options, {}).may_loosen);
  EXPECT_FALSE(tenant_of(list({}), "", options, {}).may_loosen);
  TenantOptions loud = options;
  for (char& c : loud.may_loosen[1]) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_TRUE(tenant_of(list({{"x-api-key", "sk-1"}}), "", loud, {}).may_loosen);
}

TEST(Caller, IsTheTenantAndEveryHeaderThatMayMatter) {
  const auto plain = scope({{"x-api-key", "a"}});
  EXPECT_EQ(scope({{"Authorization", "Bearer a"}, {"User-Agent", "x"}, {"Accept", "y"}, {"traceparent", "z"}}), plain);
  EXPECT_EQ(scope({{"x-api-key", "a"}, {"Cache-Control", "no-cache"}, {"x-sosie-threshold", "1"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "b"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "a"}, {"OpenAI-Organization", "o"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "a"}, {"X-Odd", ""}}), plain);
  EXPECT_EQ(scope({{"x-api-key", "a"}, {"X-One", "1"}, {"X-Two", "2"}}),
            scope({{"x-two", "2"}, {"x-one", "1"}, {"x-api-key", "a"}}));
}

TEST(Caller, TakesEveryLineOfAHeader) {
  EXPECT_NE(scope({{"x-odd", "1"}, {"X-Odd", "2"}}), scope({{"x-odd", "1"}}));
  EXPECT_NE(scope({{"x-odd", "1"}, {"X-Odd", "2"}}), scope({{"x-odd", "2"}, {"x-odd", "1"}}));
  EXPECT_EQ(scope({{"x-odd", "1"}, {"x-even", "0"}, {"X-Odd", "2"}}),
            scope({{"X-ODD", "1"}, {"X-Odd", "2"}, {"x-even", "0"}}));
}

TEST(Caller, IsNotToldApartByWhatTheUpstreamDoesNotSee) {
  const auto plain = scope({{"x-api-key", "a"}});
  EXPECT_EQ(scope({{"x-api-key", "a"}, {"x-role", "admin"}, {"Connection", "keep-alive, X-Role"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "a"}, {"x-role", "admin"}, {"Connection", "keep-alive"}}), plain);
}

TEST(Caller, SaysNothingByWhatTheApiTakesForGranted) {
  const auto plain = scope({{"x-api-key", "a"}});
  EXPECT_EQ(scope({{"x-api-key", "a"}, {"anthropic-version", "2023-06-01"}}), plain);
  EXPECT_EQ(scope({{"x-api-key", "a"}, {"anthropic-version", "2026-10-21"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "a"}, {"anthropic-version", "2023-01-01"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "a"}, {"anthropic-version", "bedrock-2023-05-31"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "a"}, {"anthropic-version", "experiment"}}), plain);
  EXPECT_NE(scope({{"x-api-key", "a"}, {"anthropic-beta", "2023-06-01"}}), plain);
}

TEST(Caller, OfADialectLeavesItsWishesOut) {
  const Compat bifrost{.bifrost = true};
  EXPECT_EQ(scope({{"x-bf-cache-ttl", "5s"}}, {}, bifrost), scope({}, {}, bifrost));
  EXPECT_NE(scope({{"x-bf-cache-ttl", "5s"}}), scope({}));
}

TEST(Caller, IsNotToldApartByWhatCodingAgentsTrace) {
  for (const char* name : {"X-Claude-Code-Session-Id", "session-id", "session_id", "thread-id", "X-Codex-Turn-Metadata", "x-opencode-session",
                           "x-session-affinity", "X-Session-Id", "conversation_id"})
    EXPECT_EQ(scope({{"x-api-key", "a"}, {name, "1"}}), scope({{"x-api-key", "a"}, {name, "2"}})) << name;
}

TEST(Caller, IsNotToldApartByWhatIsIgnored) {
  const std::vector<std::string> ignored{"x-odd"};
  EXPECT_EQ(scope_of({{"X-Odd", "1"}, {"x-odd", "2"}}, {}, {}, ignored).digest(), scope({}));
  EXPECT_NE(scope_of({{"X-Even", "1"}}, {}, {}, ignored).digest(), scope({}));
}

TEST(Caller, WithManyLinesCostsNoMoreALineThanWithFew) {
  // Quadratic, this took a minute.
  net::HeaderList headers;
  for (int i = 0; i < 200'000; ++i) headers.add("x-line-" + std::to_string(i % 100'000), std::to_string(i));
  for (int i = 0; i < 1'000; ++i) headers.add("connection", "x-option-" + std::to_string(i));
  protocol::Scope scope;
  add_caller(headers, {}, {}, {}, {}, scope);
  protocol::Scope other;
  headers.add("X-Line-7", "one more");
  add_caller(headers, {}, {}, {}, {}, other);
  EXPECT_NE(scope.digest(), other.digest());
}

TEST(Caller, ByHeaderLeavesTheCredentialsOut) {
  const TenantOptions by_team{.by = TenantBy::header, .header = "x-team"};
  EXPECT_EQ(scope({{"x-team", "blue"}, {"x-api-key", "a"}}, by_team),
            scope({{"x-api-key", "b"}, {"x-team", "blue"}}, by_team));
  EXPECT_NE(scope({{"x-team", "blue"}}, by_team), scope({{"x-team", "red"}}, by_team));
}

TEST(Caller, ShowsNoValue) {
  const auto parts = scope_of({{"x-api-key", "a"}, {"OpenAI-Organization", "org"}}).parts();
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].name, "header.openai-organization");
  EXPECT_EQ(parts[1].name, "tenant");
  for (const auto& part : parts) EXPECT_EQ(part.shown, "");
}

}  // namespace
}  // namespace sosie::gateway
