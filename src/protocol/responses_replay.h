// responses_replay.h: a kept response as the stream that it could have come by.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/json.h"

namespace sosie::protocol {

/// Every event of the API's own order, numbered from 0, "response.completed" last. `created`: JSON of a number, for
/// "created_at". REQUIRES: `response` is a kept response.
std::string stream_of_response(simdjson::dom::object response, std::string_view created);

}  // namespace sosie::protocol
