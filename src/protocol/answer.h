// answer.h: an answer free of any API's form, on its way from one API to another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sosie::protocol {

struct ToolCall {
  std::string id, name;
  std::string arguments;  ///< JSON text, as the model wrote it.
};

struct Usage {
  std::int64_t input_tokens = 0, output_tokens = 0;
  std::int64_t cached_input_tokens = 0, reasoning_tokens = 0;  ///< Parts of the two.
};

/// One complete answer of one choice. What cannot be said with these members is not moved between APIs.
struct Answer {
  std::string id;  ///< As the upstream gave it.
  std::string model;
  std::string text;
  std::string refusal;
  std::string reasoning;  ///< In the clear; signed or encrypted reasoning stays with its API.
  std::vector<ToolCall> tool_calls;
  std::optional<Usage> usage;
  bool called_tools() const noexcept { return !tool_calls.empty(); }
};

}  // namespace sosie::protocol
