#include "gateway/request/same_site.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>
#include <utility>

namespace sosie::gateway {
namespace {

struct Authority {
  std::string_view host, port;  // An IPv6 address in its brackets; the port's digits, if any.
};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// What RFC 3986 calls a registered name; an IPv4 address is one, too.
bool is_name(std::string_view host) noexcept {
  static constexpr std::string_view kMarks = "-._~%!$&'()*+,;=";
  return std::all_of(host.begin(), host.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kMarks.find(c) != std::string_view::npos;
  });
}

bool is_bracketed_address(std::string_view host) noexcept {
  if (host.size() < 2 || !host.ends_with(']')) return false;
  boost::system::error_code failure;
  boost::asio::ip::make_address_v6(host.substr(1, host.size() - 2), failure);
  return !failure;
}

/// Unset: it is none.
std::optional<Authority> split(std::string_view authority) noexcept {
  const std::size_t bracket = authority.starts_with('[') ? std::min(authority.find(']'), authority.size()) : 0;
  const std::size_t colon = std::min(authority.find(':', bracket), authority.size());
  const Authority parts{authority.substr(0, colon), authority.substr(std::min(colon + 1, authority.size()))};
  if (!std::all_of(parts.port.begin(), parts.port.end(), is_digit)) return std::nullopt;
  if (!(parts.host.starts_with('[') ? is_bracketed_address(parts.host) : is_name(parts.host))) return std::nullopt;
  return parts;
}

bool is_same_authority(std::string_view origin, std::string_view host) noexcept {
  const std::size_t slashes = origin.find("://");
  if (slashes == std::string_view::npos) return false;  // "null", too
  const std::string_view scheme = origin.substr(0, slashes);
  const std::string_view standard = net::same_name(scheme, "https") ? "443" : net::same_name(scheme, "http") ? "80" : "";
  const auto theirs = split(origin.substr(slashes + 3)), ours = split(host);
  return theirs && ours && !theirs->host.empty() && net::same_name(theirs->host, ours->host) &&
         (theirs->port.empty() ? standard : theirs->port) == (ours->port.empty() ? standard : ours->port);
}

}  // namespace

bool is_loopback_address(std::string_view address) noexcept {
  boost::system::error_code failure;
  const auto parsed = boost::asio::ip::make_address(address, failure);
  return !failure && parsed.is_loopback();
}

bool names_loopback(std::string_view authority) noexcept {
  const auto parts = split(authority);
  if (!parts) return false;
  std::string_view host = parts->host;
  if (net::same_name(host, "localhost")) return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return is_loopback_address(host);
}

std::string_view host_fault(const net::HeaderList& headers) noexcept {
  bool found = false;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (!net::same_name(name, "host")) continue;
    if (std::exchange(found, true)) return "A request has one Host header.";
    if (!split(value)) return "The Host header must be a host, and behind a colon perhaps a port.";
  }
  return {};
}

std::string_view cross_site_fault(const net::HeaderList& headers, bool loopback_only) noexcept {
  const std::string_view host = headers.find("host").value_or("");
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (net::same_name(name, "origin") && !is_same_authority(value, host))
      return "Requests of another site's pages are refused: Origin is not of this Host.";
    if (loopback_only && net::same_name(name, "host") && !value.empty() && !names_loopback(value))
      return "This server listens on the loopback only, and takes no other name in Host than localhost or its address.";
  }
  return {};
}

}  // namespace sosie::gateway
