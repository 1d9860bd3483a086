#include "net/url.h"

#include <algorithm>
#include <charconv>

namespace sosie::net {
namespace {

// The URL itself is not repeated: someone may have put a key into it.
Error bad_url(std::string_view why) {
  return {ErrorCode::invalid_argument, "the upstream URL " + std::string(why) + "; for example https://api.openai.com/v1"};
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_address_char(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

}  // namespace

std::string BaseUrl::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

Result<BaseUrl> parse_base_url(std::string_view text) {
  BaseUrl url;
  if (text.starts_with("https://")) {
    url.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return bad_url("must begin with http:// or https://");
  }
  url.port = url.tls ? 443 : 80;
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!printable) return bad_url("contains a space or a character outside ASCII");
  if (text.find_first_of("?#") != std::string_view::npos) return bad_url("must not have a query or a fragment");

  const std::size_t slash = std::min(text.find('/'), text.size());
  std::string_view authority = text.substr(0, slash);
  std::string_view path = text.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  url.path = path;
  if (authority.find('@') != std::string_view::npos) return bad_url("must not contain a user or password; use the API key option");

  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad_url("has no ] after its IPv6 address");
    url.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
    if (!std::all_of(url.host.begin(), url.host.end(), is_address_char)) return bad_url("has a malformed IPv6 address");
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    port = authority.substr(colon);
    if (!std::all_of(url.host.begin(), url.host.end(), is_host_char)) return bad_url("has a malformed host");
  }
  if (url.host.empty()) return bad_url("has no host");
  if (!port.empty()) {
    unsigned number = 0;
    const auto [end, failure] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
    if (port[0] != ':' || failure != std::errc{} || end != port.data() + port.size() || number == 0 || number > 65'535)
      return bad_url("has a malformed port");
    url.port = static_cast<std::uint16_t>(number);
  }
  return url;
}

}  // namespace sosie::net
