// question.h: a request as the cache sees it, whatever API it came by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "decide/reuse.h"
#include "protocol/scope.h"

namespace sosie::protocol {

/// The APIs whose answers are kept.
enum class Surface { chat, completions, responses, messages, embeddings };
inline constexpr std::size_t kSurfaces = 5;

/// "chat", "completions", …
std::string_view to_string(Surface surface) noexcept;

/// The text to match by meaning and everything around it.
struct Question {
  std::string prompt;  ///< The last user turn's text. Of embeddings: the canonical input.
  std::string model;
  bool stream = false;
  bool include_usage = false;  ///< Of a stream: chat and completions.
  decide::Traits traits;       ///< What decides how freely the answer may be used again.

  /// Another API's answer cannot say all that this request asks for (several choices, log-probabilities, …).
  bool needs_own_api = false;
};

/// A request that breaks its API's rules, as far as the cache must know them.
struct BadRequest {
  std::string message;
  std::string param;  ///< The field, where there is one.
};

}  // namespace sosie::protocol
