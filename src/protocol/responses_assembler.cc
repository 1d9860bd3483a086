#include "protocol/responses_assembler.h"

#include "protocol/responses_answer.h"

namespace sosie::protocol {

namespace dom = simdjson::dom;

void ResponsesAssembler::add(JsonReader& reader, std::string_view event, std::string_view data) {
  if (data == "[DONE]") return;  // Some servers end every stream so.
  if (done_) return give_up("after_done");
  const auto root = reader.read_copy(data);
  dom::object members;
  if (!root || root->get_object().get(members) != simdjson::SUCCESS) return give_up("not_json");
  std::string_view type = event;
  static_cast<void>(members["type"].get_string().get(type));
  dom::element error;
  if (type == "error" || (type.empty() && members["error"].get(error) == simdjson::SUCCESS && !error.is_null())) {
    failed_ = true;
    return give_up("error_inside");
  }
  if (type == "response.failed" || type == "response.incomplete") {
    done_ = true;
    return give_up("status");
  }
  if (type == "response.created" || type == "response.completed") read_response(members, type == "response.completed");
}

void ResponsesAssembler::read_response(const dom::object& event, bool completed) {
  dom::element response;
  std::string_view id;
  done_ = completed;
  if (event["response"].get(response) != simdjson::SUCCESS || !response.is_object() ||
      response["id"].get_string().get(id) != simdjson::SUCCESS)
    return give_up("not_a_response");
  if (!id_.empty() && id != id_) return give_up("other_id");
  id_ = id;
  if (completed) kept_ = keep_response(response);
}

std::variant<Kept, NotKept> ResponsesAssembler::finish(JsonReader&, const Question&) const {
  if (!fault_.empty()) return fault_;
  return kept_;
}

}  // namespace sosie::protocol
