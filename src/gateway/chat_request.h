// chat_request.h: what a chat completion request asks, and what fence its answer belongs behind.
//
// The scope is a digest of everything that can change the answer, except the text that is matched by meaning:
//   every header and the query that reach the upstream (see request_headers.h for the few that cannot matter), the call
//   type, every top-level field but `messages`, `stream` and `stream_options` (so that a field nobody has heard of yet
//   separates, too), every message before the last, and of the last message all but its text: other keys, the kinds of
//   its parts in their order, the parts that are not text, and where joins of texts that break lines lie.
// The prompt is the text of the last message, which must be the user's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/json.h"
#include "net/http_message.h"

namespace sosie::gateway {

struct ChatRequest {
  std::string prompt;
  std::string scope;
  bool stream = false;
  bool include_usage = false;       ///< Of a stream.
  std::int64_t choices = 1;         ///< How many were asked for, `n`. 0: not a whole number.
  std::string_view bypass_reason;  ///< Empty: the cache may answer. Else a literal that says why it may not.
};

/// A request that breaks the API's rules.
struct BadRequest {
  std::string message;
  std::string param;  ///< The field, where there is one.
};

/// Reads the body of POST /v1/chat/completions. `body` as `JsonReader::read` wants it; the result holds no reference
/// to it. `query`: what follows the path, with its "?", or nothing.
std::variant<ChatRequest, BadRequest> read_chat_request(JsonReader& reader, const std::string& body,
                                                        const net::HeaderList& headers,
                                                        std::string_view query = {});

}  // namespace sosie::gateway
