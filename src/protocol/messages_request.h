// messages_request.h: what a request to the Messages API asks, and what fence its answer belongs behind.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string_view>

#include "protocol/question.h"
#include "protocol/scope.h"

namespace sosie::protocol::messages {

/// As `Protocol::read`.
std::optional<BadRequest> read_request(simdjson::dom::object body, std::string_view without, Question& question,
                                       Scope& scope);

}  // namespace sosie::protocol::messages
