// explain.h: a decision in words and figures.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/decisions.h"
#include "sosie/cache.h"

namespace sosie::gateway {

/// The JSON of `GET /v1/explain/{id}`: what happened, what decided, the scope's parts, and the candidates as the cache
/// has them now (best first, with their similarities in cosine and in LangCache's measure). `closest` may be unset.
///
/// Blocks: embeds the prompt and looks the candidates up. Thread-safety: safe.
std::string explain(std::string_view id, const Decision& decision, const SemanticCache& cache,
                    const std::optional<Decisions::Closest>& closest);

}  // namespace sosie::gateway
