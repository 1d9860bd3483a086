// completion_assembler.h: the whole completion, of either kind, out of the chunks of its stream.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/completion_form.h"
#include "protocol/joined_parts.h"
#include "protocol/protocol.h"

namespace sosie::protocol {

class CompletionAssembler final : public Assembler {
 public:
  explicit CompletionAssembler(const CompletionForm& form) : form_(form) {}

  ForUsage add(JsonReader& reader, std::string_view event, std::string_view data) override;
  void forget() override;
  bool done() const noexcept override { return done_; }
  /// Each choice seen has said why it ended. True of what cannot be kept, too.
  bool ended() const noexcept override;
  bool failed() const noexcept override { return failed_; }
  std::variant<Kept, NotKept> finish(JsonReader& reader, const Question& question) const override;

 private:
  using Members = std::vector<std::pair<std::string, std::string>>;  // name, and text or JSON, in order of appearance

  struct Function {
    std::string name, said;  // said: its arguments; what goes into a custom tool
  };
  struct Call {
    std::int64_t index = 0;
    std::string id, type;
    Function function;
    Members others;  // whole members, as JSON
  };
  struct Choice {
    Members texts;
    std::map<std::string, JoinedParts, std::less<>> lists;
    Members values;  // whole members of the message, as JSON
    Members others;  // and of the choice
    std::optional<Function> function_call;  // of the older kind
    std::vector<Call> calls;
    std::map<std::int64_t, std::size_t> latest_call;                           // by index, into calls
    std::map<std::pair<std::int64_t, std::string>, std::size_t> call_of_id;    // by index and id
    Members logprobs;  // member, and its array's elements as JSON
    bool has_logprobs = false;
    std::string finish;
  };

  void note_ends(const simdjson::dom::object& chunk);
  void read_chunk(const simdjson::dom::object& chunk);
  void read_choice(const simdjson::dom::object& choice);
  void read_delta(Choice& into, const simdjson::dom::object& delta);
  void read_text(Choice& into, std::string_view key, std::string_view text);
  void read_list(Choice& into, std::string_view key, const simdjson::dom::array& pieces);
  void read_tool_calls(Choice& into, const simdjson::dom::array& calls);
  static Call& call_of(Choice& into, std::int64_t index, const simdjson::dom::object& piece);
  bool read_call_member(Call& call, std::string_view key, simdjson::dom::element value);
  static bool read_function(Function& into, simdjson::dom::element value, std::string_view said);
  void read_logprobs(Choice& into, const simdjson::dom::object& logprobs);
  /// The value under `name`, begun empty where it is new. There are only so many names; beyond, what is written is lost with all else.
  std::string& value_of(Members& members, std::string_view name);
  /// A member that nobody has said how to join: one alone is the whole, and so is the same again. False: two that differ.
  bool take_whole(Members& members, std::string_view key, simdjson::dom::element value);
  void give_up(Reason reason, std::string_view field) {
    if (fault_.empty()) fault_ = NotKept(reason, field);
  }
  static std::string message_of(const Choice& choice);
  void append_choice(std::string& out, std::int64_t index, const Choice& choice) const;

  const CompletionForm& form_;
  std::string id_;
  std::int64_t created_ = 0;
  Members top_;  // model and the like, as JSON
  std::map<std::int64_t, Choice> choices_;
  std::map<std::int64_t, bool> ended_;  // of every choice seen
  bool unreadable_ = false;             // something that is no chunk
  bool failed_ = false;                 // an error in place of a chunk
  std::string usage_;
  bool used_ = false;  // It counts something.
  bool done_ = false;
  NotKept fault_;
};

}  // namespace sosie::protocol
