// chat_answer.h: the form in which an answer is kept, and the ways back out of it.
//
// Kept is a chat.completion object whose first members are id, object and created; the rest stands as the upstream sent it.
// So a plain hit needs no parsing: new id and created, and the rest as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/json.h"

namespace sosie::gateway {

/// Why an answer is not kept: a literal, e.g. "finish_reason".
using NotKept = std::string_view;

/// The kept form of a whole chat.completion. Only a complete answer is kept: every choice has a message with something in
/// it, and ended by itself ("stop", "tool_calls", "function_call"). "length" is half an answer, "content_filter" none.
/// The choices must be `choice_count`, numbered from 0: as many as were asked for.
std::variant<std::string, NotKept> keep_completion(JsonReader& reader, std::string_view completion,
                                                   std::int64_t choice_count = 1);

/// Whether a choice that ended so may be kept.
bool is_complete_finish(std::string_view finish_reason) noexcept;

/// Whether a stream brings the message's text of that name in pieces.
bool is_joined_text(std::string_view name) noexcept;

/// "chatcmpl-" and 32 hex digits, new each time. Thread-safety: safe.
std::string new_completion_id();

/// A plain answer: `head` and then `tail`, which is a view of `kept`. Unset: `kept` is not in the kept form.
struct PlainReplay {
  std::string head;
  std::string_view tail;
};
std::optional<PlainReplay> replay_plain(std::string_view kept, std::int64_t created);

/// A stream, event by event, "data: [DONE]" last. Texts are cut at word borders; joined they are the kept ones.
/// Unset: `kept` is not in the kept form.
std::optional<std::string> replay_stream(JsonReader& reader, std::string_view kept, std::int64_t created,
                                         bool include_usage);

}  // namespace sosie::gateway
