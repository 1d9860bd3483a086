// prompt.h: the prompt of an LLM request, as LiteLLM's RedisSemanticCache takes it (contract section 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sosie/result.h"

namespace sosie::text {

/// As LiteLLM 1.109.1 takes it. `kwargs`: a JSON object with "messages" or "input", as json.dumps writes it, NaN and
/// integers of any size included. Unset: there is no prompt. An empty string is a prompt. A lone surrogate escape
/// becomes the three bytes of its UTF-8-like form (so that the text is then not valid UTF-8). Pure functions,
/// thread-safe. Errors: invalid_argument (no JSON object in UTF-8; nested too deeply; messages of a shape that upstream
/// raises on).
Result<std::optional<std::string>> prompt_from_kwargs(std::string_view kwargs);

/// What of the request leaves no trace in that prompt but changes the answer: images, audio, video, files, documents,
/// calls of tools and their arguments, results that are not text, names of speakers, reasoning, and whatever a block of
/// an unknown type carries. A text that is equal for equal parts in equal order, with a mark where text stands between
/// them; empty where all is text. Roles and the bounds of messages are no part of it, nor the names that a server makes
/// up for calls (who answers which call is), hints to caches, the order of keys. As long as the parts: hash it. Errors:
/// as above.
Result<std::string> non_text_parts(std::string_view kwargs);

}  // namespace sosie::text
