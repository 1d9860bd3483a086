#include "protocol/responses.h"

#include <memory>

#include "protocol/openai_protocol.h"
#include "protocol/responses_answer.h"
#include "protocol/responses_assembler.h"
#include "protocol/responses_replay.h"
#include "protocol/responses_request.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

class ResponsesProtocol final : public OpenAiProtocol {
 public:
  Surface surface() const noexcept override { return Surface::responses; }

  std::optional<BadRequest> read(dom::object body, std::string_view without, Question& question,
                                 Scope& scope) const override {
    return read_responses_request(body, without, question, scope);
  }

  std::variant<Kept, NotKept> keep(JsonReader& reader, std::string_view body, const Question& question) const override {
    const auto response = reader.read_copy(body);
    if (!response) return NotKept(Reason::not_json, kWholeAnswer);
    return keep_response(*response, question.may_come_back);
  }

  std::unique_ptr<Assembler> assembler() const override { return std::make_unique<ResponsesAssembler>(); }

  bool owns(std::string_view kept) const noexcept override { return split_kept_response(kept).has_value(); }

  Reason misfit(std::string_view kept, const Question& question) const override {
    return question.may_come_back && !is_stored_response(kept) ? Reason::not_stored : Reason::none;
  }

  std::optional<PlainReplay> replay(std::string_view kept, const ReplayOptions& options) const override {
    const auto parts = split_kept_response(kept);
    if (!parts) return std::nullopt;
    if (parts->created_at != kWhenSaid) return PlainReplay{{}, kept};
    return PlainReplay{std::string(parts->head) + std::to_string(options.created), parts->tail};
  }

  std::optional<std::string> replay_stream(JsonReader& reader, std::string_view kept,
                                           const ReplayOptions& options) const override {
    const auto parts = split_kept_response(kept);
    if (!parts) return std::nullopt;
    const std::string created(parts->created_at == kWhenSaid ? std::to_string(options.created)
                                                             : std::string(parts->created_at));
    const auto response = reader.read_copy(kept);
    dom::object members;
    if (!response || response->get_object().get(members) != simdjson::SUCCESS) return std::nullopt;
    return stream_of_response(members, created);
  }

  std::optional<Answer> to_answer(JsonReader& reader, std::string_view kept) const override {
    if (!owns(kept)) return std::nullopt;
    const auto response = reader.read_copy(kept);
    if (!response) return std::nullopt;
    return answer_of_response(*response);
  }

  std::optional<std::string> from_answer(JsonReader& reader, const Answer& answer,
                                         std::string_view request) const override {
    const auto body = reader.read_copy(request);
    dom::object members;
    if (!body || body->get_object().get(members) != simdjson::SUCCESS) return std::nullopt;
    if (answer.text.empty() && answer.refusal.empty() && !answer.called_tools()) return std::nullopt;
    if (!answer.usage) return std::nullopt;  // Clients count on it.
    return response_of_answer(answer, members);
  }

  /// Its place in the stream is not known here: 0.
  std::string error_event(int, std::string_view message, std::string_view code) const override {
    std::string event = "event: error\ndata: {\"type\":\"error\",\"code\":";
    code.empty() ? static_cast<void>(event.append("null")) : append_json_string(event, code);
    event.append(R"(,"message":)");
    append_json_string(event, message);
    return event.append(",\"param\":null,\"sequence_number\":0}\n\n");
  }
};

}  // namespace

const Protocol& responses_protocol() {
  static const ResponsesProtocol protocol;
  return protocol;
}

}  // namespace sosie::protocol
