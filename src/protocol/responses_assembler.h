// responses_assembler.h: the whole response out of its stream. The last event brings it whole; the others only say
// whether the stream is one.
#pragma once

#include <string>
#include <variant>

#include "protocol/protocol.h"

namespace sosie::protocol {

class ResponsesAssembler final : public Assembler {
 public:
  void add(JsonReader& reader, std::string_view event, std::string_view data) override;
  bool done() const noexcept override { return done_; }
  /// Without its last event nobody has read a whole response; behind an error nothing is missing.
  bool ended() const noexcept override { return done_ || failed_; }
  bool failed() const noexcept override { return failed_; }
  std::variant<Kept, NotKept> finish(JsonReader& reader, const Question& question) const override;

 private:
  void read_response(const simdjson::dom::object& event, bool completed);
  void give_up(NotKept why) noexcept {
    if (fault_.empty()) fault_ = why;
  }

  std::string id_;  // As the first event gave it.
  std::variant<Kept, NotKept> kept_ = NotKept("incomplete");
  bool done_ = false;
  bool failed_ = false;
  NotKept fault_;
};

}  // namespace sosie::protocol
