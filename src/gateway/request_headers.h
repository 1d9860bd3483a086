// request_headers.h: what becomes of each header of a request. One table for forwarding and for the scope, so that
// nothing reaches the upstream that does not separate callers, unless it is known to change no answer.
//
// Thread-safety: pure functions.
#pragma once

#include <string_view>

#include "gateway/wishes.h"
#include "net/http_message.h"

namespace sosie::gateway {

enum class HeaderUse {
  stays,      ///< Never forwarded: it belongs to the connection or to this server.
  passes,     ///< Forwarded; neither tells callers apart nor changes an answer.
  separates,  ///< Forwarded, and part of the scope. Whatever nobody has heard of is this.
};
HeaderUse use_of_request_header(std::string_view name, const Compat& compat) noexcept;

/// Whether a request header belongs to one of the dialects turned on (or is native), and so stays here.
bool is_wish_header(std::string_view name, const Compat& compat) noexcept;

/// authorization, x-api-key, api-key: who asks.
bool is_credential(std::string_view name) noexcept;

/// Whether a header of that name, in a request or in an answer, belongs to one connection only.
bool is_hop_by_hop(std::string_view name) noexcept;

/// Whether the name begins with "x-sosie-": ours, in a request or in an answer.
bool is_ours(std::string_view name) noexcept;

/// Whether a Connection header, of which there may be several, names `name` as its own business.
bool is_connection_option(const net::HeaderList& headers, std::string_view name) noexcept;

}  // namespace sosie::gateway
