#include "gateway/chat_request.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "gateway/request_headers.h"
#include "text/utf8.h"

namespace sosie::gateway {
namespace {

namespace dom = simdjson::dom;

/// Bytes to be digested in one go: parts behind their lengths, so that they cannot run into each other.
class ScopeText {
 public:
  explicit ScopeText(std::string& buffer) : bytes_(buffer) { bytes_.clear(); }

  void add(std::string_view part) {
    const std::size_t at = open();
    bytes_.append(part);
    close(at);
  }
  void add(dom::element value) {
    const std::size_t at = open();
    append_canonical_json(bytes_, value);
    close(at);
  }
  void add_count(std::uint64_t count) { bytes_.append(reinterpret_cast<const char*>(&count), sizeof count); }

  std::string digest() const { return base::to_hex(base::sha256(bytes_)); }

 private:
  std::size_t open() {
    bytes_.append(sizeof(std::uint64_t), '\0');
    return bytes_.size();
  }
  void close(std::size_t at) {
    const std::uint64_t size = bytes_.size() - at;
    std::memcpy(bytes_.data() + at - sizeof size, &size, sizeof size);
  }
  std::string& bytes_;
};

using Members = std::vector<std::pair<std::string_view, dom::element>>;

void collect_sorted(const dom::object& object, Members& members) {
  members.clear();
  for (const auto& [key, value] : object) members.emplace_back(key, value);
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
}

/// Every header that reaches the upstream and may matter there, all occurrences: sorted by name, in their order.
void add_headers(const net::HeaderList& headers, ScopeText& scope) {
  thread_local std::vector<std::pair<std::string, std::string_view>> telling;
  telling.clear();
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (use_of_request_header(name, Compat()) != HeaderUse::separates) continue;
    std::string& lower = telling.emplace_back(name, value).first;
    for (char& c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  std::sort(telling.begin(), telling.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second.data() < b.second.data();  // one buffer, in their order
  });
  scope.add_count(telling.size());
  for (const auto& [name, value] : telling) {
    scope.add(std::string_view(name));
    scope.add(value);
  }
}

/// The text of the last message into `prompt`, the kinds of its parts and those that are not text into the scope.
std::optional<BadRequest> read_parts(dom::array parts, std::string& prompt, ScopeText& scope) {
  std::size_t texts = 0;
  bool broken = false;  // A text breaks a line itself: then the joined text does not show where it was joined.
  std::vector<std::size_t> joins;
  scope.add_count(parts.size());
  for (const dom::element part : parts) {
    std::string_view type, text;
    if (!part.is_object() || part["type"].get_string().get(type) != simdjson::SUCCESS)
      return BadRequest{"each content part must be an object with a string 'type'", "messages"};
    if (has_duplicate_keys(part.get_object().value_unsafe()))
      return BadRequest{"a content part repeats a key", "messages"};
    scope.add(type);
    if (type != "text") {
      scope.add(part);
      continue;
    }
    if (part["text"].get_string().get(text) != simdjson::SUCCESS)
      return BadRequest{"a content part of type 'text' must have a string 'text'", "messages"};
    if (texts++ != 0) {
      joins.push_back(prompt.size());
      prompt.push_back('\n');
    }
    broken = broken || text.find('\n') != std::string_view::npos;
    prompt.append(text);
    // Whatever else a text part says (cache_control, annotations) is no part of the text.
    scope.add_count(part.get_object().value_unsafe().size());
    for (const dom::object inside = part.get_object().value_unsafe(); const auto& [key, value] : inside) {
      if (key == "type" || key == "text") continue;
      scope.add(key);
      scope.add(value);
    }
  }
  if (broken)
    for (const std::size_t join : joins) scope.add_count(join);
  return std::nullopt;
}

std::optional<BadRequest> read_last_message(const dom::object& message, Members& members, ChatRequest& request,
                                            ScopeText& scope) {
  collect_sorted(message, members);
  for (const auto& [key, value] : members) {
    if (key == "content") continue;
    scope.add(key);
    scope.add(value);
  }
  scope.add(std::string_view("content"));
  dom::element content;
  if (message["content"].get(content) != simdjson::SUCCESS || content.is_null()) return std::nullopt;
  std::string_view text;
  dom::array parts;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    request.prompt.assign(text);
  } else if (content.get_array().get(parts) == simdjson::SUCCESS) {
    // A lone text part asks the same as a string does.
    const bool lone_text = parts.size() == 1;
    std::string_view type;
    dom::element only;
    if (lone_text && parts.at(0).get(only) == simdjson::SUCCESS && only.is_object() &&
        only.get_object().value_unsafe().size() == 2 && only["type"].get_string().get(type) == simdjson::SUCCESS &&
        type == "text" && only["text"].get_string().get(text) == simdjson::SUCCESS) {
      request.prompt.assign(text);
      return std::nullopt;
    }
    return read_parts(parts, request.prompt, scope);
  } else {
    return BadRequest{"'content' must be a string or an array of parts", "messages"};
  }
  return std::nullopt;
}

std::optional<BadRequest> read_messages(dom::element value, Members& members, ChatRequest& request,
                                        ScopeText& scope) {
  dom::array messages;
  if (value.get_array().get(messages) != simdjson::SUCCESS)
    return BadRequest{"'messages' must be an array", "messages"};
  const std::size_t count = messages.size();
  if (count == 0) return BadRequest{"'messages' must not be empty", "messages"};
  scope.add_count(count);
  std::size_t index = 0;
  for (const dom::element message : messages) {
    std::string_view role;
    dom::object object;
    if (message.get_object().get(object) != simdjson::SUCCESS ||
        object["role"].get_string().get(role) != simdjson::SUCCESS)
      return BadRequest{"each message must be an object with a string 'role'", "messages"};
    if (has_duplicate_keys(object)) return BadRequest{"a message repeats a key", "messages"};
    if (++index < count) {
      scope.add(message);
      continue;
    }
    if (role != "user") {
      request.bypass_reason = "last_message_not_user";
      return std::nullopt;
    }
    if (auto bad = read_last_message(object, members, request, scope)) return bad;
    if (text::is_blank(request.prompt)) request.bypass_reason = "blank_prompt";
  }
  return std::nullopt;
}

std::optional<BadRequest> read_stream_fields(std::string_view key, dom::element value, ChatRequest& request) {
  if (value.is_null()) return std::nullopt;
  if (key == "stream") {
    if (value.get_bool().get(request.stream) != simdjson::SUCCESS)
      return BadRequest{"'stream' must be true or false", "stream"};
    return std::nullopt;
  }
  dom::object options;
  if (value.get_object().get(options) != simdjson::SUCCESS)
    return BadRequest{"'stream_options' must be an object", "stream_options"};
  dom::element usage;
  if (options["include_usage"].get(usage) == simdjson::SUCCESS && !usage.is_null() &&
      usage.get_bool().get(request.include_usage) != simdjson::SUCCESS)
    return BadRequest{"'include_usage' must be true or false", "stream_options"};
  return std::nullopt;
}

}  // namespace

std::variant<ChatRequest, BadRequest> read_chat_request(JsonReader& reader, const std::string& body,
                                                        const net::HeaderList& headers, std::string_view query) {
  thread_local std::string scope_buffer;
  thread_local Members members;

  const auto root = reader.read(body);
  if (!root) return BadRequest{"the request body " + std::string(reader.why()), ""};
  dom::object object;
  if (root->get_object().get(object) != simdjson::SUCCESS)
    return BadRequest{"the request body must be a JSON object", ""};
  if (has_duplicate_keys(object)) return BadRequest{"the request body repeats a key", ""};

  ChatRequest request;
  ScopeText scope(scope_buffer);
  scope.add(std::string_view("chat.completions"));
  scope.add(query);
  add_headers(headers, scope);

  std::optional<dom::element> messages;
  bool has_model = false;
  collect_sorted(object, members);
  for (const auto& [key, value] : members) {
    if (key == "messages") {
      messages = value;
    } else if (key == "stream" || key == "stream_options") {
      if (auto bad = read_stream_fields(key, value, request)) return std::move(*bad);
    } else if (!value.is_null()) {  // null asks for the default, as absence does.
      if (key == "model") has_model = value.is_string();
      if (key == "n" && value.get_int64().get(request.choices) != simdjson::SUCCESS) request.choices = 0;
      scope.add(key);
      scope.add(value);
    }
  }
  if (!has_model) return BadRequest{"'model' must be a string", "model"};
  if (!messages) return BadRequest{"'messages' is missing", "messages"};
  scope.add(std::string_view("messages"));
  if (auto bad = read_messages(*messages, members, request, scope)) return std::move(*bad);
  if (request.bypass_reason.empty()) request.scope = "chat:" + scope.digest();
  return request;
}

}  // namespace sosie::gateway
