// responses_answer.h: the form in which a response is kept, and the ways between it and an answer of any API.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/protocol.h"

namespace sosie::protocol {

/// The kept form of a whole response. Only a complete one is kept: its status is "completed", and at least one of its
/// items says something (a message with text or a refusal) or calls one of the caller's tools. Arguments of calls are JSON: an
/// object is kept as the text that the API has there, none at all as "{}".
/// `stored`: whether the upstream was asked to store it, too; else the kept form says `"store":false`.
std::variant<Kept, NotKept> keep_response(simdjson::dom::element response, bool stored);

/// Whether the upstream knows the kept response by its id.
bool is_stored_response(std::string_view kept) noexcept;

/// A kept form taken apart at its beginning: `head` ends behind "created_at":, `tail` begins behind its value.
struct KeptResponse {
  std::string_view head, created_at, tail;
};

/// Unset: `kept` is not a kept response.
std::optional<KeptResponse> split_kept_response(std::string_view kept) noexcept;

/// "created_at" of a response that no upstream has made: it is created when it is said.
inline constexpr std::string_view kWhenSaid = "0";

/// Unset: something of it cannot be said by other APIs.
std::optional<Answer> answer_of_response(simdjson::dom::element response);

/// The kept form of another API's answer to `request`, whose settings a response repeats. Its ids are new, and no
/// upstream knows them: such a response cannot be fetched or gone on with later. Hence "store" is false, whatever was
/// asked for. REQUIRES: it says its usage.
std::string response_of_answer(const Answer& answer, simdjson::dom::object request);

}  // namespace sosie::protocol
