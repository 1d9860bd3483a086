// messages_tools.h: the tools of a request to the Messages API, and which of them the model may choose.
#pragma once

#include <simdjson.h>

#include <optional>

#include "protocol/question.h"
#include "protocol/scope.h"

namespace sosie::protocol::messages {

std::optional<BadRequest> read_tools(simdjson::dom::element value, Question& question, Scope& scope);

/// "tool_choice" and "parallel_tool_calls". Without tools, none is the default.
std::optional<BadRequest> read_tool_choice(simdjson::dom::element value, bool has_tools, Scope& scope);

}  // namespace sosie::protocol::messages
