// answer_kind.h: what kind of call a stored answer belongs to.
#pragma once

#include <string_view>

namespace sosie::text {

enum class AnswerKind {
  chat,       ///< chat.completion or an Anthropic message: answers "messages".
  responses,  ///< The Responses API: answers "input".
  embedding,  ///< Vectors.
  other,      ///< Anything else, plain text too.
};

/// By the members of the answer's JSON text. Thread-safety: a pure function. Any bytes.
AnswerKind kind_of_answer(std::string_view answer);

}  // namespace sosie::text
