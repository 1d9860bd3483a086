#include "gateway/langcache/bodies.h"

#include <algorithm>
#include <charconv>

namespace sosie::gateway {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kMaxAttributes = 5;
constexpr std::size_t kMaxAttributeName = 32;
constexpr std::size_t kMaxAttributeValue = 500;
constexpr std::int64_t kMaxTtlMillis = 31'556'952'000;
constexpr std::int64_t kMaxResults = 100;
constexpr std::size_t kMaxContext = 100;

/// Characters of valid UTF-8.
std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_attribute_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxAttributeName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

/// Reads an object's members, noting what is wrong.
class Body {
 public:
  Body(JsonReader& reader, const std::string& text) {
    const auto root = reader.read(text);
    if (!root || root->get_object().get(object_) != simdjson::SUCCESS) {
      faults.push_back({"body", "json", "must be a JSON object" + (root ? "" : ", but " + std::string(reader.why()))});
    } else if (has_duplicate_keys(object_)) {
      faults.push_back({"body", "unique", "must not repeat a key"});
    } else {
      readable_ = true;
    }
  }

  /// Unset: absent or null.
  std::optional<dom::element> find(std::string_view key) const {
    dom::element value;
    if (!readable_ || object_[key].get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
    return value;
  }

  void fault(std::string_view field, std::string_view rule, std::string message) {
    faults.push_back({std::string(field), std::string(rule), std::move(message)});
  }

  bool readable() const noexcept { return readable_; }

  std::string prompt(std::size_t max_characters) {
    const auto value = find("prompt");
    std::string_view text;
    if (!value) {
      fault("prompt", "required", "is required");
    } else if (value->get_string().get(text) != simdjson::SUCCESS) {
      fault("prompt", "type", "must be a string");
    } else if (text.empty()) {
      fault("prompt", "minLength", "must not be empty");
    } else if (count_characters(text) > max_characters) {
      fault("prompt", "maxLength", "must have at most " + std::to_string(max_characters) + " characters");
    }
    return std::string(text);
  }

  Attributes attributes(bool required) {
    Attributes read;
    const auto value = find("attributes");
    dom::object members;
    if (!value) {
      if (required) fault("attributes", "required", "is required");
      return read;
    }
    if (value->get_object().get(members) != simdjson::SUCCESS) {
      fault("attributes", "type", "must be an object of strings");
      return read;
    }
    for (const auto& [name, element] : members) {
      std::string_view text;
      const bool good = is_attribute_name(name);
      const std::string field = good ? "attributes." + std::string(name) : "attributes";
      if (!good) {
        fault(field, "pattern", "names must match ^[a-zA-Z0-9_-]{1,32}$");
      } else if (element.get_string().get(text) != simdjson::SUCCESS) {
        fault(field, "type", "must be a string");
      } else if (text.empty() || count_characters(text) > kMaxAttributeValue) {
        fault(field, "length", "must have 1 to 500 characters");
      } else if (text.find(',') != std::string_view::npos) {
        fault(field, "pattern", "must not contain a comma");
      } else if (!read.emplace(name, text).second) {
        fault(field, "unique", "must not be repeated");
      }
      if (faults.size() > kMaxAttributes) break;  // Enough to go on with.
    }
    if (members.size() > kMaxAttributes) fault("attributes", "maxProperties", "must have at most 5 members");
    if (required && members.size() == 0) fault("attributes", "minProperties", "must not be empty; use flush to delete every entry");
    return read;
  }

  Faults faults;

 private:
  dom::object object_;
  bool readable_ = false;
};

void read_threshold(Body& body, SearchRequest& request) {
  const auto value = body.find("similarityThreshold");
  if (!value) return;
  double threshold = 0;
  if (!value->is_number() || value->get_double().get(threshold) != simdjson::SUCCESS) {
    body.fault("similarityThreshold", "type", "must be a number");
  } else if (!(threshold >= 0 && threshold <= 1)) {
    body.fault("similarityThreshold", "range", "must be between 0 and 1");
  } else {
    request.threshold = Similarity{std::max(0.0, 2 * threshold - 1)};
  }
}

void read_strategies(Body& body, SearchRequest& request) {
  const auto value = body.find("searchStrategies");
  dom::array names;
  if (value && value->get_array().get(names) != simdjson::SUCCESS) {
    body.fault("searchStrategies", "type", "must be an array");
    return;
  }
  if (value && names.size() == 0) body.fault("searchStrategies", "minItems", "must not be empty");
  if (value) {
    for (const dom::element each : names) {
      std::string_view name;
      static_cast<void>(each.get_string().get(name));
      if (name != "exact" && name != "semantic") {
        body.fault("searchStrategies", "enum", "must hold only \"exact\" and \"semantic\"");
        return;
      }
      const Strategy strategy = name == "exact" ? Strategy::exact : Strategy::semantic;
      auto& known = request.strategies;
      if (std::find(known.begin(), known.end(), strategy) == known.end()) known.push_back(strategy);
    }
  }
  if (request.strategies.empty()) request.strategies.push_back(Strategy::semantic);
}

void read_max_results(Body& body, SearchRequest& request) {
  const auto value = body.find("maxResults");
  if (!value) return;
  std::int64_t count = 0;
  if (value->get_int64().get(count) != simdjson::SUCCESS) {
    body.fault("maxResults", "type", "must be an integer");
  } else if (count < 1 || count > kMaxResults) {
    body.fault("maxResults", "range", "must be between 1 and 100");
  } else {
    request.max_results = static_cast<std::size_t>(count);
  }
}

void read_context(Body& body, SearchRequest& request, std::size_t max_prompt) {
  const auto value = body.find("context");
  if (!value) return;
  dom::array questions;
  if (value->get_array().get(questions) != simdjson::SUCCESS) {
    body.fault("context", "type", "must be an array of strings");
    return;
  }
  std::size_t count = 0;
  for (const dom::element each : questions) {
    std::string_view text;
    if (each.get_string().get(text) != simdjson::SUCCESS) {
      body.fault("context", "type", "must be an array of strings");
      return;
    }
    if (text.empty() || count_characters(text) > max_prompt) {
      body.fault("context", "length", "its strings must have 1 to " + std::to_string(max_prompt) + " characters");
      return;
    }
    if (++count > kMaxContext) {
      body.fault("context", "maxItems", "must have at most " + std::to_string(kMaxContext) + " strings");
      return;
    }
  }
  request.has_context = count > 0;
}

bool is_new_python_client(std::string_view user_agent) {
  constexpr std::string_view kName = "speakeasy-sdk/python ";
  if (!user_agent.starts_with(kName)) return false;
  user_agent.remove_prefix(kName.size());
  unsigned major = 0, minor = 0;
  const char* const end = user_agent.data() + user_agent.size();
  auto [dot, bad_major] = std::from_chars(user_agent.data(), end, major);
  if (bad_major != std::errc{} || dot == end || *dot != '.') return false;
  const auto [rest, bad_minor] = std::from_chars(dot + 1, end, minor);
  return bad_minor == std::errc{} && (major > 0 || minor >= 12);
}

struct ErrorWords {
  int status;
  std::string_view title, old_type, new_type;
};

ErrorWords words_of(LangCacheError error) {
  switch (error) {
    case LangCacheError::invalid_data: return {400, "Invalid data", "/errors/invalid-data", "/errors/invalid-data"};
    case LangCacheError::insufficient_permissions:
      return {403, "Insufficient permissions", "/errors/insufficient-permissions", "/errors/insufficient-permissions"};
    case LangCacheError::not_found:
      return {404, "Resource not found", "/errors/resource/not-found", "/errors/resource-not-found"};
    case LangCacheError::method_not_allowed:
      return {405, "Method not allowed", "/errors/method-not-allowed", "/errors/method-not-allowed"};
    case LangCacheError::entry_not_found:
      return {404, "Entry not found", "/errors/cache/entry/not-found", "/errors/resource-not-found"};
    case LangCacheError::payload_too_large:
      return {413, "Payload too large", "/errors/payload-too-large", "/errors/payload-too-large"};
    case LangCacheError::database_unavailable:
      return {424, "Store unavailable", "/errors/database/resource-database-unavailable", "/errors/resource-unavailable"};
    case LangCacheError::out_of_memory:
      return {424, "Store out of space", "/errors/database/out-of-memory", "/errors/database-out-of-memory"};
    case LangCacheError::too_many_requests:
      return {429, "Too many requests", "/errors/too-many-requests", "/errors/too-many-requests"};
    case LangCacheError::unexpected: break;
  }
  return {500, "Unexpected error", "/errors/unexpected-error", "/errors/unexpected-error"};
}

void append_double(std::string& out, double number) {
  char digits[40];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

std::variant<SearchRequest, Faults> read_any_search(JsonReader& reader, const std::string& text, std::size_t max_prompt,
                                                    bool in_conversation) {
  Body body(reader, text);
  if (!body.readable()) return std::move(body.faults);
  SearchRequest request;
  request.prompt = body.prompt(max_prompt);
  request.attributes = body.attributes(false);
  read_threshold(body, request);
  read_strategies(body, request);
  read_max_results(body, request);
  if (in_conversation) read_context(body, request, max_prompt);
  if (!body.faults.empty()) return std::move(body.faults);
  return request;
}

}  // namespace

std::variant<SearchRequest, Faults> read_search(JsonReader& reader, const std::string& text, std::size_t max_prompt) {
  return read_any_search(reader, text, max_prompt, false);
}

std::variant<SearchRequest, Faults> read_conversation_search(JsonReader& reader, const std::string& text,
                                                             std::size_t max_prompt) {
  return read_any_search(reader, text, max_prompt, true);
}

std::variant<SetRequest, Faults> read_set(JsonReader& reader, const std::string& text, std::size_t max_prompt) {
  Body body(reader, text);
  if (!body.readable()) return std::move(body.faults);
  SetRequest request;
  request.prompt = body.prompt(max_prompt);
  request.attributes = body.attributes(false);
  std::string_view response;
  const auto value = body.find("response");
  if (!value) {
    body.fault("response", "required", "is required");
  } else if (value->get_string().get(response) != simdjson::SUCCESS) {
    body.fault("response", "type", "must be a string");
  }
  request.response = response;
  if (const auto ttl = body.find("ttlMillis")) {
    std::int64_t millis = 0;
    if (ttl->get_int64().get(millis) != simdjson::SUCCESS) {
      body.fault("ttlMillis", "type", "must be an integer");
    } else if (millis < 1 || millis > kMaxTtlMillis) {
      body.fault("ttlMillis", "range", "must be between 1 and 31556952000");
    } else {
      request.ttl = std::chrono::milliseconds(millis);
    }
  }
  if (!body.faults.empty()) return std::move(body.faults);
  return request;
}

std::variant<Attributes, Faults> read_delete(JsonReader& reader, const std::string& text) {
  Body body(reader, text);
  if (!body.readable()) return std::move(body.faults);
  Attributes attributes = body.attributes(true);
  if (!body.faults.empty()) return std::move(body.faults);
  return attributes;
}

void append_langcache_entry(std::string& out, const Hit& hit, Strategy strategy) {
  out.append(R"({"id":)");
  append_json_string(out, hit.entry->id);
  out.append(R"(,"prompt":)");
  append_json_string(out, hit.entry->prompt);
  out.append(R"(,"response":)");
  append_json_string(out, hit.entry->response);
  out.append(R"(,"attributes":{)");
  for (const auto& [name, value] : hit.entry->attributes) {
    if (out.back() != '{') out.push_back(',');
    append_json_string(out, name);
    out.push_back(':');
    append_json_string(out, value);
  }
  out.append(R"(},"similarity":)");
  append_double(out, std::clamp((1 + hit.similarity.value) / 2, 0.0, 1.0));
  out.append(strategy == Strategy::exact ? R"(,"searchStrategy":"exact"})" : R"(,"searchStrategy":"semantic"})");
}

net::Reply langcache_error(LangCacheError error, std::string_view user_agent, std::string_view detail,
                           const Faults& faults) {
  const ErrorWords words = words_of(error);
  net::Reply reply;
  reply.status = words.status;
  std::string& out = reply.body;
  out.append(R"({"title":)");
  append_json_string(out, words.title);
  out.append(R"(,"type":)");
  append_json_string(out, is_new_python_client(user_agent) ? words.new_type : words.old_type);
  out.append(R"(,"status":)").append(std::to_string(words.status)).append(R"(,"detail":)");
  append_json_string(out, detail);
  if (!faults.empty()) {
    out.append(R"(,"fields":[)");
    for (const FieldFault& fault : faults) {
      if (out.back() != '[') out.push_back(',');
      out.append(R"({"field":)");
      append_json_string(out, fault.field);
      out.append(R"(,"rule":)");
      append_json_string(out, fault.rule);
      out.append(R"(,"message":)");
      append_json_string(out, fault.message);
      out.push_back('}');
    }
    out.push_back(']');
  }
  out.push_back('}');
  return reply;
}

}  // namespace sosie::gateway
