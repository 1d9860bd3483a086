// messages_replay.h: a kept message as a stream.
#pragma once

#include <optional>
#include <string>

#include "protocol/json.h"

namespace sosie::protocol::messages {

/// All events from message_start to message_stop, under a new id. Unset: `message` is not a kept one.
std::optional<std::string> stream_of_message(simdjson::dom::element message);

}  // namespace sosie::protocol::messages
