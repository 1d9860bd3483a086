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
  std::size_t last_bytes = 0;   ///< Of the last message, as a string; what stands before it is history. 0: not a string.
};

/// Of "messages" or "input" in a JSON object; no history in anything else. Thread-safety: a pure function.
Turns read_turns(std::string_view kwargs);

}  // namespace sosie::text
