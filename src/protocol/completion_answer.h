// completion_answer.h: the form in which a completion of either kind is kept, and the ways back out of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/completion_form.h"
#include "protocol/protocol.h"

namespace sosie::protocol {

/// The kept form of a whole completion. Only a complete answer is kept: every choice says something and ended by itself
/// ("stop", "tool_calls", "function_call"). "length" is half an answer, "content_filter" none.
/// The choices must be `choice_count`, numbered from 0: as many as were asked for.
std::variant<Kept, NotKept> keep_completion(const CompletionForm& form, JsonReader& reader, std::string_view completion,
                                            std::int64_t choice_count);

/// What is wrong with the choices; empty: nothing. `count`: how many there must be, numbered from 0, in any order;
/// without numbers they count in theirs.
NotKept fault_of_choices(const CompletionForm& form, const simdjson::dom::array& choices, std::int64_t count);

/// Whether a stream brings the message's text of that name in pieces.
bool is_joined_text(std::string_view name) noexcept;

bool owns_completion(const CompletionForm& form, std::string_view kept) noexcept;

/// With a new id. Unset: `kept` is not in the kept form.
std::optional<PlainReplay> replay_completion(const CompletionForm& form, std::string_view kept, std::int64_t created);

/// A stream, event by event, "data: [DONE]" last. Unset: `kept` is not in the kept form.
std::optional<std::string> replay_completion_stream(const CompletionForm& form, JsonReader& reader,
                                                    std::string_view kept, const ReplayOptions& options);

}  // namespace sosie::protocol
