// retry.h: what our own errors say to clients that try again by themselves, as OpenAI's and Anthropic's do.
#pragma once

#include <string_view>

namespace sosie::gateway {

/// Header lines. Nothing will change by asking again; or it will soon.
inline constexpr std::string_view kDoNotRetry = "x-should-retry: false\r\n", kRetrySoon = "Retry-After: 1\r\n";

}  // namespace sosie::gateway
