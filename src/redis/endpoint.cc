#include "redis/endpoint.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace sosie::redis {
namespace {

Error bad(std::string_view why) {
  return {ErrorCode::invalid_argument, "the Redis URL " + std::string(why) + "; for example redis://127.0.0.1:6379/0"};
}

std::optional<unsigned char> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned char>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned char>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned char>(c - 'A' + 10);
  return std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high << 4 | *low);
    i += 2;
  }
  return out;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && failure == std::errc{} && end == text.data() + text.size();
}

/// Takes what stands before `mark` off `text`, and the mark; nothing where there is no mark.
std::optional<std::string_view> take_before(std::string_view& text, char mark, bool last) {
  const auto at = last ? text.rfind(mark) : text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, at);
  text.remove_prefix(at + 1);
  return before;
}

Result<void> read_query(std::string_view query, Endpoint& endpoint) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    std::string_view value = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const auto name = take_before(value, '=', false);
    if (name == "db") {
      if (!read_number(value, endpoint.db) || endpoint.db < 0) return bad("has a malformed db");
    } else if (name == "protocol") {
      if (!read_number(value, endpoint.protocol) || (endpoint.protocol != 2 && endpoint.protocol != 3))
        return bad("has a protocol other than 2 and 3");
    } else {
      return bad("has a parameter other than db and protocol; the rest are options");
    }
  }
  return {};
}

Result<void> read_host(std::string_view authority, Endpoint& endpoint) {
  std::string_view host = authority, port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return bad("has no ] after its IPv6 address");
    host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else if (const auto colon = authority.find(':'); colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  const auto decoded = percent_decoded(host);
  if (!decoded || decoded->empty()) return bad("has no host");
  endpoint.host = *decoded;
  if (port.empty()) return {};
  if (port[0] != ':' || !read_number(port.substr(1), endpoint.port) || endpoint.port == 0)
    return bad("has a malformed port");
  return {};
}

Result<void> read_user(std::string_view user_and_password, Endpoint& endpoint) {
  std::string_view password = user_and_password;
  const auto user = take_before(password, ':', false);
  const auto decoded_user = percent_decoded(user ? *user : user_and_password);
  const auto decoded_password = percent_decoded(user ? password : std::string_view());
  if (!decoded_user || !decoded_password) return bad("has a malformed % in its user or password");
  endpoint.username = *decoded_user;
  endpoint.password = *decoded_password;
  return {};
}

Result<void> read_url(std::string_view url, Endpoint& endpoint) {
  const bool printable =
      std::all_of(url.begin(), url.end(), [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; });
  if (!printable) return bad("contains a space or a control character: write it as %XX");
  const bool is_unix = url.starts_with("unix://");
  endpoint.tls.enabled = endpoint.tls.enabled || url.starts_with("rediss://");
  const auto scheme = url.find("://");
  if (!is_unix && !url.starts_with("rediss://") && !url.starts_with("redis://"))
    return bad("must begin with redis://, rediss:// or unix://");
  url.remove_prefix(scheme + 3);

  std::string_view rest = url;
  std::string_view place = rest.substr(0, rest.find('?'));
  std::string_view query = place.size() == rest.size() ? std::string_view() : rest.substr(place.size() + 1);
  if (place.find('#') != std::string_view::npos) return bad("must not have a fragment; write # as %23");
  const std::string_view path = is_unix ? std::string_view() : place.substr(std::min(place.find('/'), place.size()));
  place.remove_suffix(path.size());

  if (const auto user_and_password = take_before(place, '@', true)) {
    if (auto read = read_user(*user_and_password, endpoint); !read) return read;
  }
  if (is_unix) {
    const auto socket = percent_decoded(place);
    if (!socket || !socket->starts_with('/'))
      return bad("must name the socket by its whole path, unix:///run/redis.sock");
    if (endpoint.tls.enabled) return bad("names a unix socket, which has no TLS");
    endpoint.unix_socket = *socket;
  } else {
    if (auto read = read_host(place, endpoint); !read) return read;
    if (path.size() > 1 && (!read_number(path.substr(1), endpoint.db) || endpoint.db < 0))
      return bad("has a malformed database number");
  }
  return read_query(query, endpoint);
}

}  // namespace

Result<Endpoint> read_endpoint(const RedisOptions& options) {
  Endpoint endpoint;
  endpoint.tls = options.tls;
  if (auto read = read_url(options.url, endpoint); !read) return read.error();
  if (!options.username.empty()) endpoint.username = options.username;
  if (!options.password.empty()) endpoint.password = options.password;
  if (options.db >= 0) endpoint.db = options.db;
  if (options.db < -1) return Error{ErrorCode::invalid_argument, "the Redis database number must not be negative"};
  if (options.tls.client_certificate.empty() != options.tls.client_key.empty())
    return Error{ErrorCode::invalid_argument,
                 "a TLS client certificate needs its key, and a key its certificate: set both or none"};
  if (options.connect_timeout <= std::chrono::milliseconds::zero() ||
      options.command_timeout <= std::chrono::milliseconds::zero())
    return Error{ErrorCode::invalid_argument, "the Redis timeouts must be above 0 ms"};
  if (options.pool_size == 0 || options.pool_size > 1024)
    return Error{ErrorCode::invalid_argument, "the Redis pool_size must be 1 to 1024"};
  endpoint.connect_timeout = options.connect_timeout;
  endpoint.command_timeout = options.command_timeout;
  return endpoint;
}

}  // namespace sosie::redis
