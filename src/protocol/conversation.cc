#include "protocol/conversation.h"

#include <algorithm>
#include <cstring>

#include "protocol/client_traces.h"
#include "protocol/json.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr char kRoles[] = {'S', 'U', 'A', 'T'};
constexpr char kAsked = 'Q';

void append_count(std::string& out, std::uint64_t count) {
  char bytes[sizeof count];
  std::memcpy(bytes, &count, sizeof count);
  out.append(bytes, sizeof bytes);
}

bool is_number(dom::element value, double wanted) {
  double number = 0;
  return value.get_double().get(number) == simdjson::SUCCESS && number == wanted;
}

/// Bytes behind their length, which is known only afterwards.
template <class Write>
void append_sized(std::string& out, const Write& write) {
  const std::size_t at = out.size();
  append_count(out, 0);
  write();
  const std::uint64_t size = out.size() - at - sizeof size;
  std::memcpy(out.data() + at, &size, sizeof size);
}

/// Canonical where it is JSON. Never the reader of the request: its document is being read.
void append_arguments(std::string& out, std::string_view arguments) {
  thread_local JsonReader reader;
  if (const auto value = reader.read_copy(arguments)) {
    out.push_back('j');
    append_sized(out, [&] { append_canonical_json(out, *value); });
  } else {
    out.push_back('r');
    append_sized(out, [&] { out.append(arguments); });
  }
}

}  // namespace

BadRequest too_long(std::string_view field) {
  return unreadable("'" + std::string(field) + "' has a list that is longer than the cache reads", std::string(field));
}

void Turns::piece(char kind, std::string_view bytes) {
  out_.push_back(kind);
  append_count(out_, bytes.size());
  out_.append(bytes);
}

void Turns::begin(Role role, std::string_view name) {
  asked_ = nullptr;
  begin_ = out_.size();
  bare_ = false;
  out_.push_back(kRoles[static_cast<std::size_t>(role)]);
  if (!name.empty()) piece('n', name);
}

void Turns::begin_asked(std::string& prompt, std::string_view name) {
  begin(Role::user, name);
  out_[begin_] = kAsked;
  asked_ = &prompt;
  lines_ = 0;
  bare_ = name.empty();
}

void Turns::text(std::string_view text) {
  const bool begins_instructions = asked_ == nullptr && texts_ == 0 && out_.size() == begin_ + 1 && out_[begin_] == kRoles[0];
  if (begins_instructions) text = without_billing_header(text);
  if (text.empty()) return;
  std::string& into = asked_ != nullptr ? *asked_ : joined_;
  if (asked_ != nullptr && !open_text_) {
    out_.push_back('t');
    // Behind a picture, say: the whole prompt does not tell behind which of its lines that stood.
    if (texts_ != 0) append_count(out_.append(1, 'l'), lines_);
  }
  if (texts_++ != 0) {
    joins_.push_back(into.size());
    into.push_back('\n');
    ++lines_;
  }
  const auto breaks = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  broken_ = broken_ || breaks != 0;
  lines_ += breaks;
  into.append(text);
  open_text_ = true;
}

// The joined text alone does not say where it was joined.
void Turns::flush_text() {
  if (asked_ == nullptr && open_text_) {
    piece('t', joined_);
    if (broken_)
      for (const std::size_t join : joins_) append_count(out_.append(1, 'j'), join);
    joined_.clear();
    joins_.clear();
    texts_ = 0;
    broken_ = false;
  }
  open_text_ = false;
}

void Turns::tool_call(std::string_view id, std::string_view name, std::string_view arguments) {
  flush_text();
  bare_ = false;
  calls_.insert_or_assign(id, ++call_count_);
  piece('c', name);
  append_arguments(out_, arguments);
}

void Turns::tool_result(std::string_view id) {
  flush_text();
  bare_ = false;
  if (const auto call = calls_.find(id); call != calls_.end()) {
    append_count(out_.append(1, 'R'), call->second);
  } else {
    piece('r', id);  // Of a call that the upstream remembers: its name is all there is.
  }
}

void Turns::other(std::string_view kind, dom::element value) {
  flush_text();
  bare_ = false;
  piece('o', kind);
  append_sized(out_, [&] { append_canonical_json(out_, value); });
}

void Turns::field(std::string_view key, dom::element value) { fields_.emplace_back(key, value); }

void Turns::end() {
  flush_text();
  if (asked_ != nullptr && broken_ && !joins_.empty()) {
    bare_ = false;
    for (const std::size_t join : joins_) append_count(out_.append(1, 'j'), join);
  }
  if (!fields_.empty()) {
    bare_ = false;
    std::sort(fields_.begin(), fields_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [key, value] : fields_) {
      piece('f', key);
      append_sized(out_, [&] { append_canonical_json(out_, value); });
    }
    fields_.clear();
  }
  out_.push_back('.');
  if (asked_ != nullptr && bare_) out_.resize(begin_);
  asked_ = nullptr;
  joins_.clear();
  texts_ = 0;
  broken_ = false;
}

void add_temperature(Scope& scope, dom::element value) {
  if (!is_number(value, 1)) scope.add("temperature", value);
}

void add_top_p(Scope& scope, dom::element value) {
  if (!is_number(value, 1)) scope.add("top_p", value);
}

void add_max_tokens(Scope& scope, dom::element value) { scope.add("max_tokens", value); }

void add_stop(Scope& scope, dom::element value) {
  std::string_view text;
  dom::array items;
  std::vector<std::string_view> stops;
  if (value.get_string().get(text) == simdjson::SUCCESS) {
    stops.push_back(text);
  } else if (value.get_array().get(items) == simdjson::SUCCESS) {
    for (const dom::element item : items) {
      if (item.get_string().get(text) != simdjson::SUCCESS) return scope.add("stop", value);
      stops.push_back(text);
    }
  } else {
    return scope.add("stop", value);
  }
  if (stops.empty()) return;
  std::sort(stops.begin(), stops.end());  // A set: whichever comes first ends the answer.
  stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
  std::string json;
  for (const std::string_view stop : stops) append_json_string(json.append(json.empty() ? "[" : ","), stop);
  scope.add("stop", json.append("]"));
}

void add_reasoning_effort(Scope& scope, dom::element value) { scope.add("reasoning_effort", value); }

void append_function_tool(std::string& tools, const FunctionTool& tool) {
  append_json_string(tools.append(R"({"name":)"), tool.name);
  if (!tool.description.empty()) append_json_string(tools.append(R"(,"description":)"), tool.description);
  if (tool.parameters) append_canonical_json(tools.append(R"(,"parameters":)"), *tool.parameters);
  tools.append(tool.strict.value_or(false) ? R"(,"strict":true})" : "}");
}

void add_tool_choice(Scope& scope, ToolChoice choice, std::string_view function) {
  if (choice == ToolChoice::automatic) return;
  std::string& part = scope.open("tool_choice");
  if (choice == ToolChoice::function) {
    append_json_string(part.append("function "), function);
  } else {
    part.append(choice == ToolChoice::none ? "none" : "required");
  }
  scope.close();
}

void add_json_object_format(Scope& scope) { scope.add("response_format", "json_object"); }

void add_json_schema_format(Scope& scope, std::string_view name, dom::element schema, bool strict,
                            std::string_view description) {
  std::string& part = scope.open("response_format");
  append_json_string(part.append("json_schema "), name);
  append_canonical_json(part, schema);
  if (strict) part.append("strict");
  if (!description.empty()) append_json_string(part, description);
  scope.close();
}

}  // namespace sosie::protocol
