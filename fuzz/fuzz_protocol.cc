// Any bytes as a request by each API and as an upstream's answer to it, whole and streamed: read or refused; what is kept is its
// own, can be said again both ways, and what moves to another API comes back; arguments of calls are JSON, who asks plainly is told the
// usage of a stream, and what is not kept has a reason and names a field.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/protocol.h"

using namespace sosie::protocol;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

namespace dom = simdjson::dom;

/// Of chat completions: a text that is JSON.
void check_function(simdjson::simdjson_result<dom::element> function) {
  std::string_view arguments;
  if (!function.is_object()) return;
  require(function["arguments"].get_string().get(arguments) == simdjson::SUCCESS && is_json(arguments));
}

/// Wherever the kept form calls a tool of the caller's.
void check_calls(const Protocol& api, dom::element answer) {
  dom::array choices, calls, blocks;
  std::string_view type, arguments;
  if (api.surface() == Surface::chat && answer["choices"].get_array().get(choices) == simdjson::SUCCESS) {
    for (const dom::element choice : choices) {
      if (!choice["message"].is_object()) continue;
      check_function(choice["message"]["function_call"]);
      if (choice["message"]["tool_calls"].get_array().get(calls) != simdjson::SUCCESS) continue;
      for (const dom::element call : calls) check_function(call["function"]);
    }
  }
  const std::string_view list = api.surface() == Surface::responses ? "output" : "content";
  if (answer[list].get_array().get(blocks) != simdjson::SUCCESS) return;
  for (const dom::element block : blocks) {
    if (!block.is_object() || block["type"].get_string().get(type) != simdjson::SUCCESS) continue;
    if (api.surface() == Surface::responses && type == "function_call")
      require(block["arguments"].get_string().get(arguments) == simdjson::SUCCESS && is_json(arguments));
    if (api.surface() == Surface::messages && type == "tool_use") require(block["input"].is_object());
  }
}

std::variant<Kept, NotKept> keep_stream(const Protocol& api, JsonReader& reader, std::string_view text, const Question& question) {
  const auto assembler = api.assembler();
  if (!assembler) return NotKept("no_stream", kWholeAnswer);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::string_view event, data = line;
    if (const std::size_t tab = line.find('\t'); tab != std::string_view::npos) {
      event = line.substr(0, tab);
      data = line.substr(tab + 1);
    }
    if (!data.empty()) static_cast<void>(assembler->add(reader, event, data));
    static_cast<void>(assembler->ended());
  }
  return assembler->finish(reader, question);
}

void check_kept(const Protocol& api, JsonReader& reader, const Kept& kept, const std::string& request, bool streamed) {
  require(api.owns(kept.answer) && owner_of(kept.answer) == &api);
  const auto plain = api.replay(kept.answer, {.created = 1});
  require(plain.has_value());
  const auto said = reader.read_copy(plain->head + std::string(plain->tail));
  require(said.has_value());
  check_calls(api, *said);
  const bool says_usage = (*said)["usage"].is_object();
  const bool may_say_none = api.surface() == Surface::responses;  // Whose last event is the whole answer.
  if (streamed && !may_say_none && api.misfit(kept.answer, Question()).empty()) require(says_usage);
  if (api.assembler()) require(api.replay_stream(reader, kept.answer, {.created = 1, .include_usage = true}).has_value());
  for (std::size_t i = 0; i < kSurfaces; ++i) {
    const Protocol& other = protocol_of(static_cast<Surface>(i));
    const auto moved = kept_for(other, reader, kept.answer, request);
    if (!moved) continue;
    require(other.owns(*moved) && other.replay(*moved, {}).has_value());
    if (other.assembler()) require(other.replay_stream(reader, *moved, {}).has_value());
  }
}

void check_cut(JsonReader& reader, const std::string& body) {
  const auto root = reader.read_copy(body);
  simdjson::dom::object object;
  if (!root || root->get_object().get(object) != simdjson::SUCCESS || has_duplicate_keys(object)) return;
  std::string first;
  for (const auto& [key, value] : object) {
    first = key;
    break;
  }
  const std::size_t before = object.size();
  const std::string cut = without_member(body, first);
  const auto rest = reader.read_copy(cut);
  require(rest && rest->get_object().get(object) == simdjson::SUCCESS);
  require(object.size() == (before == 0 ? 0 : before - 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static JsonReader reader;
  static Scope scope;
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_cut(reader, text);
  for (std::size_t i = 0; i < kSurfaces; ++i) {
    const Protocol& api = protocol_of(static_cast<Surface>(i));
    Question question;
    simdjson::dom::object object;
    const auto root = reader.read_copy(text);
    if (root && root->get_object().get(object) == simdjson::SUCCESS) {
      scope.clear();
      if (!api.read(object, "cache", question, scope)) {
        static_cast<void>(scope.digest());
        static_cast<void>(scope.parts());
      }
    }
    question.traits.choices = 1;
    if (question.prompt.empty()) question.prompt = "\"x\"";
    auto kept = api.keep(reader, text, question);
    const bool streamed = std::holds_alternative<NotKept>(kept);
    if (streamed) kept = keep_stream(api, reader, text, question);
    if (const auto* answer = std::get_if<Kept>(&kept)) check_kept(api, reader, *answer, text, streamed);
    if (const auto* fault = std::get_if<NotKept>(&kept)) require(!fault->reason.empty() && !fault->field.empty());
  }
  return 0;
}
