// openai_error.h: errors in the form of OpenAI's APIs.
#pragma once

#include <string>
#include <string_view>

namespace sosie::protocol {

std::string openai_error_body(int status, std::string_view message, std::string_view param, std::string_view code);

/// For a stream that breaks off.
std::string openai_error_event(int status, std::string_view message, std::string_view code);

}  // namespace sosie::protocol
