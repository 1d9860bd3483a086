// messages.h: Anthropic's Messages API, POST /v1/messages.
#pragma once

#include "protocol/protocol.h"

namespace sosie::protocol {

/// Lives for ever.
const Protocol& messages_protocol();

}  // namespace sosie::protocol
