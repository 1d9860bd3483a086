#include "protocol/messages.h"

#include "protocol/messages_answer.h"
#include "protocol/messages_assembler.h"
#include "protocol/messages_json.h"
#include "protocol/messages_replay.h"
#include "protocol/messages_request.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

std::string_view type_of(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 402: return "billing_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 408:
    case 504: return "timeout_error";
    case 503:
    case 529: return "overloaded_error";
    default: return status < 500 ? "invalid_request_error" : "api_error";
  }
}

class Messages final : public Protocol {
 public:
  Surface surface() const noexcept override { return Surface::messages; }

  std::optional<BadRequest> read(dom::object body, std::string_view without, Question& question,
                                 Scope& scope) const override {
    return messages::read_request(body, without, question, scope);
  }

  std::variant<Kept, NotKept> keep(JsonReader& reader, std::string_view body,
                                   const Question& /*question*/) const override {
    const auto root = reader.read_copy(body);
    if (!root) return NotKept(Reason::not_json, kWholeAnswer);
    return messages::keep_message(*root);
  }

  std::unique_ptr<Assembler> assembler() const override { return std::make_unique<messages::MessageAssembler>(); }

  bool owns(std::string_view kept) const noexcept override { return messages::behind_id(kept).has_value(); }

  std::optional<PlainReplay> replay(std::string_view kept, const ReplayOptions& /*options*/) const override {
    const auto tail = messages::behind_id(kept);
    if (!tail) return std::nullopt;
    return PlainReplay{messages::head_with_id(new_id("msg_")), *tail};
  }

  std::optional<std::string> replay_stream(JsonReader& reader, std::string_view kept,
                                           const ReplayOptions& /*options*/) const override {
    const auto message = read_kept(reader, kept);
    if (!message) return std::nullopt;
    return messages::stream_of_message(*message);
  }

  std::optional<Answer> to_answer(JsonReader& reader, std::string_view kept) const override {
    const auto message = read_kept(reader, kept);
    if (!message) return std::nullopt;
    return messages::answer_of_message(*message);
  }

  std::optional<std::string> from_answer(JsonReader& reader, const Answer& answer,
                                         std::string_view /*request*/) const override {
    return messages::message_of_answer(reader, answer);
  }

  std::string error_body(int status, std::string_view message, std::string_view /*param*/,
                         std::string_view code) const override {
    std::string out;
    {
      ObjectWriter body(out);
      body.text("type", "error");
      ObjectWriter error(body.name("error"));
      error.text("type", type_of(status)).text("message", message);
      if (!code.empty()) error.text("code", code);  // Not the API's own, which has no finer word for what went wrong.
    }
    return out;
  }

  std::string error_event(int status, std::string_view message, std::string_view code) const override {
    return "event: error\ndata: " + error_body(status, message, {}, code) + "\n\n";
  }

 private:
  std::optional<dom::element> read_kept(JsonReader& reader, std::string_view kept) const {
    return owns(kept) ? reader.read_copy(kept) : std::nullopt;
  }
};

}  // namespace

const Protocol& messages_protocol() {
  static const Messages protocol;
  return protocol;
}

}  // namespace sosie::protocol
