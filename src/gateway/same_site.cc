#include "gateway/same_site.h"

#include <boost/asio/ip/address.hpp>

namespace sosie::gateway {
namespace {

struct Authority {
  std::string_view host, port;
};

Authority split(std::string_view authority) noexcept {
  const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : std::string_view::npos;
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {authority, {}};
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

bool is_same_authority(std::string_view origin, std::string_view host) noexcept {
  const std::size_t slashes = origin.find("://");
  if (slashes == std::string_view::npos) return false;  // "null", too
  const std::string_view scheme = origin.substr(0, slashes);
  const std::string_view standard = net::same_name(scheme, "https") ? "443" : net::same_name(scheme, "http") ? "80" : "";
  const Authority theirs = split(origin.substr(slashes + 3)), ours = split(host);
  return !theirs.host.empty() && net::same_name(theirs.host, ours.host) &&
         (theirs.port.empty() ? standard : theirs.port) == (ours.port.empty() ? standard : ours.port);
}

}  // namespace

bool is_loopback_address(std::string_view address) noexcept {
  boost::system::error_code failure;
  const auto parsed = boost::asio::ip::make_address(address, failure);
  return !failure && parsed.is_loopback();
}

bool names_loopback(std::string_view authority) noexcept {
  std::string_view host = split(authority).host;
  if (net::same_name(host, "localhost")) return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return is_loopback_address(host);
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
