#include "protocol/client_traces.h"

#include <algorithm>
#include <optional>

#include "protocol/json.h"
#include "protocol/object_writer.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/// "name=value", each of letters, digits, '_', '-' and '.'.
bool is_pair(std::string_view text) noexcept {
  const std::size_t sign = text.find('=');
  if (sign == 0 || sign == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, sign), value = text.substr(sign + 1);
  return std::all_of(name.begin(), name.end(), is_word) && std::all_of(value.begin(), value.end(), is_word);
}

std::string_view trimmed(std::string_view text) noexcept {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

/// "user_…_account_…_session_<UUID>" up to the session. Unset: no such name.
std::optional<std::string_view> without_session(std::string_view user) noexcept {
  constexpr std::string_view kSession = "_session_";
  constexpr std::size_t kUuid = 36;
  const std::size_t at = user.rfind(kSession);
  if (!user.starts_with("user_") || at == std::string_view::npos || user.find("_account_") >= at) return std::nullopt;
  const std::string_view session = user.substr(at + kSession.size());
  const bool is_uuid = session.size() == kUuid && std::all_of(session.begin(), session.end(), is_word);
  return is_uuid ? std::optional(user.substr(0, at)) : std::nullopt;
}

/// `{"device_id":…,"account_uuid":…,"session_id":…}` less the session. Unset: no such text.
std::optional<std::string> without_session_id(std::string_view user) {
  thread_local JsonReader reader;
  if (!user.starts_with('{')) return std::nullopt;
  const auto root = reader.read_copy(user);
  dom::object members;
  if (!root || root->get_object().get(members) != simdjson::SUCCESS || has_duplicate_keys(members) || !members["device_id"].is_string() ||
      !members["session_id"].is_string())
    return std::nullopt;
  std::string rest;
  {
    ObjectWriter writer(rest);
    for (const auto& [key, value] : members)
      if (key != "session_id") append_canonical_json(writer.name(key), value);
  }
  return rest;
}

}  // namespace

std::string_view without_billing_header(std::string_view instructions) noexcept {
  constexpr std::string_view kName = "x-anthropic-billing-header:";
  if (!instructions.starts_with(kName)) return instructions;
  const std::size_t end = std::min(instructions.find('\n'), instructions.size());
  std::string_view line = trimmed(instructions.substr(kName.size(), end - kName.size()));
  while (!line.empty()) {
    const std::size_t pair = std::min(line.find(';'), line.size());
    if (!is_pair(line.substr(0, pair))) return instructions;
    line = trimmed(line.substr(std::min(pair + 1, line.size())));
  }
  return instructions.substr(std::min(end + 1, instructions.size()));
}

void add_user(Scope& scope, dom::element user) {
  std::string_view name;
  if (user.get_string().get(name) == simdjson::SUCCESS) {
    if (const auto rest = without_session(name)) return scope.add("user", *rest);
    if (const auto rest = without_session_id(name)) return scope.add("user", *rest);
  }
  scope.add("user", user);
}

}  // namespace sosie::protocol
