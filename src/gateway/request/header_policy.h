// header_policy.h: what becomes of each header of a request. One table for forwarding and for the scope, so that
// nothing reaches the upstream that does not separate callers, unless it is known to change no answer.
//
// Thread-safety: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "gateway/request/cache_directives.h"
#include "net/http_message.h"

namespace sosie::gateway {

enum class HeaderUse {
  stays,       ///< Never forwarded: it belongs to the connection or to this server.
  passes,      ///< Forwarded; neither tells callers apart nor changes an answer.
  credential,  ///< authorization, x-api-key, api-key, x-goog-api-key: the API key of who asks. Forwarded where the upstream has none of its own.
  separates,   ///< Forwarded, and part of the scope. Whatever nobody has heard of is this.
};
HeaderUse use_of_request_header(std::string_view name, const Compat& compat) noexcept;

/// The dialect, as the configuration calls it, whose directive a request header is, turned on or not. Empty: none's.
std::string_view dialect_of_wish(std::string_view name) noexcept;

/// Whether a request header belongs to one of the dialects turned on (or is native), and so stays here.
bool is_wish_header(std::string_view name, const Compat& compat) noexcept;

/// Whether a header or a parameter of a query by that name may say who asks: a key, a token, a user (X-Forwarded-User,
/// "access_token"). Judged by the name; in doubt it may.
bool may_name_caller(std::string_view name) noexcept;

/// Whether a parameter of a query by that name is an API key: of Google's APIs ("key", "access_token"), of Azure's, or a header's name.
bool is_key_parameter(std::string_view name) noexcept;

/// Whether a header of that name, in a request or in an answer, belongs to one connection only.
bool is_hop_by_hop(std::string_view name) noexcept;

/// Whether the name begins with "x-sosie-": ours, in a request or in an answer.
bool is_ours(std::string_view name) noexcept;

/// An order of names in which the same names, in whatever case, stand together.
bool name_less(std::string_view a, std::string_view b) noexcept;

/// The headers that a message's Connection headers, of which there may be several, name as the connection's own business.
/// Refers to the list. Cost: the list is read once, however many names are asked for.
class ConnectionOptions {
 public:
  explicit ConnectionOptions(const net::HeaderList& headers);
  bool has(std::string_view name) const noexcept;

 private:
  std::vector<std::string_view> names_;  // In the order of name_less; not those that every connection has, which never pass.
};

}  // namespace sosie::gateway
