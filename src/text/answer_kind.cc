#include "text/answer_kind.h"

#include <simdjson.h>

namespace sosie::text {
namespace {

/// The string value of a member; empty: none.
std::string_view member(const simdjson::dom::object& object, const char* name) {
  std::string_view value;
  return object.at_key(name).get(value) == simdjson::SUCCESS ? value : std::string_view();
}

}  // namespace

AnswerKind kind_of_answer(std::string_view answer) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(answer.data(), answer.size()).get(object) != simdjson::SUCCESS) return AnswerKind::other;
  const std::string_view kind = member(object, "object");
  if (kind.starts_with("chat.completion")) return AnswerKind::chat;
  if (kind == "response") return AnswerKind::responses;
  simdjson::dom::array items;
  if (object.at_key("embedding").get(items) == simdjson::SUCCESS) return AnswerKind::embedding;
  simdjson::dom::object first;
  if (object.at_key("data").get(items) == simdjson::SUCCESS && items.at(0).get(first) == simdjson::SUCCESS &&
      (member(first, "object") == "embedding" || first.at_key("embedding").error() == simdjson::SUCCESS)) {
    return AnswerKind::embedding;
  }
  if (member(object, "type") == "message" && member(object, "role") == "assistant") return AnswerKind::chat;
  if (object.at_key("output").get(items) == simdjson::SUCCESS && object.at_key("choices").error() != simdjson::SUCCESS) {
    return AnswerKind::responses;
  }
  return object.at_key("choices").get(items) == simdjson::SUCCESS ? AnswerKind::chat : AnswerKind::other;
}

}  // namespace sosie::text
