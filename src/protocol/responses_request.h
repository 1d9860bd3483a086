// responses_request.h: what a request for a response asks, and which scope its answer belongs to.
#pragma once

#include <optional>
#include <string_view>

#include "protocol/question.h"

namespace sosie::protocol {

/// See `Protocol::read`.
std::optional<BadRequest> read_responses_request(simdjson::dom::object body, std::string_view without,
                                                 Question& question, Scope& scope);

}  // namespace sosie::protocol
