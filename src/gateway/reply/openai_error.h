// openai_error.h: errors as OpenAI's clients read them.
#pragma once

#include <string_view>

#include "net/http_message.h"

namespace sosie::gateway {

/// {"error":{"message","type","param","code"}}. `type` follows from the status. Empty `param` and `code`: null.
net::Reply openai_error(int status, std::string_view message, std::string_view param = {}, std::string_view code = {});

}  // namespace sosie::gateway
