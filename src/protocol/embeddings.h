// embeddings.h: OpenAI's embeddings, POST /v1/embeddings, passed on to an upstream and kept for the very same input.
//
// Kept is the upstream's body without white space, "object" first. A repeat is those bytes.
#pragma once

#include "protocol/protocol.h"

namespace sosie::protocol {

/// Lives for ever.
const Protocol& embeddings_protocol();

}  // namespace sosie::protocol
