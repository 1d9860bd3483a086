// messages_turns.h: the conversation of a request to the Messages API.
#pragma once

#include <simdjson.h>

#include <optional>

#include "protocol/question.h"
#include "protocol/scope.h"

namespace sosie::protocol::messages {

/// The last text of the user's into the prompt, all else into "history" and "last_turn".
std::optional<BadRequest> read_turns(std::optional<simdjson::dom::element> system, simdjson::dom::element messages,
                                     Question& question, Scope& scope);

}  // namespace sosie::protocol::messages
