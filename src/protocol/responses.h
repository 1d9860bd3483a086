// responses.h: OpenAI's Responses API, POST /v1/responses.
//
// Kept is a response object whose first members are id, object and created_at; the rest stands as the upstream sent it,
// the names of its items too. A plain repeat is those very bytes: the upstream knows the id, so that
// `previous_response_id` works after a repeat as it does after the first answer.
#pragma once

#include "protocol/protocol.h"

namespace sosie::protocol {

/// Lives for ever.
const Protocol& responses_protocol();

}  // namespace sosie::protocol
