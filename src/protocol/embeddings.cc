#include "protocol/embeddings.h"

#include <iterator>

#include "protocol/openai_protocol.h"
#include "protocol/openai_fields.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kApi = "embeddings";
constexpr std::string_view kHead = R"({"object":"list")";

std::size_t count_of(const dom::array& items) {
  return static_cast<std::size_t>(std::distance(items.begin(), items.end()));
}

/// How many vectors are wanted.
std::size_t inputs_of(dom::element input) {
  dom::array items;
  dom::element first;
  if (input.get_array().get(items) != simdjson::SUCCESS || items.at(0).get(first) != simdjson::SUCCESS ||
      first.is_number())
    return 1;
  return count_of(items);
}

std::optional<BadRequest> read_request(dom::object body, std::string_view without, Question& question, Scope& scope) {
  if (has_duplicate_keys(body)) return BadRequest{"the request body repeats a key", ""};
  question.traits.embeddings = true;
  question.needs_own_api = true;
  scope.add("api", kApi);
  bool has_model = false;
  std::optional<dom::element> input;
  for (const auto& [key, value] : body) {
    if (value.is_null() || (!without.empty() && key == without))
      continue;  // null asks for the default, as absence does.
    if (key == "model") {
      std::string_view model;
      has_model = value.get_string().get(model) == simdjson::SUCCESS;
      question.model = model;
      scope.add(key, value);
    } else if (key == "input") {
      input = value;
    } else if (key == "user") {
      scope.add(key, value);
    } else if (key != "encoding_format" || !is_text(value, "float")) {
      add_own_field(scope, kApi, key, value);
    }
  }
  if (!has_model) return unreadable("'model' must be a string", "model");
  if (!input) return unreadable("'input' is missing", "input");
  dom::array items;
  dom::element only;
  if (input->get_array().get(items) == simdjson::SUCCESS && items.at(0).get(only) == simdjson::SUCCESS &&
      only.is_string() && items.size() == 1)
    input = only;
  question.prompt.clear();
  append_canonical_json(question.prompt, *input);
  return std::nullopt;
}

/// The upstream's bytes, white space left out: a number keeps the digits that it was sent with.
std::string keep_body(std::string_view body) {
  const std::string rest = without_member(body, "object");
  std::string small(rest.size(), '\0');
  std::size_t size = 0;
  if (simdjson::minify(rest.data(), rest.size(), small.data(), size) != simdjson::SUCCESS) return {};
  small.resize(size);
  return std::string(kHead).append(small == "{}" ? "" : ",").append(small, 1, std::string::npos);
}

class EmbeddingsProtocol final : public OpenAiProtocol {
 public:
  Surface surface() const noexcept override { return Surface::embeddings; }

  std::optional<BadRequest> read(dom::object body, std::string_view without, Question& question,
                                 Scope& scope) const override {
    return read_request(body, without, question, scope);
  }

  std::variant<Kept, NotKept> keep(JsonReader& reader, std::string_view body, const Question& question) const override {
    const auto input = reader.read_copy(question.prompt);
    if (!input) return NotKept(Reason::not_json, "input");
    const std::size_t wanted = inputs_of(*input);
    const auto root = reader.read_copy(body);
    dom::object object;
    dom::array data;
    dom::element error;
    if (!root || root->get_object().get(object) != simdjson::SUCCESS || has_duplicate_keys(object))
      return NotKept(Reason::not_json, kWholeAnswer);
    if (object["error"].get(error) == simdjson::SUCCESS && !error.is_null()) return NotKept(Reason::error_inside, "error");
    if (object["data"].get_array().get(data) != simdjson::SUCCESS) return NotKept(Reason::no_data, "data");
    for (const dom::element each : data) {
      dom::element embedding;
      if (!each.is_object() || each["embedding"].get(embedding) != simdjson::SUCCESS ||
          !(embedding.is_array() || embedding.is_string()))
        return NotKept(Reason::no_data, "data.embedding");
    }
    if (count_of(data) != wanted) return NotKept(Reason::choice_count, "data");
    Kept kept;
    kept.answer = keep_body(body);
    if (kept.answer.empty()) return NotKept(Reason::not_json, kWholeAnswer);
    return kept;
  }

  std::unique_ptr<Assembler> assembler() const override { return nullptr; }

  bool owns(std::string_view kept) const noexcept override { return kept.starts_with(kHead); }

  std::optional<PlainReplay> replay(std::string_view kept, const ReplayOptions&) const override {
    if (!owns(kept)) return std::nullopt;
    return PlainReplay{{}, kept};
  }

  std::optional<std::string> replay_stream(JsonReader&, std::string_view, const ReplayOptions&) const override {
    return std::nullopt;
  }
  std::optional<Answer> to_answer(JsonReader&, std::string_view) const override { return std::nullopt; }
  std::optional<std::string> from_answer(JsonReader&, const Answer&, std::string_view) const override {
    return std::nullopt;
  }
};

}  // namespace

const Protocol& embeddings_protocol() {
  static const EmbeddingsProtocol protocol;
  return protocol;
}

}  // namespace sosie::protocol
