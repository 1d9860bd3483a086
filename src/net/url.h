// url.h: the base URL of an HTTP API.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "sosie/result.h"

namespace sosie::net {

struct BaseUrl {
  bool tls = false;
  std::string host;  ///< A name, an IPv4 address, or an IPv6 address without brackets.
  std::uint16_t port = 0;
  std::string path;  ///< "" or "/v1": no slash at its end.

  /// The Host header's value: the port only where it is not the scheme's own.
  std::string authority() const;
};

/// Reads "http(s)://host[:port][/path]".
/// Errors: invalid_argument (anything else; user:password@ is refused so that no secret hides in a URL).
Result<BaseUrl> parse_base_url(std::string_view text);

}  // namespace sosie::net
