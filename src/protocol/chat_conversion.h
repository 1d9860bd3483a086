// chat_conversion.h: chat completions on their way from and to other APIs.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>

#include "protocol/answer.h"

namespace sosie::protocol {

/// Unset: it says something that `Answer` has no place for.
std::optional<Answer> answer_of_chat(simdjson::dom::object completion);

/// The kept form. Unset: it says nothing.
std::optional<std::string> chat_of_answer(const Answer& answer);

}  // namespace sosie::protocol
