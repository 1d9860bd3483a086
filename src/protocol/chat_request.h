// chat_request.h: what a chat completion request asks, and what fence its answer belongs behind.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string_view>

#include "protocol/question.h"
#include "protocol/scope.h"

namespace sosie::protocol {

/// As `Protocol::read`.
std::optional<BadRequest> read_chat_request(simdjson::dom::object body, std::string_view without, Question& question,
                                            Scope& scope);

/// Its `messages`: the last text of the user's into the prompt, all around it into "history" and "last_turn".
std::optional<BadRequest> read_chat_messages(simdjson::dom::element messages, Question& question, Scope& scope);

/// Its `tools`: into "tools" what other APIs have, too, into "chat.tools" the rest.
std::optional<BadRequest> read_chat_tools(simdjson::dom::element tools, Question& question, Scope& scope);

}  // namespace sosie::protocol
