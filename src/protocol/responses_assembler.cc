#include "protocol/responses_assembler.h"

#include <array>

#include "protocol/object_writer.h"
#include "protocol/openai_fields.h"
#include "protocol/responses_answer.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::array<std::string_view, 4> kSaidAtTheBeginning{"id", "object", "created_at", "model"};

bool is_nothing(dom::element value) { return value.is_null() || is_empty(value) || is_text(value, "") || is_number(value, 0); }

}  // namespace

Assembler::ForUsage ResponsesAssembler::add(JsonReader& reader, std::string_view event, std::string_view data) {
  if (data == "[DONE]") return ForUsage::nothing;  // Some servers end every stream so.
  const auto root = reader.read_copy(data);
  dom::object members;
  if (done_) {
    give_up(Reason::after_done, "response.completed");
  } else if (!root || root->get_object().get(members) != simdjson::SUCCESS) {
    give_up(Reason::not_json, "data");
  } else {
    std::string_view type = event;
    static_cast<void>(members["type"].get_string().get(type));
    read(members, type);
  }
  return ForUsage::nothing;
}

void ResponsesAssembler::forget() {
  give_up(Reason::too_long, kWholeAnswer);
  items_.clear();
  completed_.clear();
}

void ResponsesAssembler::read(const dom::object& event, std::string_view type) {
  dom::element error;
  if (type == "error" || (type.empty() && event["error"].get(error) == simdjson::SUCCESS && !error.is_null())) {
    failed_ = true;
    give_up(Reason::error_inside, "error");
  } else if (type == "response.failed" || type == "response.incomplete") {
    done_ = true;
    give_up(Reason::status, type);
  } else if (type == "response.created" || type == "response.completed") {
    read_response(event, type == "response.completed");
  } else if (type == "response.output_item.added" || type == "response.output_item.done") {
    read_item(event, type == "response.output_item.done");
  }
}

void ResponsesAssembler::read_response(const dom::object& event, bool completed) {
  dom::object response;
  done_ = completed;
  if (event["response"].get_object().get(response) != simdjson::SUCCESS) return give_up(Reason::not_a_response, "response");
  for (const std::string_view key : kSaidAtTheBeginning) {
    dom::element value;
    if (response[key].get(value) != simdjson::SUCCESS || is_nothing(value)) continue;
    std::string json;
    append_json(json, value);
    const auto [said, is_new] = begun_.try_emplace(std::string(key), json);
    if (!is_new && key == "id" && said->second != json) return give_up(Reason::other_id, "response.id");
    said->second = std::move(json);
  }
  if (completed) append_json(completed_, event["response"].value_unsafe());
}

void ResponsesAssembler::read_item(const dom::object& event, bool whole) {
  std::int64_t place = 0;
  dom::element item;
  if (event["output_index"].get_int64().get(place) != simdjson::SUCCESS || event["item"].get(item) != simdjson::SUCCESS) return;
  std::string& json = items_[place];
  json.clear();
  if (whole) append_json(json, item);
}

std::variant<std::string, NotKept> ResponsesAssembler::items() const {
  std::string output = "[";
  std::int64_t position = 0;
  for (const auto& [place, json] : items_) {
    if (json.empty() || place != position++) return NotKept(Reason::incomplete_item, "response.output_item.done");
    if (output.size() > 1) output.push_back(',');
    output.append(json);
  }
  return output + "]";
}

std::variant<Kept, NotKept> ResponsesAssembler::finish(JsonReader& reader, const Question& question) const {
  if (!fault_.empty()) return fault_;
  if (!done_) return NotKept(Reason::incomplete, "response.completed");
  const auto completed = reader.read_copy(completed_);
  dom::object members;
  if (!completed || completed->get_object().get(members) != simdjson::SUCCESS) return NotKept(Reason::not_json, "response");
  std::string response;
  {
    ObjectWriter whole(response);
    for (const auto& [key, json] : begun_)
      if (members[key].error() != simdjson::SUCCESS) whole.json(key, std::string_view(json));
    for (const auto& [key, value] : members) {
      const auto begun = begun_.find(key);
      if (begun != begun_.end()) {
        whole.json(key, std::string_view(begun->second));
        continue;
      }
      if (key != "output" || !is_empty(value) || items_.empty()) {
        whole.json(key, value);
        continue;
      }
      auto output = items();
      if (const auto* fault = std::get_if<NotKept>(&output)) return *fault;
      whole.json(key, std::string_view(std::get<std::string>(output)));
    }
  }
  const auto root = reader.read_copy(response);
  if (!root) return NotKept(Reason::not_json, kWholeAnswer);
  return keep_response(*root, question.may_come_back);
}

}  // namespace sosie::protocol
