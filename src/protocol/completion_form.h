// completion_form.h: what chat completions and the older completions have in common: answers of several choices, each
// with its text and the reason why it ended.
#pragma once

#include <string_view>

namespace sosie::protocol {

struct CompletionForm {
  std::string_view object, chunk_object;  ///< Their names.
  std::string_view id_prefix;
  bool has_messages;  ///< A choice holds a message, a piece of it a delta. Else both hold a text.
};

inline constexpr CompletionForm kChatForm{"chat.completion", "chat.completion.chunk", "chatcmpl-", true};
inline constexpr CompletionForm kTextForm{"text_completion", "text_completion", "cmpl-", false};

}  // namespace sosie::protocol
