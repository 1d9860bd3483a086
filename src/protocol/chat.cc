#include "protocol/chat.h"

#include "protocol/chat_conversion.h"
#include "protocol/chat_request.h"
#include "protocol/completion_answer.h"
#include "protocol/completion_assembler.h"
#include "protocol/openai_error.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

class ChatProtocol final : public Protocol {
 public:
  Surface surface() const noexcept override { return Surface::chat; }

  std::optional<BadRequest> read(dom::object body, std::string_view without, Question& question,
                                 Scope& scope) const override {
    return read_chat_request(body, without, question, scope);
  }

  std::variant<Kept, NotKept> keep(JsonReader& reader, std::string_view body, const Question& question) const override {
    return keep_completion(kChatForm, reader, body, question.traits.choices);
  }

  std::unique_ptr<Assembler> assembler() const override { return std::make_unique<CompletionAssembler>(kChatForm); }

  bool owns(std::string_view kept) const noexcept override { return owns_completion(kChatForm, kept); }

  std::optional<PlainReplay> replay(std::string_view kept, const ReplayOptions& options) const override {
    return replay_completion(kChatForm, kept, options.created);
  }

  std::optional<std::string> replay_stream(JsonReader& reader, std::string_view kept,
                                           const ReplayOptions& options) const override {
    return replay_completion_stream(kChatForm, reader, kept, options);
  }

  std::optional<Answer> to_answer(JsonReader& reader, std::string_view kept) const override {
    if (!owns(kept)) return std::nullopt;
    const auto completion = reader.read_copy(kept);
    dom::object members;
    if (!completion || completion->get_object().get(members) != simdjson::SUCCESS) return std::nullopt;
    return answer_of_chat(members);
  }

  std::optional<std::string> from_answer(JsonReader&, const Answer& answer, std::string_view) const override {
    return chat_of_answer(answer);
  }

  std::string error_body(int status, std::string_view message, std::string_view param,
                         std::string_view code) const override {
    return openai_error_body(status, message, param, code);
  }

  std::string error_event(int status, std::string_view message, std::string_view code) const override {
    return openai_error_event(status, message, code);
  }
};

}  // namespace

const Protocol& chat_protocol() {
  static const ChatProtocol protocol;
  return protocol;
}

}  // namespace sosie::protocol
