#include "protocol/completions.h"

#include <iterator>

#include "protocol/conversation.h"
#include "protocol/openai_protocol.h"
#include "protocol/openai_fields.h"
#include "text/utf8.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kApi = "completions";

/// One text is the prompt; anything else (several texts, token numbers, none) its canonical JSON. Gives how many
/// prompts there are.
std::size_t read_prompt(dom::element value, Question& question) {
  std::string_view text;
  dom::array items;
  dom::element first;
  const bool is_array =
      value.get_array().get(items) == simdjson::SUCCESS && items.at(0).get(first) == simdjson::SUCCESS;
  const bool is_lone = is_array && items.size() == 1;
  if (value.get_string().get(text) == simdjson::SUCCESS ||
      (is_lone && first.get_string().get(text) == simdjson::SUCCESS)) {
    question.prompt = text;
    question.traits.no_text = text::is_blank(text);
    return 1;
  }
  question.prompt.clear();
  append_canonical_json(question.prompt, value);
  question.traits.no_text = true;
  if (!is_array || first.is_number()) return 1;
  return static_cast<std::size_t>(std::distance(items.begin(), items.end()));
}

std::optional<BadRequest> read_field(std::string_view key, dom::element value, Question& question, Scope& scope) {
  if (key == "stream" || key == "stream_options") return read_stream_field(key, value, question);
  if (read_common_field(key, value, question, scope)) return std::nullopt;
  if (key == "max_tokens") {
    add_max_tokens(scope, value);
  } else if (key == "logprobs") {
    if (is_bool(value, false)) return std::nullopt;
    question.traits.logprobs = true;
    scope.add(key, value);
  } else if (!(key == "echo" && is_bool(value, false)) && !(key == "best_of" && is_number(value, 1)) &&
             !(key == "suffix" && is_text(value, ""))) {
    add_own_field(scope, kApi, key, value);
  }
  return std::nullopt;
}

std::optional<BadRequest> read_request(dom::object body, std::string_view without, Question& question, Scope& scope) {
  if (has_duplicate_keys(body)) return BadRequest{"the request body repeats a key", ""};
  question.traits.completion = true;
  question.needs_own_api = true;
  scope.add("api", kApi);
  bool has_model = false;
  std::optional<dom::element> prompt;
  for (const auto& [key, value] : body) {
    if (value.is_null() || (!without.empty() && key == without))
      continue;  // null asks for the default, as absence does.
    if (key == "model") {
      std::string_view model;
      has_model = value.get_string().get(model) == simdjson::SUCCESS;
      question.model = model;
      scope.add(key, value);
    } else if (key == "prompt") {
      if (!value.is_string() && !value.is_array()) return unreadable("'prompt' must be a string or an array", "prompt");
      prompt = value;
    } else if (auto bad = read_field(key, value, question, scope)) {
      return bad;
    }
  }
  if (!has_model) return unreadable("'model' must be a string", "model");
  if (!prompt) {
    // Some models may be asked to begin from nothing.
    question.prompt.clear();
    question.traits.no_text = true;
    return std::nullopt;
  }
  question.traits.choices *= static_cast<std::int64_t>(read_prompt(*prompt, question));
  return std::nullopt;
}

class CompletionsProtocol final : public CompletionProtocol {
 public:
  CompletionsProtocol() : CompletionProtocol(kTextForm) {}

  Surface surface() const noexcept override { return Surface::completions; }

  std::optional<BadRequest> read(dom::object body, std::string_view without, Question& question,
                                 Scope& scope) const override {
    return read_request(body, without, question, scope);
  }

  // A text gone on with is no answer to a question, nor the other way round.
  std::optional<Answer> to_answer(JsonReader&, std::string_view) const override { return std::nullopt; }
  std::optional<std::string> from_answer(JsonReader&, const Answer&, std::string_view) const override {
    return std::nullopt;
  }
};

}  // namespace

const Protocol& completions_protocol() {
  static const CompletionsProtocol protocol;
  return protocol;
}

}  // namespace sosie::protocol
