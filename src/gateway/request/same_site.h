// same_site.h: whether a request comes from where it claims to; against pages of other sites in a browser nearby.
#pragma once

#include <string_view>

#include "net/http_message.h"

namespace sosie::gateway {

/// Whether an address that a server listens on, or the host in an authority ("localhost:8080", "[::1]"), is this machine's
/// own loopback.
bool is_loopback_address(std::string_view address) noexcept;
bool names_loopback(std::string_view authority) noexcept;

/// What is wrong with the Host header; empty: nothing. There may be none, but not several, and what it says must be a host and
/// perhaps a port, nothing that another reader may take for another host ("localhost:80@evil.example").
std::string_view host_fault(const net::HeaderList& headers) noexcept;

/// Why a request is refused; empty: it is not. An Origin must be of the authority in Host. With `loopback_only`, for a
/// server that only its own machine reaches, Host must name the loopback or be absent: a name that was rebound to it
/// does not.
std::string_view cross_site_fault(const net::HeaderList& headers, bool loopback_only) noexcept;

}  // namespace sosie::gateway
