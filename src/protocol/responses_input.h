// responses_input.h: the conversation that a request for a response goes on with.
//
// `instructions` is a system's message ahead of the rest. Items of one turn of the model (what it thought, said and
// called) are one turn, as they are one message of other APIs. The last message of the user is matched by meaning; what
// stands behind it makes the turn an open one.
#pragma once

#include <optional>

#include "protocol/question.h"

namespace sosie::protocol {

/// `instructions` and `input` as the body has them; unset where it has not.
std::optional<BadRequest> read_responses_input(std::optional<simdjson::dom::element> instructions,
                                               std::optional<simdjson::dom::element> input, Question& question,
                                               Scope& scope);

}  // namespace sosie::protocol
