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
/// ("stop", "tool_calls", "function_call"). "length" is half an answer, "content_filter" none. Arguments of calls are JSON: an
/// object is kept as the text that the API has there, none at all as "{}".
/// The choices must be `choice_count`, numbered from 0: as many as were asked for.
std::variant<Kept, NotKept> keep_completion(const CompletionForm& form, JsonReader& reader, std::string_view completion,
                                            std::int64_t choice_count);

/// A stream whose upstream did not say what it has used: nobody who asks for a plain answer gets this one, for a client may count on
/// `usage` there. A whole answer without usage is its upstream's own, and is said again as it came.
void mark_without_usage(const CompletionForm& form, std::string& kept);
bool is_marked_without_usage(const CompletionForm& form, std::string_view kept) noexcept;

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
