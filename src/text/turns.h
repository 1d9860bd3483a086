// turns.h: how a conversation hangs together with its prompt.
#pragma once

#include <cstddef>
#include <string_view>

#include "sosie/result.h"

namespace sosie::text {

struct Turns {
  bool has_history = false;     ///< Something was answered before: an assistant's or a tool's message (or item) is among them.
  bool ends_with_user = true;   ///< The last message is the user's. False: an agent's turn, after a tool's result.
  bool of_input = false;        ///< The Responses API's "input" is asked, no "messages".

  /// The user's last message, and what comes behind it, in bytes of the prompt. What stands before the question (instructions, earlier
  /// turns) and behind it is not asked, but said: it must be equal for an answer to fit.
  std::size_t question_bytes = kWhole;  ///< kWhole: there is nothing but the question.
  std::size_t behind_bytes = 0;

  static constexpr std::size_t kWhole = static_cast<std::size_t>(-1);
};

/// Of "messages" or "input" in a JSON object; no history in anything else. Thread-safety: a pure function.
Turns read_turns(std::string_view kwargs);

}  // namespace sosie::text
