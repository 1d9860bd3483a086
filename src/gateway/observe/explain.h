// explain.h: a decision in words and figures.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/observe/decision_log.h"
#include "sosie/cache.h"

namespace sosie::gateway {

/// The JSON of `GET /v1/explain/{id}`: what happened, what decided, what was asked for in vain, the scope's parts, and the candidates:
/// those that were there when it was asked and still are (best first, with their similarities in cosine and in LangCache's measure),
/// unless `with_candidates` is false. `closest` may be unset.
///
/// Blocks: embeds the prompt and looks the candidates up. Changes nothing, and counts nowhere. Thread-safety: safe.
std::string explain(std::string_view id, const Decision& decision, const SemanticCache& cache,
                    const std::optional<DecisionLog::Closest>& closest, bool with_candidates = true);

}  // namespace sosie::gateway
