// prompt.h: the prompt of an LLM request, as LiteLLM's RedisSemanticCache takes it (contract section 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sosie/result.h"

namespace sosie::text {

/// Which LiteLLM to be like, where releases differ: only the newest (1.109.1).
/// `kwargs`: a JSON object with "messages" or "input". Unset: there is no prompt. An empty string is a prompt.
/// A lone surrogate escape becomes the three bytes of its UTF-8-like form (so that the text is then not valid UTF-8).
/// Errors: invalid_argument (not a JSON object; messages of a shape that upstream raises on).
Result<std::optional<std::string>> prompt_from_kwargs(std::string_view kwargs);

/// What of the request leaves no trace in that prompt but changes the answer: images, audio, files and documents, tool calls and their arguments, tool results that are not text, roles and
/// turn boundaries are not part of it. A canonical text (object keys sorted) of the non-text parts in order; empty where all is text.
/// Errors: as above.
Result<std::string> non_text_parts(std::string_view kwargs);

}  // namespace sosie::text
