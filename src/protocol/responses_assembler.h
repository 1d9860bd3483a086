// responses_assembler.h: the whole response out of its stream. The last event brings it whole, or nearly: some servers leave out of it
// what they have said before, the items above all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/protocol.h"

namespace sosie::protocol {

class ResponsesAssembler final : public Assembler {
 public:
  ForUsage add(JsonReader& reader, std::string_view event, std::string_view data) override;
  void forget() override;
  bool done() const noexcept override { return done_; }
  /// Without its last event nobody has read a whole response; behind an error nothing is missing.
  bool ended() const noexcept override { return done_ || failed_; }
  bool failed() const noexcept override { return failed_; }
  std::variant<Kept, NotKept> finish(JsonReader& reader, const Question& question) const override;

 private:
  void read(const simdjson::dom::object& event, std::string_view type);
  void read_response(const simdjson::dom::object& event, bool completed);
  void read_item(const simdjson::dom::object& event, bool whole);
  std::variant<std::string, NotKept> items() const;
  void give_up(Reason reason, std::string_view field) {
    if (fault_.empty()) fault_ = NotKept(reason, field);
  }

  std::map<std::string, std::string, std::less<>> begun_;  // Of the first event's response: what the last may lack, as JSON.
  std::map<std::int64_t, std::string> items_;              // By their place in the output; as JSON once they are whole.
  std::string completed_;                                  // The last event's response.
  bool done_ = false;
  bool failed_ = false;
  NotKept fault_;
};

}  // namespace sosie::protocol
