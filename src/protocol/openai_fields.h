// openai_fields.h: fields that the requests and answers of OpenAI's APIs share.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

#include "protocol/question.h"
#include "protocol/scope.h"

namespace sosie::protocol {

bool is_text(simdjson::dom::element value, std::string_view wanted);
bool is_bool(simdjson::dom::element value, bool wanted);
bool is_number(simdjson::dom::element value, double wanted);
/// An array or object of nothing.
bool is_empty(simdjson::dom::element value);

/// "stream" and "stream_options" into `question`.
std::optional<BadRequest> read_stream_field(std::string_view key, simdjson::dom::element value, Question& question);

/// The parameters of both kinds of completions. False: `key` is none of them.
bool read_common_field(std::string_view key, simdjson::dom::element value, Question& question, Scope& scope);

/// "<api>.<key>": a field that no other API has, or that nobody has heard of.
void add_own_field(Scope& scope, std::string_view api, std::string_view key, simdjson::dom::element value);

/// The arguments of a call as OpenAI's APIs have them, a text. No arguments are an empty object: clients read the text as JSON. Unset: neither
/// a text nor an object.
std::optional<std::string> arguments_of(const simdjson::dom::object& call);

}  // namespace sosie::protocol
