// messages_assembler.h: the whole message out of the events of its stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/protocol.h"

namespace sosie::protocol::messages {

class MessageAssembler final : public Assembler {
 public:
  ForUsage add(JsonReader& reader, std::string_view event, std::string_view data) override;
  void forget() override;
  bool done() const noexcept override { return done_; }
  bool ended() const noexcept override;
  bool failed() const noexcept override { return failed_; }
  std::variant<Kept, NotKept> finish(JsonReader& reader, const Question& question) const override;

 private:
  using Members = std::vector<std::pair<std::string, std::string>>;  // name and JSON, in order of appearance

  struct Block {
    std::string type;
    Members members;
    std::string text;       // of a text or a thinking block
    std::string signature;  // of a thinking block
    std::string input;      // of a tool's call, as it came
    std::string citations;  // their JSON, joined
    bool stopped = false;
  };

  void read(const simdjson::dom::object& event, std::string_view type);
  /// The member's value, "null" where it is new. There are only so many names; beyond, what is written is lost with all else.
  std::string& value_of(Members& members, std::string_view name);
  void set(Members& members, std::string_view name, simdjson::dom::element value);
  /// The same, but what says nothing (null, an empty text, 0) overwrites nothing.
  void update(Members& members, std::string_view name, simdjson::dom::element value);
  void start_message(const simdjson::dom::object& event);
  void start_block(const simdjson::dom::object& event);
  void read_block_delta(const simdjson::dom::object& event);
  void read_message_delta(const simdjson::dom::object& event);
  /// Null: no such block, or it has stopped.
  Block* open_block(const simdjson::dom::object& event);
  void give_up(Reason reason, std::string_view field) {
    if (fault_.empty()) fault_ = NotKept(reason, field);
  }

  Members top_;  // but for content and usage
  Members usage_;
  std::vector<Block> blocks_;
  bool started_ = false, said_why_ = false, done_ = false;
  bool failed_ = false;  // its own error event has come
  bool broken_ = false;  // something that is no event, or an error
  NotKept fault_;
};

}  // namespace sosie::protocol::messages
