// replay_rows.h: what `sosie replay` understands a line of a JSONL file to be.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sosie/result.h"

namespace sosie::app {

/// One line. Either a pair (store `question`, ask `twin`) or a question of a stream (ask it, store it where it misses).
struct ReplayRow {
  std::string question;
  std::string scope;  ///< Model, system prompt and earlier turns, where the row has them: a hard key, as in the gateway.
  std::optional<std::string> answer;
  std::optional<std::string> twin;
  std::optional<bool> same;            ///< Label of a pair: do both ask the same?
  std::optional<std::string> cluster;  ///< Label of a stream: equal where questions ask the same.
};

/// Reads, first that is there:
///   {"a": "…", "b": "…", "same": 0|1|true|false}          a pair; `same` may be absent. Also question1, question2,
///                                                         is_duplicate; sentence1, sentence2, label; text1, text2
///   {"messages": [{"role": "user", "content": "…"}, …]}   a logged chat: the last user turn, and the assistant's after it
///   {"q"|"question"|"prompt"|"query"|"input"|"text": "…", "answer"|"response"|"completion"|"output"|"a": "…", "cluster": …}
///   "…"                                                   a JSON string
/// `model` and `system` beside any of them narrow the scope.
///
/// Errors: invalid_argument, saying what was expected.
Result<ReplayRow> parse_replay_row(std::string_view line);

}  // namespace sosie::app
