// chat_assembler.h: the whole answer out of the chunks of its stream.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "gateway/chat_answer.h"
#include "gateway/json.h"

namespace sosie::gateway {

/// Fed with the data of each event; gives the kept form once all is there. What it does not understand makes it give up:
/// the stream is forwarded all the same, only not kept. Thread-safety: none.
class ChatAssembler {
 public:
  /// The data of one event, "[DONE]" included.
  void add(JsonReader& reader, std::string_view data);

  /// Whether "[DONE]" was seen.
  bool done() const noexcept { return done_; }

  /// Whether `choice_count` choices or more were seen and each has said why it ended. True of what cannot be kept, too.
  bool every_choice_ended(std::int64_t choice_count) const noexcept;

  /// The kept form, if `choice_count` choices are there. REQUIRES: nothing is added afterwards.
  std::variant<std::string, NotKept> finish(JsonReader& reader, std::int64_t choice_count = 1) const;

 private:
  using Texts = std::vector<std::pair<std::string, std::string>>;  // name and joined text, in order of appearance

  struct ToolCall {
    std::string id, type, name, arguments;
  };
  struct Choice {
    Texts texts;
    std::vector<std::pair<std::string, std::string>> values;  // whole members of the message, as JSON
    std::vector<std::pair<std::string, std::string>> others;  // and of the choice
    std::map<std::int64_t, ToolCall> calls;
    Texts logprobs;  // member, and its array's elements as JSON
    bool has_logprobs = false;
    std::string finish;
  };

  void note_ends(const simdjson::dom::object& chunk);
  void read_chunk(const simdjson::dom::object& chunk);
  void read_choice(const simdjson::dom::object& choice);
  void read_delta(Choice& into, const simdjson::dom::object& delta);
  void read_tool_calls(Choice& into, const simdjson::dom::array& calls);
  void read_logprobs(Choice& into, const simdjson::dom::object& logprobs);
  void give_up(NotKept why) noexcept {
    if (fault_.empty()) fault_ = why;
  }
  static void append_choice(std::string& out, std::int64_t index, const Choice& choice);

  std::string id_;
  std::int64_t created_ = 0;
  std::vector<std::pair<std::string, std::string>> top_;  // model and the like, as JSON
  std::map<std::int64_t, Choice> choices_;
  std::map<std::int64_t, bool> ended_;  // of every choice seen
  bool unreadable_ = false;             // something that is no chunk
  std::string usage_;
  bool done_ = false;
  NotKept fault_;
};

}  // namespace sosie::gateway
