// outcome.h: what became of a request, and how the answer's headers say so.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/request/cache_directives.h"
#include "protocol/question.h"
#include "sosie/cache.h"

namespace sosie::gateway {

using decide::Reason;

enum class CacheStatus {
  hit,        ///< From the cache.
  coalesced,  ///< From another request's upstream call, which was under way.
  miss,       ///< From the upstream; the cache was asked.
  bypass,     ///< From the upstream; the cache was not asked.
  error,      ///< From the upstream; the cache failed.
};
std::string_view to_string(CacheStatus cache_status) noexcept;

/// Whether the answer to a request is in the store, and if not, why.
struct Storing {
  enum class State {
    no,
    accepted,  ///< It is to be stored, and answers repeats already; a crash now would lose it.
    stored,    ///< As durably as the cache was opened for.
  };
  State state = State::no;
  Reason reason = Reason::none;  ///< Why not, or pending; stored: why for the same text only.
  std::string field;        ///< What the reason is about: of the answer, a status, an error's code. May be empty.
};

/// Everything that headers, metrics and `GET /v1/explain/{id}` say of one request.
struct Outcome {
  CacheStatus cache_status = CacheStatus::miss;
  Reason reason = Reason::none;                       ///< None for a hit.
  Layer layer = Layer::exact;                         ///< Of a hit, or of what a coalesced request followed.
  std::optional<Similarity> similarity;               ///< Of a hit; of a miss that of the nearest entry.
  Similarity threshold{1};                            ///< That held for this request.
  std::string entry_id;                               ///< Of a hit.
  std::chrono::milliseconds age{0};                   ///< Of a hit.
  std::optional<std::chrono::milliseconds> ttl_left;  ///< Of a hit, where its entry expires.
  decide::Reuse reuse = decide::Reuse::by_meaning;
  Reason reuse_reason = Reason::none;  ///< The rule that said so.
  bool forwarded = false;         ///< The upstream was asked.
  Storing storing;
};

/// Appends lines "Name: value\r\n": x-sosie-* (never that an answer is stored: headers leave before it is), Age and Cache-Status (RFC 9211), then those of the dialects turned on,
/// with their exact names and values:
///   litellm: x-litellm-cache-key (entry id) of a hit, x-litellm-semantic-similarity (0.0 on a miss), neither where the
///   cache was not asked; portkey: x-portkey-cache-status; helicone: Helicone-Cache; cloudflare: cf-aig-cache-status.
/// `request_id`: what `GET /v1/explain/` takes. Both ids consist of letters, digits, '-' and '_'.
void append_outcome_headers(std::string& lines, const Outcome& outcome, std::string_view request_id,
                            const Compat& compat);

}  // namespace sosie::gateway
