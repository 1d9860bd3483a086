// bodies.h: the bodies of Redis LangCache's REST API, read by its rules and written in its words.
//
// Its similarity is normalised, (1 + cosine) / 2, in thresholds and in answers.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/json.h"
#include "net/http_message.h"
#include "sosie/cache.h"

namespace sosie::gateway {

enum class Strategy { exact, semantic };

struct SearchRequest {
  std::string prompt;
  Attributes attributes;
  std::optional<Similarity> threshold;  ///< As a cosine.
  std::vector<Strategy> strategies;     ///< In order of priority, none twice, at least one.
  std::size_t max_results = 1;
  bool has_context = false;  ///< Earlier questions came with it.
};

struct SetRequest {
  std::string prompt, response;
  Attributes attributes;
  std::optional<std::chrono::milliseconds> ttl;
};

/// A rule that a field broke.
struct FieldFault {
  std::string field, rule, message;
};
using Faults = std::vector<FieldFault>;

/// `body` as `JsonReader::read` wants it. `max_prompt`: characters.
std::variant<SearchRequest, Faults> read_search(JsonReader& reader, const std::string& body, std::size_t max_prompt);
/// As `read_search`, of a question in a conversation: with its `context`, the earlier ones.
std::variant<SearchRequest, Faults> read_conversation_search(JsonReader& reader, const std::string& body,
                                                             std::size_t max_prompt);
std::variant<SetRequest, Faults> read_set(JsonReader& reader, const std::string& body, std::size_t max_prompt);
/// DELETE /entries: at least one attribute.
std::variant<Attributes, Faults> read_delete(JsonReader& reader, const std::string& body);

/// One element of "data".
void append_langcache_entry(std::string& out, const Hit& hit, Strategy strategy);

/// Faults of one kind have one URI, except where client generations insist on their own.
enum class LangCacheError {
  invalid_data, insufficient_permissions, not_found, entry_not_found, method_not_allowed, payload_too_large,
  database_unavailable, out_of_memory, too_many_requests, unexpected
};

/// `user_agent` decides about the URI of `type`: 404 and 424 differ between client generations, and each refuses the
/// other's.
net::Reply langcache_error(LangCacheError error, std::string_view user_agent, std::string_view detail,
                           const Faults& faults = {});

}  // namespace sosie::gateway
