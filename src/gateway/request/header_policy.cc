#include "gateway/request/header_policy.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/ascii.h"

namespace sosie::gateway {
namespace {

using base::lower;

bool begins_with(std::string_view name, std::string_view prefix) noexcept {
  return name.size() >= prefix.size() && net::same_name(name.substr(0, prefix.size()), prefix);
}

enum class Kind : std::uint8_t {
  unknown,
  hop_by_hop,
  stays,
  passes,
  credential,
  // Directives of a dialect, and what its clients tell its operator: the latter changes no answer, and is new in every
  // request.
  portkey_wish,
  helicone_wish,
  cloudflare_wish,
  bifrost_wish,
  litellm_trace,
  portkey_trace,
  helicone_trace,
  cloudflare_trace,
};

struct Known {
  std::string_view name;
  Kind kind;
};

constexpr auto kKnown = std::to_array<Known>({
    {"connection", Kind::hop_by_hop}, {"keep-alive", Kind::hop_by_hop}, {"proxy-authenticate", Kind::hop_by_hop},
    {"proxy-authorization", Kind::hop_by_hop}, {"proxy-connection", Kind::hop_by_hop}, {"te", Kind::hop_by_hop},
    {"trailer", Kind::hop_by_hop}, {"trailers", Kind::hop_by_hop}, {"transfer-encoding", Kind::hop_by_hop},
    {"upgrade", Kind::hop_by_hop}, {"content-length", Kind::hop_by_hop},
    // Answers must come plain, so that they can be read and kept; Cache-Control speaks to this cache.
    {"host", Kind::stays}, {"expect", Kind::stays}, {"accept-encoding", Kind::stays}, {"cache-control", Kind::stays},
    {"cookie", Kind::stays}, {"authorization", Kind::credential}, {"x-api-key", Kind::credential},
    {"api-key", Kind::credential}, {"x-goog-api-key", Kind::credential}, {"accept", Kind::passes}, {"accept-language", Kind::passes},
    {"accept-charset", Kind::passes}, {"user-agent", Kind::passes}, {"content-type", Kind::passes},
    {"idempotency-key", Kind::passes}, {"origin", Kind::passes}, {"referer", Kind::passes}, {"via", Kind::passes},
    {"forwarded", Kind::passes}, {"priority", Kind::passes}, {"pragma", Kind::passes}, {"date", Kind::passes},
    {"dnt", Kind::passes}, {"x-goog-api-client", Kind::passes},
    {"anthropic-dangerous-direct-browser-access", Kind::passes},
    // Of proxies and of tracing: new in every request, or telling where the caller sits.
    {"x-forwarded-for", Kind::passes}, {"x-forwarded-by", Kind::passes}, {"x-forwarded-host", Kind::passes},
    {"x-forwarded-port", Kind::passes}, {"x-forwarded-proto", Kind::passes}, {"x-forwarded-protocol", Kind::passes},
    {"x-forwarded-scheme", Kind::passes}, {"x-forwarded-server", Kind::passes}, {"x-forwarded-ssl", Kind::passes},
    {"x-forwarded-prefix", Kind::passes}, {"x-real-ip", Kind::passes}, {"x-client-ip", Kind::passes},
    {"true-client-ip", Kind::passes},
    {"cf-connecting-ip", Kind::passes}, {"cf-ray", Kind::passes}, {"cdn-loop", Kind::passes},
    {"x-request-start", Kind::passes}, {"x-request-id", Kind::passes}, {"x-client-request-id", Kind::passes},
    {"request-id", Kind::passes}, {"x-correlation-id", Kind::passes}, {"traceparent", Kind::passes},
    {"tracestate", Kind::passes}, {"baggage", Kind::passes}, {"b3", Kind::passes}, {"sentry-trace", Kind::passes},
    {"uber-trace-id", Kind::passes}, {"x-amzn-trace-id", Kind::passes}, {"x-cloud-trace-context", Kind::passes},
    {"newrelic", Kind::passes}, {"elastic-apm-traceparent", Kind::passes},
    // Of coding agents: which session, thread or window asks. Another one in every conversation.
    {"x-claude-code-session-id", Kind::passes}, {"session-id", Kind::passes}, {"session_id", Kind::passes},
    {"thread-id", Kind::passes}, {"thread_id", Kind::passes}, {"conversation-id", Kind::passes},
    {"conversation_id", Kind::passes}, {"x-session-id", Kind::passes}, {"x-session-affinity", Kind::passes}, {"x-portkey-cache", Kind::portkey_wish},
    {"x-portkey-cache-force-refresh", Kind::portkey_wish}, {"x-portkey-cache-namespace", Kind::portkey_wish},
    {"x-portkey-trace-id", Kind::portkey_trace}, {"x-portkey-span-id", Kind::portkey_trace},
    {"x-portkey-parent-span-id", Kind::portkey_trace}, {"x-portkey-span-name", Kind::portkey_trace},
    {"helicone-cache-enabled", Kind::helicone_wish}, {"helicone-cache-seed", Kind::helicone_wish},
    {"helicone-cache-bucket-max-size", Kind::helicone_wish}, {"helicone-request-id", Kind::helicone_trace},
    {"helicone-session-id", Kind::helicone_trace}, {"helicone-session-path", Kind::helicone_trace},
    {"helicone-session-name", Kind::helicone_trace}, {"cf-aig-skip-cache", Kind::cloudflare_wish},
    {"cf-aig-cache-ttl", Kind::cloudflare_wish}, {"cf-aig-cache-key", Kind::cloudflare_wish},
    {"cf-aig-event-id", Kind::cloudflare_trace}, {"cf-aig-metadata", Kind::cloudflare_trace},
    {"cf-aig-collect-log", Kind::cloudflare_trace}, {"x-bf-cache-key", Kind::bifrost_wish},
    {"x-bf-cache-ttl", Kind::bifrost_wish}, {"x-bf-cache-threshold", Kind::bifrost_wish},
    {"x-bf-cache-type", Kind::bifrost_wish}, {"x-bf-cache-no-store", Kind::bifrost_wish},
    {"x-bf-vk", Kind::bifrost_wish}, {"x-litellm-trace-id", Kind::litellm_trace},
    {"x-litellm-session-id", Kind::litellm_trace}, {"x-litellm-call-id", Kind::litellm_trace},
});

// Not "x-forwarded-": proxies that log people in say so who they are (X-Forwarded-User, -Email, -Groups).
constexpr std::array<std::string_view, 6> kPassPrefixes = {"x-stainless-", "sec-", "x-b3-", "x-datadog-", "x-codex-", "x-opencode-"};

// Open addressing by length and three characters, so that a name costs one comparison.
constexpr std::size_t kSlots = 512;

constexpr std::size_t slot_of(std::string_view name) noexcept {
  const auto at = [name](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(lower(name[i])));
  };
  return (name.size() * 37 + at(0) + at(name.size() / 2) * 11 + at(name.size() - 1) * 5) % kSlots;
}

constexpr auto kTable = [] {
  std::array<Known, kSlots> table{};
  for (const Known& each : kKnown) {
    std::size_t slot = slot_of(each.name);
    while (!table[slot].name.empty()) slot = (slot + 1) % kSlots;
    table[slot] = each;
  }
  return table;
}();

Kind kind_of(std::string_view name) noexcept {
  if (name.empty()) return Kind::unknown;
  for (std::size_t slot = slot_of(name); !kTable[slot].name.empty(); slot = (slot + 1) % kSlots)
    if (net::same_name(kTable[slot].name, name)) return kTable[slot].kind;
  return Kind::unknown;
}

bool is_wish(Kind kind, const Compat& compat) noexcept {
  switch (kind) {
    case Kind::portkey_wish: return compat.portkey;
    case Kind::helicone_wish: return compat.helicone;
    case Kind::cloudflare_wish: return compat.cloudflare;
    case Kind::bifrost_wish: return compat.bifrost;
    default: return false;
  }
}

bool passes(Kind kind, const Compat& compat) noexcept {
  switch (kind) {
    case Kind::passes: return true;
    case Kind::litellm_trace: return compat.litellm;
    case Kind::portkey_trace: return compat.portkey;
    case Kind::helicone_trace: return compat.helicone;
    case Kind::cloudflare_trace: return compat.cloudflare;
    default: return false;
  }
}

}  // namespace

bool is_hop_by_hop(std::string_view name) noexcept { return kind_of(name) == Kind::hop_by_hop; }

bool is_ours(std::string_view name) noexcept { return begins_with(name, "x-sosie-"); }

std::string_view dialect_of_wish(std::string_view name) noexcept {
  switch (kind_of(name)) {
    case Kind::portkey_wish: return "portkey";
    case Kind::helicone_wish: return "helicone";
    case Kind::cloudflare_wish: return "cloudflare";
    case Kind::bifrost_wish: return "bifrost";
    default: return {};
  }
}

bool is_wish_header(std::string_view name, const Compat& compat) noexcept {
  return is_wish(kind_of(name), compat) || is_ours(name);
}

HeaderUse use_of_request_header(std::string_view name, const Compat& compat) noexcept {
  const Kind kind = kind_of(name);
  if (kind == Kind::hop_by_hop || kind == Kind::stays || is_wish(kind, compat)) return HeaderUse::stays;
  if (kind == Kind::credential) return HeaderUse::credential;
  if (passes(kind, compat)) return HeaderUse::passes;
  if (kind != Kind::unknown) return HeaderUse::separates;
  if (is_ours(name)) return HeaderUse::stays;
  for (const std::string_view prefix : kPassPrefixes)
    if (begins_with(name, prefix)) return HeaderUse::passes;
  if (compat.helicone && begins_with(name, "helicone-property-")) return HeaderUse::passes;
  return HeaderUse::separates;
}

bool may_name_caller(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 21> kTelling = {"key",   "token",    "auth",    "secret",   "passw",    "credential", "jwt",
                                                         "bearer", "assertion", "user",   "email",    "login",    "principal",  "identity",
                                                         "account", "group",   "sig",     "cert",     "cookie",   "tenant",     "customer"};
  return std::any_of(kTelling.begin(), kTelling.end(), [name](std::string_view part) {
    return std::search(name.begin(), name.end(), part.begin(), part.end(), [](char x, char y) { return lower(x) == y; }) != name.end();
  });
}

bool is_key_parameter(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 7> kKeys = {"key", "api_key", "apikey", "access_token", "auth_token", "token", "subscription-key"};
  return kind_of(name) == Kind::credential ||
         std::any_of(kKeys.begin(), kKeys.end(), [name](std::string_view key) { return net::same_name(key, name); });
}

bool name_less(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return a.size() < b.size();
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) < lower(y); });
}

ConnectionOptions::ConnectionOptions(const net::HeaderList& headers) {
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (!net::same_name(headers[i].name, "connection")) continue;
    std::string_view rest = headers[i].value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view option = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (option.starts_with(' ') || option.starts_with('\t')) option.remove_prefix(1);
      while (option.ends_with(' ') || option.ends_with('\t')) option.remove_suffix(1);
      if (option.empty() || net::same_name(option, "close") || net::same_name(option, "keep-alive")) continue;
      names_.push_back(option);
    }
  }
  std::sort(names_.begin(), names_.end(), name_less);
}

bool ConnectionOptions::has(std::string_view name) const noexcept {
  return std::binary_search(names_.begin(), names_.end(), name, name_less);
}

}  // namespace sosie::gateway
