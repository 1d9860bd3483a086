#include "gateway/request_headers.h"

#include <algorithm>
#include <array>

namespace sosie::gateway {
namespace {

template <std::size_t N>
bool is_among(std::string_view name, const std::array<std::string_view, N>& names) noexcept {
  return std::any_of(names.begin(), names.end(), [name](std::string_view each) { return net::same_name(name, each); });
}

bool begins_with(std::string_view name, std::string_view prefix) noexcept {
  return name.size() >= prefix.size() && net::same_name(name.substr(0, prefix.size()), prefix);
}

constexpr std::array<std::string_view, 11> kHopByHop = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
    "trailer",    "trailers",   "transfer-encoding",  "upgrade",             "content-length"};
// Answers must come plain, so that they can be read and kept; Cache-Control speaks to this cache.
constexpr std::array<std::string_view, 5> kStay = {"host", "expect", "accept-encoding", "cache-control", "cookie"};
constexpr std::array<std::string_view, 18> kPass = {
    "accept",       "accept-language",     "user-agent",      "content-type", "traceparent", "tracestate",
    "baggage",      "x-request-id",        "idempotency-key", "origin",       "referer",     "via",
    "forwarded",    "x-client-request-id", "x-real-ip",       "priority",     "pragma",
    "date"};
constexpr std::array<std::string_view, 3> kPassPrefixes = {"x-stainless-", "sec-", "x-forwarded-"};

}  // namespace

bool is_hop_by_hop(std::string_view name) noexcept { return is_among(name, kHopByHop); }

bool is_ours(std::string_view name) noexcept { return begins_with(name, "x-sosie-"); }

HeaderUse use_of_request_header(std::string_view name) noexcept {
  if (is_hop_by_hop(name) || is_among(name, kStay) || is_ours(name)) return HeaderUse::stays;
  if (is_among(name, kPass)) return HeaderUse::passes;
  for (const std::string_view prefix : kPassPrefixes)
    if (begins_with(name, prefix)) return HeaderUse::passes;
  return HeaderUse::separates;
}

bool is_connection_option(const net::HeaderList& headers, std::string_view name) noexcept {
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (!net::same_name(headers[i].name, "connection")) continue;
    std::string_view rest = headers[i].value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view option = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      while (option.starts_with(' ') || option.starts_with('\t')) option.remove_prefix(1);
      while (option.ends_with(' ') || option.ends_with('\t')) option.remove_suffix(1);
      if (net::same_name(option, name)) return true;
    }
  }
  return false;
}

}  // namespace sosie::gateway
