// Any bytes as a request by each API and as an upstream's answer to it, whole and streamed: read or refused; what is kept is its
// own, can be said again both ways, and what moves to another API comes back.
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

std::variant<Kept, NotKept> keep_stream(const Protocol& api, JsonReader& reader, std::string_view text, const Question& question) {
  const auto assembler = api.assembler();
  if (!assembler) return NotKept("no_stream");
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::string_view event, data = line;
    if (const std::size_t tab = line.find('\t'); tab != std::string_view::npos) {
      event = line.substr(0, tab);
      data = line.substr(tab + 1);
    }
    if (!data.empty()) assembler->add(reader, event, data);
    static_cast<void>(assembler->ended());
  }
  return assembler->finish(reader, question);
}

void check_kept(const Protocol& api, JsonReader& reader, const Kept& kept, const std::string& request) {
  require(api.owns(kept.answer) && owner_of(kept.answer) == &api);
  const auto plain = api.replay(kept.answer, {.created = 1});
  require(plain.has_value());
  require(reader.read_copy(plain->head + std::string(plain->tail)).has_value());
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
    if (std::holds_alternative<NotKept>(kept)) kept = keep_stream(api, reader, text, question);
    if (const auto* answer = std::get_if<Kept>(&kept)) check_kept(api, reader, *answer, text);
  }
  return 0;
}
