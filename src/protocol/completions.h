// completions.h: OpenAI's older completions, POST /v1/completions. Kept is a text_completion object, as chat.h keeps
// its own.
#pragma once

#include "protocol/protocol.h"

namespace sosie::protocol {

/// Lives for ever.
const Protocol& completions_protocol();

}  // namespace sosie::protocol
