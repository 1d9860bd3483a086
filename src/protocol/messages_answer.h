// messages_answer.h: the form in which a message is kept, and the ways between it and an answer of any API.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/protocol.h"

namespace sosie::protocol::messages {

/// The kept form of a whole message: the message with its id and type ahead. Only a complete one is kept: it says
/// something or calls a tool, and ended by itself (end_turn, tool_use, stop_sequence). "max_tokens" is half an answer,
/// "pause_turn" not yet one, "refusal" none.
std::variant<Kept, NotKept> keep_message(simdjson::dom::element message);

/// All behind the id of a kept message. Unset: it is none.
std::optional<std::string_view> behind_id(std::string_view kept) noexcept;

/// A message's beginning up to where `behind_id` goes on.
std::string head_with_id(std::string_view id);

/// Unset: something of it cannot be said by other APIs.
std::optional<Answer> answer_of_message(simdjson::dom::element message);

/// The kept form of another API's answer. Unset: a message cannot say it.
std::optional<std::string> message_of_answer(JsonReader& reader, const Answer& answer);

}  // namespace sosie::protocol::messages
