#include "replay_rows.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace sosie::app {
namespace {

using nlohmann::json;

// Parsing recurses nowhere, but destroying and printing a value do: no honest row is deeper than a chat log.
constexpr int kMaxDepth = 64;

std::optional<std::string> text_at(const json& object, std::string_view name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return std::nullopt;
  return it->get<std::string>();
}

template <std::size_t N>
std::optional<std::string> first_text(const json& object, const std::array<std::string_view, N>& names) {
  for (auto name : names) {
    if (auto text = text_at(object, name)) return text;
  }
  return std::nullopt;
}

/// A message's text: a string, or the text parts of a list.
std::string message_text(const json& message) {
  const auto content = message.find("content");
  if (content == message.end()) return {};
  if (content->is_string()) return content->get<std::string>();
  std::string all;
  if (content->is_array()) {
    for (const auto& part : *content) {
      if (part.is_object()) all += text_at(part, "text").value_or("");
    }
  }
  return all;
}

/// What besides the question decides the answer.
std::string scope_of(const json& row) {
  json scope = json::object();
  for (auto name : {"model", "system"}) {
    if (const auto it = row.find(name); it != row.end()) scope[name] = *it;
  }
  return scope.empty() ? "" : scope.dump();
}

ReplayRow from_messages(const json& messages, std::string scope) {
  ReplayRow row;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const json& message = messages[i];
    if (!message.is_object()) continue;
    const auto role = text_at(message, "role");
    if (role == "user") {
      row.question = message_text(message);
      const json earlier(std::vector<json>(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(i)));
      row.scope = earlier.empty() ? scope : scope + earlier.dump();
      row.answer.reset();
    } else if (role == "assistant") {
      row.answer = message_text(message);
    }
  }
  return row;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kPairs{
    {{"a", "b"}, {"question1", "question2"}, {"sentence1", "sentence2"}, {"text1", "text2"}}};

std::optional<bool> label_of(const json& pair) {
  for (auto name : {"same", "is_duplicate", "label"}) {
    const auto it = pair.find(name);
    if (it == pair.end()) continue;
    if (it->is_boolean()) return it->get<bool>();
    if (it->is_number()) return it->get<double>() != 0;
    if (*it == "0" || *it == "1") return *it == "1";
  }
  return std::nullopt;
}

}  // namespace

Result<ReplayRow> parse_replay_row(std::string_view line) {
  const auto depth_limit = [](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) throw std::length_error("nested too deeply");
    return true;
  };
  json value;
  try {
    value = json::parse(line, depth_limit);
  } catch (const std::exception&) {
    return Error{ErrorCode::invalid_argument, "not a JSON value, or nested too deeply"};
  }
  ReplayRow row;
  if (value.is_string()) {
    row.question = value.get<std::string>();
    return row;
  }
  if (!value.is_object()) return Error{ErrorCode::invalid_argument, "neither an object nor a string"};
  row.scope = scope_of(value);
  for (const auto& [first, second] : kPairs) {
    auto a = text_at(value, first), b = text_at(value, second);
    if (!a || !b) continue;
    row.question = std::move(*a);
    row.twin = std::move(*b);
    row.same = label_of(value);
    return row;
  }
  if (const auto messages = value.find("messages"); messages != value.end() && messages->is_array()) {
    return from_messages(*messages, std::move(row.scope));
  }
  auto question = first_text(value, std::array<std::string_view, 6>{"q", "question", "prompt", "query", "input", "text"});
  if (!question) {
    return Error{ErrorCode::invalid_argument,
                 "no question: wants a, b (a pair), messages, or one of q, question, prompt, query, input, text"};
  }
  row.question = std::move(*question);
  row.answer = first_text(value, std::array<std::string_view, 5>{"answer", "response", "completion", "output", "a"});
  if (const auto cluster = value.find("cluster"); cluster != value.end() && !cluster->is_null()) row.cluster = cluster->dump();
  return row;
}

}  // namespace sosie::app
