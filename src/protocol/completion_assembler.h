// completion_assembler.h: the whole completion, of either kind, out of the chunks of its stream.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/completion_form.h"
#include "protocol/protocol.h"

namespace sosie::protocol {

class CompletionAssembler final : public Assembler {
 public:
  explicit CompletionAssembler(const CompletionForm& form) : form_(form) {}

  void add(JsonReader& reader, std::string_view event, std::string_view data) override;
  bool done() const noexcept override { return done_; }
  /// Each choice seen has said why it ended. True of what cannot be kept, too.
  bool ended() const noexcept override;
  bool failed() const noexcept override { return failed_; }
  std::variant<Kept, NotKept> finish(JsonReader& reader, const Question& question) const override;

 private:
  using Texts = std::vector<std::pair<std::string, std::string>>;  // name and joined text, in order of appearance

  struct Call {
    std::string id, type, name, input;
    std::vector<std::pair<std::string, std::string>> others;  // whole members, as JSON
  };
  struct Choice {
    Texts texts;
    std::vector<std::pair<std::string, std::string>> values;  // whole members of the message, as JSON
    std::vector<std::pair<std::string, std::string>> others;  // and of the choice
    std::map<std::int64_t, Call> calls;
    Texts logprobs;  // member, and its array's elements as JSON
    bool has_logprobs = false;
    std::string finish;
  };

  void note_ends(const simdjson::dom::object& chunk);
  void read_chunk(const simdjson::dom::object& chunk);
  void read_choice(const simdjson::dom::object& choice);
  void read_delta(Choice& into, const simdjson::dom::object& delta);
  void read_tool_calls(Choice& into, const simdjson::dom::array& calls);
  bool read_call_member(Call& call, std::string_view key, simdjson::dom::element value);
  void read_logprobs(Choice& into, const simdjson::dom::object& logprobs);
  void give_up(NotKept why) noexcept {
    if (fault_.empty()) fault_ = why;
  }
  static std::string message_of(const Choice& choice);
  void append_choice(std::string& out, std::int64_t index, const Choice& choice) const;

  const CompletionForm& form_;
  std::string id_;
  std::int64_t created_ = 0;
  std::vector<std::pair<std::string, std::string>> top_;  // model and the like, as JSON
  std::map<std::int64_t, Choice> choices_;
  std::map<std::int64_t, bool> ended_;  // of every choice seen
  bool unreadable_ = false;             // something that is no chunk
  bool failed_ = false;                 // an error in place of a chunk
  std::string usage_;
  bool done_ = false;
  NotKept fault_;
};

}  // namespace sosie::protocol
