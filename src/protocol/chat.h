// chat.h: OpenAI's chat completions, POST /v1/chat/completions.
//
// Kept is a chat.completion object whose first members are id, object and created; the rest stands as the upstream sent
// it. So a plain hit needs no parsing: new id and created, and the rest as it is.
#pragma once

#include "protocol/protocol.h"

namespace sosie::protocol {

/// Lives for ever.
const Protocol& chat_protocol();

}  // namespace sosie::protocol
