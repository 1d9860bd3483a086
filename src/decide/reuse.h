// reuse.h: how freely an answer may be used again: by meaning, for the same question only, or not at all.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "decide/reason.h"

namespace sosie::decide {

/// From free to strict.
enum class Reuse { by_meaning, exact, never };
std::string_view to_string(Reuse reuse) noexcept;  ///< "semantic", "exact", "bypass": the words of the configuration.

/// What a request says that matters here.
struct Traits {
  std::int64_t choices = 1;  ///< Answers asked for at once.
  bool logprobs = false;     ///< Wants log-probabilities.
  bool seed = false;         ///< Wants this very prompt repeatable.
  double temperature = 1;
  bool hosted_tools = false;  ///< Tools that the upstream itself runs: search, code, MCP.
  bool hidden_state =
      false;                ///< Refers to something at the upstream that may change: a conversation, a prompt template.
  bool open_turn = false;   ///< The last message is not the user's: a tool's result, an answer begun.
  bool completion = false;  ///< A text to go on with, not a question.
  bool no_text = false;     ///< Nothing to match by meaning: token numbers, several prompts, no text at all.
  bool embeddings = false;  ///< Always exact.
  std::vector<std::string> functions;  ///< Names of the functions that the model may call.
};

/// What a tool call does to the world.
enum class ToolClass { pure, read, write };

/// Names, or patterns with '*' for any run of characters.
struct ToolPolicy {
  std::vector<std::string> pure, read, write;
};

/// What is done with each kind. The defaults are the documented ones.
struct ReusePolicy {
  Reuse several_choices = Reuse::by_meaning;
  Reuse logprobs = Reuse::exact;
  Reuse seed = Reuse::exact;
  Reuse high_temperature = Reuse::never;
  double high_temperature_above = 1.0;
  Reuse hosted_tools = Reuse::never;
  Reuse open_turn = Reuse::exact;
  Reuse completions = Reuse::by_meaning;
  Reuse time_bound = Reuse::never;
  Reuse pure_tool_call = Reuse::by_meaning;
  Reuse read_tool_call = Reuse::exact;
  Reuse write_tool_call = Reuse::never;
  ToolPolicy tools;
};

struct Verdict {
  Reuse reuse = Reuse::by_meaning;
  Reason reason = Reason::none;  ///< Of the strictest rule that held.

  /// Only an answer that calls tools may be used again: the question depends on the time, but the tool is what looks.
  bool tool_calls_only = false;
};

/// Of a request, before its answer is known. Also time_bound, where the prompt is (time_bound.h); with functions on offer it is then
/// exact at least, and `tool_calls_only` where the policy says never. `hidden_state` is
/// never; `no_text` and `embeddings` are exact at most.
Verdict judge_request(const ReusePolicy& policy, const Traits& traits, std::string_view prompt);

/// Of an answer that calls these tools (none: by meaning).
Verdict judge_answer(const ReusePolicy& policy, const std::vector<std::string>& called_tools);

/// Of an answer to a request: the stricter of both.
Reuse judge(const ReusePolicy& policy, const Verdict& request, const std::vector<std::string>& called_tools);

/// The class of a tool: as listed (write before read before pure), else write where the words of its name say that it
/// changes something ("send_mail", "deleteUser"; not "get_order", which looks at one), else read.
ToolClass class_of(const ToolPolicy& policy, std::string_view tool);

}  // namespace sosie::decide
