#include "protocol/chat.h"

#include "protocol/chat_conversion.h"
#include "protocol/chat_request.h"
#include "protocol/openai_protocol.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

class ChatProtocol final : public CompletionProtocol {
 public:
  ChatProtocol() : CompletionProtocol(kChatForm) {}

  Surface surface() const noexcept override { return Surface::chat; }

  std::optional<BadRequest> read(dom::object body, std::string_view without, Question& question,
                                 Scope& scope) const override {
    return read_chat_request(body, without, question, scope);
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
};

}  // namespace

const Protocol& chat_protocol() {
  static const ChatProtocol protocol;
  return protocol;
}

}  // namespace sosie::protocol
