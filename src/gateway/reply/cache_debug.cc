#include "gateway/reply/cache_debug.h"

#include "base/number.h"
#include "protocol/json.h"

namespace sosie::gateway {
namespace {

std::string member(const Outcome& outcome) {
  std::string json = R"("extra_fields":{"cache_debug":{"cache_hit":true,"cache_id":)";
  protocol::append_json_string(json, outcome.entry_id);
  json.append(R"(,"hit_type":)").append(outcome.layer == Layer::exact ? R"("direct")" : R"("semantic")");
  json.append(R"(,"threshold":)").append(base::to_text(outcome.threshold.value, 6));
  json.append(R"(,"similarity":)").append(base::to_text(outcome.similarity.value_or(Similarity{1}).value, 6));
  return json.append("}}");
}

}  // namespace

void add_cache_debug(std::string& answer, bool stream, const Outcome& outcome) {
  // The last object of a stream stands behind the last "data: {", which no event's data can contain: its line breaks are escaped.
  constexpr std::string_view kObject = "\ndata: {";
  std::size_t begin = 0, end = answer.size();
  if (stream) {
    const std::size_t last = answer.rfind(kObject);
    if (last == std::string::npos) return;
    begin = last + kObject.size() - 1;
    end = answer.find('\n', begin);
  }
  if (end == std::string::npos || end < begin + 2 || answer[begin] != '{' || answer[end - 1] != '}') return;
  const bool is_empty = end == begin + 2;
  answer.insert(end - 1, (is_empty ? "" : ",") + member(outcome));
}

}  // namespace sosie::gateway
