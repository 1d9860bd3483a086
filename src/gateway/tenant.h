// tenant.h: who asks.
#pragma once

#include <string>
#include <vector>

#include "base/digest.h"
#include "gateway/wishes.h"
#include "net/http_message.h"
#include "protocol/scope.h"

namespace sosie::gateway {

/// Who may share answers with whom.
enum class TenantBy {
  credentials,  ///< The caller's API key, however it is sent (Authorization, x-api-key, api-key).
  header,       ///< The value of a header, which a trusted proxy sets; without it (or empty) the credentials.
  everyone,     ///< All callers are one: credentials separate nobody. Other headers that reach the upstream still do.
};

struct TenantOptions {
  TenantBy by = TenantBy::credentials;
  std::string header;  ///< Lower case.
  /// SHA-256 in hex of API keys that may loosen what the server sets: a lower threshold, a longer ttl.
  std::vector<std::string> may_loosen;
};

struct Tenant {
  base::Digest id{};  ///< Never the key itself.
  bool may_loosen = false;
};

/// The set of the distinct keys of a request: the same key sent as "Authorization: Bearer K", "x-api-key: K" or
/// "api-key: K" is the same tenant; none is the anonymous one.
Tenant tenant_of(const net::HeaderList& headers, const TenantOptions& options);

/// Adds the tenant, and every other header that reaches the upstream and may change an answer (request_headers.h), to a
/// scope: the parts "tenant" and "header.<name in lower case>", never shown. A header that says the API's default
/// ("anthropic-version: 2023-06-01", or a later date) adds nothing.
void add_caller(const net::HeaderList& headers, const Tenant& tenant, const TenantOptions& options,
                const Compat& compat, protocol::Scope& scope);

}  // namespace sosie::gateway
