// tenant.h: who asks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "gateway/request/cache_directives.h"
#include "net/http_message.h"
#include "protocol/scope.h"

namespace sosie::gateway {

/// Who may share answers with whom.
enum class TenantBy {
  credentials,  ///< The caller's API key, however it is sent (Authorization, x-api-key, api-key, x-goog-api-key).
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
  base::Digest id{};      ///< Who shares answers. Never the key itself.
  base::Digest caller{};  ///< Who may be told what became of a request: the very one who sent it, however many are one tenant.
  bool anonymous = true;  ///< Sends nothing that names a caller: no key, no token, no user.
  bool may_loosen = false;
};

/// `id`: the set of the distinct keys of a request: the same key sent as "Authorization: Bearer K", "x-api-key: K" or
/// "api-key: K" is the same tenant; none is the anonymous one.
/// `caller`: the tenant and all that may say who asks (request_headers.h): the keys, whatever makes the tenant, and every header and
/// parameter of `query` (with its "?", or empty) that may name a caller. Of anonymous callers of whom keys are expected every header that
/// separates and every parameter counts, since something else than a key may tell them apart.
Tenant tenant_of(const net::HeaderList& headers, std::string_view query, const TenantOptions& options, const Compat& compat);

/// The same; and adds the tenant, and every other header that reaches the upstream and may change an answer (request_headers.h), to a
/// scope: the parts "tenant" and "header.<name in lower case>", never shown. A header that says the API's default
/// ("anthropic-version: 2023-06-01", or a later date) adds nothing, nor do those that `ignored` names.
Tenant add_caller(const net::HeaderList& headers, std::string_view query, const TenantOptions& options, const Compat& compat,
                  const std::vector<std::string>& ignored, protocol::Scope& scope);

}  // namespace sosie::gateway
