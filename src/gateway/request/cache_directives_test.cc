#include "gateway/request/cache_directives.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>

#include "protocol/json.h"

namespace sosie::gateway {
namespace {

using namespace std::chrono_literals;
using protocol::BadRequest;

constexpr Compat kNone{.litellm = false};
constexpr Compat kPortkey{.litellm = false, .portkey = true};
constexpr Compat kHelicone{.litellm = false, .helicone = true};
constexpr Compat kCloudflare{.litellm = false, .cloudflare = true};
constexpr Compat kBifrost{.litellm = false, .bifrost = true};
constexpr Compat kAll{true, true, true, true, true};

using Lines = std::initializer_list<std::pair<std::string_view, std::string_view>>;

std::variant<CacheDirectives, BadRequest> read(Lines lines, const Compat& compat) {
  net::HeaderList headers;
  for (const auto& [name, value] : lines) headers.add(name, value);
  return read_directives(headers, compat);
}

CacheDirectives directives(Lines lines, const Compat& compat = kNone) {
  auto result = read(lines, compat);
  EXPECT_TRUE(std::holds_alternative<CacheDirectives>(result));
  return std::holds_alternative<CacheDirectives>(result) ? std::get<CacheDirectives>(result) : CacheDirectives{};
}

std::string fault(Lines lines) {
  auto result = read(lines, kNone);
  return std::holds_alternative<BadRequest>(result) ? std::get<BadRequest>(result).param : "";
}

bool says_nothing(const CacheDirectives& w) {
  return !w.no_cache && !w.no_store && !w.only_if_cached && !w.exact_only && !w.opted_in && !w.max_age && !w.ttl &&
         !w.threshold && w.partition.empty();
}

TEST(NativeWishes, AreRead) {
  const CacheDirectives all =
      directives({{"X-Sosie-Cache-Control", "no-cache, No-Store ,only-if-cached,exact, use-cache, max-age=60, ttl=5"},
              {"x-sosie-threshold", "0.95"},
              {"x-sosie-namespace", "blue"}});
  EXPECT_TRUE(all.no_cache && all.no_store && all.only_if_cached && all.exact_only && all.opted_in);
  EXPECT_EQ(all.max_age, 60s);
  EXPECT_EQ(all.ttl, 5s);
  EXPECT_EQ(all.threshold->value, 0.95);
  EXPECT_NE(all.partition.find("blue"), std::string::npos);
  EXPECT_TRUE(says_nothing(directives({})));
  EXPECT_TRUE(says_nothing(directives({{"x-sosie-cache-control", ""}})));
  EXPECT_EQ(directives({{"x-sosie-cache-control", "max-age=0"}}).no_cache, true);
}

TEST(NativeWishes, ThatCannotBeReadAreErrorsThatNameTheHeader) {
  for (const char* value : {"no-caches", "max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "ttl=0",
                            "ttl=99999999999", "ttl=1 2", "no-cache=1", "exact=1", "max-age=5;ttl=5", "max-age=\"5\""})
    EXPECT_EQ(fault({{"x-sosie-cache-control", value}}), "x-sosie-cache-control") << value;
  for (const char* value : {"", "x", "1.01", "-0.1", "nan", "inf", "0.9x", "0,9", "90%"})
    EXPECT_EQ(fault({{"x-sosie-threshold", value}}), "x-sosie-threshold") << value;
  EXPECT_EQ(fault({{"x-sosie-foo", "1"}}), "x-sosie-foo");
  EXPECT_EQ(fault({{"X-Sosie-Treshold", "0.9"}}), "X-Sosie-Treshold");
  const auto unknown = read({{"x-sosie-foo", "secret"}}, kNone);
  EXPECT_EQ(std::get<BadRequest>(unknown).message,
            "the header 'x-sosie-foo' is not known: there are 'x-sosie-cache-control', 'x-sosie-threshold' and 'x-sosie-namespace'");
  const std::string most(256, 'a'), more(257, 'a');
  EXPECT_EQ(fault({{"x-sosie-namespace", ""}}), "x-sosie-namespace");
  EXPECT_EQ(fault({{"x-sosie-namespace", more}}), "x-sosie-namespace");
  EXPECT_EQ(fault({{"x-sosie-namespace", most}}), "");
}

TEST(CacheDirectives, TheStricterOfTwoHolds) {
  const CacheDirectives both = directives({{"x-sosie-cache-control", "max-age=60, ttl=30"},
                              {"X-Sosie-Cache-Control", "max-age=90, ttl=20"},
                              {"Cache-Control", "max-age=70"},
                              {"x-sosie-threshold", "0.9"},
                              {"x-sosie-threshold", "0.8"}});
  EXPECT_EQ(both.max_age, 60s);
  EXPECT_EQ(both.ttl, 20s);
  EXPECT_EQ(both.threshold->value, 0.9);
}

TEST(CacheDirectives, PartitionsNeverRunIntoEachOther) {
  const auto partition = [](Lines lines) { return directives(lines, kAll).partition; };
  EXPECT_NE(partition({{"x-sosie-namespace", "a"}}), partition({{"x-sosie-namespace", "b"}}));
  EXPECT_NE(partition({{"x-sosie-namespace", "a"}}), partition({{"helicone-cache-seed", "a"}}));
  EXPECT_NE(partition({{"x-bf-vk", "a"}, {"x-bf-cache-key", "b"}}), partition({{"x-bf-vk", "a;x-bf-cache-key:1:b"}}));
  EXPECT_EQ(partition({{"X-BF-Cache-Key", "a"}}), partition({{"x-bf-cache-key", "a"}}));
}

TEST(CacheControl, CountsAsHttpSaysAndIgnoresWhatItCannotRead) {
  const CacheDirectives all =
      directives({{"Cache-Control",
               "No-Cache, no-store, only-if-cached, max-age=5, max-stale=3, private, s-maxage=9, max-age=x, ,="}});
  EXPECT_TRUE(all.no_cache && all.no_store && all.only_if_cached);
  EXPECT_EQ(all.max_age, 5s);
  EXPECT_FALSE(all.ttl);  // s-maxage is LiteLLM's
  EXPECT_TRUE(directives({{"cache-control", "max-age=0"}}).no_cache);
  EXPECT_TRUE(says_nothing(directives({{"cache-control", "max-age=999999999999999999999"}})));
  const CacheDirectives litellm = directives({{"cache-control", "s-maxage=9"}}, Compat{});
  EXPECT_EQ(litellm.ttl, 9s);
  EXPECT_FALSE(litellm.max_age);
  EXPECT_TRUE(directives({{"cache-control", "s-maxage=0"}}, Compat{}).no_store);
}

TEST(Portkey, SaysModeRefreshAndNamespace) {
  EXPECT_TRUE(directives({{"x-portkey-cache", "simple"}}, kPortkey).exact_only);
  EXPECT_TRUE(directives({{"x-portkey-cache", "simple"}}, kPortkey).opted_in);
  EXPECT_FALSE(directives({{"x-portkey-cache", "semantic"}}, kPortkey).exact_only);
  EXPECT_TRUE(directives({{"x-portkey-cache", "semantic"}}, kPortkey).opted_in);
  EXPECT_TRUE(directives({{"x-portkey-cache-force-refresh", "True"}}, kPortkey).no_cache);
  EXPECT_FALSE(directives({{"x-portkey-cache-force-refresh", "false"}}, kPortkey).no_cache);
  EXPECT_FALSE(directives({{"x-portkey-cache-namespace", "n"}}, kPortkey).partition.empty());
  EXPECT_TRUE(says_nothing(directives({{"x-portkey-cache", "simple"}, {"x-portkey-cache-namespace", "n"}})));
}

TEST(Portkey, SaysModeAndAgeInAConfiguration) {
  const CacheDirectives config =
      directives({{"x-portkey-config", R"({"cache":{"mode":"simple","max_age":120},"retry":{}})"}}, kPortkey);
  EXPECT_TRUE(config.exact_only && config.opted_in);
  EXPECT_EQ(config.max_age, 120s);
  EXPECT_EQ(config.ttl, 120s);
  EXPECT_EQ(directives({{"x-portkey-config", R"({"cache":{"mode":"semantic","max_age":99999999999}})"}}, kPortkey).ttl,
            24h * 90);
  for (const char* value : {"pc-abc", "", "{", "[]", "{}", R"({"cache":null})", R"({"cache":{"max_age":"x"}})",
                            R"({"cache":{"max_age":-4}})", R"({"cache":[]})"})
    EXPECT_TRUE(says_nothing(directives({{"x-portkey-config", value}}, kPortkey))) << value;
}

TEST(Helicone, SaysOnOffAgeAndSeed) {
  const CacheDirectives on = directives(
      {{"Cache-Control", "max-age=3600"}, {"Helicone-Cache-Enabled", "true"}, {"Helicone-Cache-Bucket-Max-Size", "3"}},
      kHelicone);
  EXPECT_TRUE(on.opted_in);
  EXPECT_EQ(on.max_age, 1h);
  EXPECT_EQ(on.ttl, 1h);
  EXPECT_FALSE(directives({{"Cache-Control", "max-age=3600"}}, kHelicone).ttl);
  EXPECT_EQ(directives({{"Helicone-Cache-Enabled", "true"}, {"Cache-Control", "max-age=99999999"}}, kHelicone).ttl,
            24h * 365);
  const CacheDirectives off = directives({{"Helicone-Cache-Enabled", "false"}}, kHelicone);
  EXPECT_TRUE(off.no_cache && off.no_store);
  EXPECT_FALSE(directives({{"Helicone-Cache-Seed", "s"}}, kHelicone).partition.empty());
}

TEST(Cloudflare, SaysSkipTtlAndKey) {
  const CacheDirectives skip = directives({{"cf-aig-skip-cache", "true"}}, kCloudflare);
  EXPECT_TRUE(skip.no_cache && skip.no_store);
  EXPECT_TRUE(says_nothing(directives({{"cf-aig-skip-cache", "false"}}, kCloudflare)));
  EXPECT_EQ(directives({{"cf-aig-cache-ttl", "3600"}}, kCloudflare).ttl, 1h);
  EXPECT_EQ(directives({{"cf-aig-cache-ttl", "99999999"}}, kCloudflare).ttl, 24h * 30);
  EXPECT_TRUE(says_nothing(directives({{"cf-aig-cache-ttl", "0"}}, kCloudflare)));
  EXPECT_TRUE(says_nothing(directives({{"cf-aig-cache-ttl", "soon"}}, kCloudflare)));
  EXPECT_FALSE(directives({{"cf-aig-cache-key", "k"}}, kCloudflare).partition.empty());
}

TEST(Bifrost, FollowsItsTable) {
  const CacheDirectives key = directives({{"x-bf-cache-key", "k"}}, kBifrost);
  EXPECT_TRUE(key.opted_in);
  EXPECT_FALSE(key.partition.empty());
  EXPECT_EQ(directives({{"x-bf-cache-ttl", "1h30m"}}, kBifrost).ttl, 90min);
  EXPECT_EQ(directives({{"x-bf-cache-ttl", "45"}}, kBifrost).ttl, 45s);
  for (const char* value : {"0", "-4", "0s", "soon", "1.5", ""})
    EXPECT_FALSE(directives({{"x-bf-cache-ttl", value}}, kBifrost).ttl) << value;
  EXPECT_EQ(directives({{"x-bf-cache-threshold", "1.7"}}, kBifrost).threshold->value, 1);
  EXPECT_EQ(directives({{"x-bf-cache-threshold", "-1"}}, kBifrost).threshold->value, 0);
  EXPECT_FALSE(directives({{"x-bf-cache-threshold", "high"}}, kBifrost).threshold);
  EXPECT_TRUE(directives({{"x-bf-cache-type", "direct"}}, kBifrost).exact_only);
  EXPECT_FALSE(directives({{"x-bf-cache-type", "semantic"}}, kBifrost).exact_only);
  EXPECT_TRUE(directives({{"x-bf-cache-no-store", "true"}}, kBifrost).no_store);
  for (const char* value : {"True", "1", "yes"})
    EXPECT_FALSE(directives({{"x-bf-cache-no-store", value}}, kBifrost).no_store) << value;
  EXPECT_NE(directives({{"x-bf-vk", "one"}}, kBifrost).partition, directives({{"x-bf-vk", "two"}}, kBifrost).partition);
}

using Texts = std::vector<std::string>;

TEST(NotObeyed, NamesWhatHasNoEffectHere) {
  EXPECT_EQ(directives({{"Cache-Control", "no-cache, max-stale=3, Private, max-age=soon, s-maxage=4, no-store=1"}}).not_obeyed,
            (Texts{"Cache-Control max-stale: it has no effect here", "Cache-Control Private: it has no effect here",
                   "Cache-Control max-age: it cannot be read", "Cache-Control s-maxage: it has no effect here",
                   "Cache-Control no-store: it has no effect here"}));
  EXPECT_EQ(directives({{"Cache-Control", "s-maxage=4, max-age=5"}}, Compat{}).not_obeyed, Texts{});
  EXPECT_EQ(directives({{"x-sosie-cache-control", "no-cache"}, {"x-sosie-threshold", "0.9"}}).not_obeyed, Texts{});
  EXPECT_EQ(directives({{"x-bf-cache-threshold", "0.9"}, {"cf-aig-skip-cache", "true"}}).not_obeyed,
            (Texts{"x-bf-cache-threshold: [gateway] compat does not name bifrost", "cf-aig-skip-cache: [gateway] compat does not name cloudflare"}));
}

TEST(NotObeyed, NamesWhatADialectCannotRead) {
  EXPECT_EQ(directives({{"x-bf-cache-ttl", "soon"}}, kBifrost).not_obeyed, Texts{"x-bf-cache-ttl soon: it cannot be read"});
  EXPECT_EQ(directives({{"x-bf-cache-threshold", "1.7"}}, kBifrost).not_obeyed, Texts{"x-bf-cache-threshold 1.7: it is no number from 0 to 1"});
  EXPECT_EQ(directives({{"x-bf-cache-type", "fuzzy"}}, kBifrost).not_obeyed.size(), 1u);
  EXPECT_EQ(directives({{"cf-aig-cache-ttl", "99999999"}}, kCloudflare).not_obeyed,
            Texts{"cf-aig-cache-ttl 99999999 s: more than the 2592000 s that this dialect has at most"});
  EXPECT_EQ(directives({{"cf-aig-skip-cache", "perhaps"}}, kCloudflare).not_obeyed, Texts{"cf-aig-skip-cache perhaps: it cannot be read"});
  EXPECT_EQ(directives({{"x-portkey-config", "pc-abc"}}, kPortkey).not_obeyed,
            Texts{"x-portkey-config pc-abc: of a configuration kept elsewhere nothing is known here"});
  EXPECT_EQ(directives({{"x-portkey-cache", "magic"}}, kPortkey).not_obeyed, Texts{"x-portkey-cache magic: the modes are simple and semantic"});
  EXPECT_EQ(directives({{"Helicone-Cache-Bucket-Max-Size", "3"}}, kHelicone).not_obeyed,
            Texts{"helicone-cache-bucket-max-size 3: a question has one answer here"});
}

TEST(NotObeyed, NamesTheLessStrictOfTwo) {
  EXPECT_EQ(directives({{"x-sosie-threshold", "0.9"}, {"x-bf-cache-threshold", "0.8"}}, kBifrost).not_obeyed,
            Texts{"x-bf-cache-threshold 0.8: a stricter one was asked for, too"});
  EXPECT_EQ(directives({{"x-bf-cache-ttl", "1500ms"}, {"x-sosie-cache-control", "ttl=1"}}, kBifrost).not_obeyed,
            Texts{"x-bf-cache-ttl 1.5 s: a stricter one was asked for, too"});
}

TEST(NotObeyed, IsBoundedAndPlain) {
  const std::string line = std::string(50, 'x') + ", caf\xe9, a b";
  const CacheDirectives many = directives({{"Cache-Control", line}, {"Cache-Control", std::string(60'000, ',')}, {"Cache-Control", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o"}});
  EXPECT_EQ(many.not_obeyed.size(), CacheDirectives::kMostNotObeyed);
  EXPECT_EQ(many.not_obeyed[0], "Cache-Control: it has no effect here");
  EXPECT_EQ(many.not_obeyed[1], "Cache-Control: it has no effect here");
}

TEST(Dialects, AreNotReadUnlessTurnedOn) {
  EXPECT_TRUE(says_nothing(directives({{"x-portkey-cache", "simple"},
                                   {"x-portkey-config", R"({"cache":{"mode":"simple"}})"},
                                   {"helicone-cache-enabled", "false"},
                                   {"cf-aig-skip-cache", "true"},
                                   {"x-bf-cache-no-store", "true"},
                                   {"x-bf-cache-threshold", "1"}})));
}

struct Member {
  std::optional<BadRequest> bad;
  CacheDirectives directives;
};

Member member(std::string_view json) {
  protocol::JsonReader reader;
  Member result;
  const auto root = reader.read_copy(json);
  EXPECT_TRUE(root) << json;
  if (root) result.bad = read_cache_member(*root, result.directives);
  return result;
}

TEST(CacheMember, IsRead) {
  const auto [bad, directives] = member(
      R"({"ttl":33,"s-maxage":7.5,"no-cache":true,"no-store":false,"namespace":"n","use-cache":true,"supported":{}})");
  EXPECT_FALSE(bad);
  EXPECT_EQ(directives.ttl, 33s);
  EXPECT_EQ(directives.max_age, 7'500ms);
  EXPECT_TRUE(directives.no_cache && directives.opted_in);
  EXPECT_FALSE(directives.no_store);
  EXPECT_FALSE(directives.partition.empty());
  EXPECT_EQ(member(R"({"s-max-age":3})").directives.max_age, 3s);
  EXPECT_TRUE(member(R"({"s-maxage":0})").directives.no_cache);
  EXPECT_TRUE(says_nothing(member(R"({"ttl":null,"no-cache":null,"namespace":null})").directives));
  EXPECT_TRUE(says_nothing(member("{}").directives));
  EXPECT_EQ(directives.not_obeyed, Texts{"cache.supported: it has no effect here"});
}

TEST(CacheMember, OfTheWrongTypeIsAnErrorThatNamesTheField) {
  const auto param = [](std::string_view json) {
    const auto bad = member(json).bad;
    return bad ? bad->param : "";
  };
  for (const char* json : {"true", "[]", "\"no-cache\"", "1", R"({"ttl":1,"ttl":2})"})
    EXPECT_EQ(param(json), "cache") << json;
  for (const char* value : {"0", "-1", "\"60\"", "true", "[]", "1e300"})
    EXPECT_EQ(param(R"({"ttl":)" + std::string(value) + "}"), "cache.ttl") << value;
  EXPECT_EQ(param(R"({"s-maxage":-1})"), "cache.s-maxage");
  EXPECT_EQ(param(R"({"s-max-age":"1"})"), "cache.s-max-age");
  EXPECT_EQ(param(R"({"no-cache":"true"})"), "cache.no-cache");
  EXPECT_EQ(param(R"({"no-store":1})"), "cache.no-store");
  EXPECT_EQ(param(R"({"use-cache":0})"), "cache.use-cache");
  EXPECT_EQ(param(R"({"namespace":7})"), "cache.namespace");
  EXPECT_EQ(param(R"({"namespace":")" + std::string(257, 'a') + "\"}"), "cache.namespace");
}

TEST(Limits, OnlyLetWishesMakeThingsStricter) {
  const auto limited = [](double threshold, std::chrono::milliseconds ttl, bool may_loosen,
                          std::optional<std::chrono::milliseconds> most = 60s) {
    CacheDirectives w;
    w.threshold = Similarity{threshold};
    w.ttl = ttl;
    apply_limits(w, may_loosen, Similarity{0.85}, most);
    return w;
  };
  EXPECT_EQ(limited(0.9, 30s, false).threshold->value, 0.9);
  EXPECT_EQ(limited(0.9, 30s, false).ttl, 30s);
  EXPECT_FALSE(limited(0.8, 90s, false).threshold);
  EXPECT_FALSE(limited(0.8, 90s, false).ttl);
  EXPECT_EQ(limited(0.8, 90s, false, std::nullopt).ttl, 90s);
  EXPECT_EQ(limited(0.8, 90s, false).not_obeyed,
            (Texts{"threshold 0.8: lower than the server's 0.85, and [tenant] may_loosen does not list this key",
                   "ttl 90 s: longer than the server's 60 s, and [tenant] may_loosen does not list this key"}));
  EXPECT_EQ(limited(0.9, 30s, false).not_obeyed, Texts{});
  EXPECT_EQ(limited(0.8, 90s, true).not_obeyed, Texts{});
  EXPECT_EQ(limited(0.8, 90s, true).threshold->value, 0.8);
  EXPECT_EQ(limited(0.8, 90s, true).ttl, 90s);
}

}  // namespace
}  // namespace sosie::gateway
