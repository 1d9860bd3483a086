// cache_directives.h: what a caller asks of the cache, in whichever dialect: native headers, Cache-Control, and those of the
// gateways that it may have been written for.
#pragma once

#include <simdjson.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "net/http_message.h"
#include "protocol/question.h"
#include "sosie/similarity.h"

namespace sosie::gateway {

/// Dialects that can be turned on beside the native one. Their names in the configuration: "litellm", "portkey", …
struct Compat {
  bool litellm = true;
  bool portkey = false, helicone = false, cloudflare = false, bifrost = false;
};

/// All sources together. Where two say something of the same thing the stricter one holds; without leave to loosen,
/// whatever is freer than the server's own settings is not counted (`apply_limits`).
struct CacheDirectives {
  bool no_cache = false;        ///< Do not answer from the cache; the answer may be stored.
  bool no_store = false;        ///< Do not store the answer.
  bool only_if_cached = false;  ///< Do not ask the upstream: 504 instead.
  bool exact_only = false;      ///< Not by meaning.
  bool opted_in = false;        ///< Asked for the cache expressly: counts where the server's default is off.
  std::optional<std::chrono::milliseconds> max_age;  ///< No older entry.
  std::optional<std::chrono::milliseconds> ttl;      ///< Of the entry that is made.
  std::optional<Similarity> threshold;               ///< Cosine.
  std::string partition;  ///< Namespaces, cache keys, seeds: they join the scope, each behind its name. Empty: none.

  /// What was asked for in vain, each with the reason, for `GET /v1/explain/`: "x-sosie-threshold 0.8: …". At most kMostNotObeyed.
  std::vector<std::string> not_obeyed;
  std::string_view threshold_by = "threshold", ttl_by = "ttl", max_age_by = "max-age";  ///< Literals: who said so.

  static constexpr std::size_t kMostNotObeyed = 16;
};

/// Headers of a request. A native header that is not known or cannot be read is an error; what other dialects ignore is ignored,
/// and noted.
///   x-sosie-cache-control: no-cache, no-store, only-if-cached, exact, use-cache, max-age=SECONDS, ttl=SECONDS
///   x-sosie-threshold: 0 to 1       x-sosie-namespace: 1 to 256 bytes
///   Cache-Control: no-cache, no-store, only-if-cached, max-age=SECONDS; s-maxage=SECONDS is LiteLLM's: the new entry's
///   ttl Portkey's, Helicone's, Cloudflare's and Bifrost's: docs/gateway-control.md has the table.
std::variant<CacheDirectives, protocol::BadRequest> read_directives(const net::HeaderList& headers, const Compat& compat);

/// LiteLLM's `cache` member of a body (contract: peers of LiteLLM's proxy): ttl, s-maxage, s-max-age, no-cache,
/// no-store, namespace, use-cache; other keys are ignored, and noted. Anything of another type is an error that names the field.
std::optional<protocol::BadRequest> read_cache_member(simdjson::dom::element cache, CacheDirectives& directives);

/// What the server's settings allow: without `may_loosen` the threshold only rises above `threshold` and the ttl only
/// falls below `ttl` (unset: for ever); a directive for more is noted.
void apply_limits(CacheDirectives& directives, bool may_loosen, Similarity threshold, std::optional<std::chrono::milliseconds> ttl);

}  // namespace sosie::gateway
