// question.h: a request as the cache sees it, whatever API it came by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

  /// Of the Responses API: the caller may come back to the answer by its id, which the upstream must know: `store` is not false.
  bool may_come_back = false;

  /// Another API's answer cannot say all that this request asks for (several choices, log-probabilities, …).
  bool needs_own_api = false;
};

/// A request that the cache cannot answer.
struct BadRequest {
  std::string message;
  std::string param;  ///< The field, where there is one.

  /// The cache cannot read it, but the upstream may: it is forwarded, and its answer not kept. False: it breaks a rule of the gateway's
  /// own (a key repeated, say, of which readers take one or the other) and is refused.
  bool unreadable = false;
};

inline BadRequest unreadable(std::string message, std::string param) { return {std::move(message), std::move(param), true}; }

}  // namespace sosie::protocol
