#include "litellm_index.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "net/lanes.h"
#include "redis/client.h"
#include "redis/endpoint.h"
#include "redis/pipeline.h"
#include "redis/semantic_index.h"
#include "text/python_value.h"

namespace sosie::app {
namespace {

using redis::Reply;
using Replies = std::vector<Reply>;

// A page of entries, vectors included, must come within the wait.
constexpr const char* kPage = "100";
constexpr std::chrono::seconds kLeastWait{30};

/// SCAN's pattern for the keys of an index. RedisVL drops colons at the end of a name.
std::string key_pattern(std::string_view index) {
  index = index.substr(0, index.find_last_not_of(':') + 1);
  std::string pattern;
  for (const char c : index) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) pattern.push_back('\\');
    pattern.push_back(c);
  }
  return pattern.append(":*");
}

std::optional<TimePoint> from_seconds(double seconds) {
  constexpr double kYear9999 = 253402300799.0;
  if (!(seconds >= 0 && seconds <= kYear9999)) return std::nullopt;
  return TimePoint(std::chrono::milliseconds(std::llround(seconds * 1000)));
}

std::optional<TimePoint> from_seconds_text(std::string_view text) {
  double seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return from_seconds(seconds);
}

/// Fields of the schema that are no filter fields.
bool is_own_field(std::string_view name) {
  static constexpr std::string_view kOwn[] = {"entry_id",    "prompt",     "response", "prompt_vector",
                                              "inserted_at", "updated_at", "metadata", redis::kKeyField};
  return std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn);
}

/// Unset: unreadable. `life` is PTTL's reply.
std::optional<Entry> read_entry(const Reply& hash, const Reply& life, TimePoint now) {
  const Reply *prompt = hash.find("prompt"), *response = hash.find("response"), *scope = hash.find(redis::kKeyField),
              *inserted = hash.find("inserted_at");
  if (prompt == nullptr || response == nullptr) return std::nullopt;
  Entry entry{.prompt = prompt->text, .created = now};
  std::optional<TimePoint> created;
  auto envelope = text::read_envelope(response->text);
  if (envelope && *envelope && (*envelope)->timestamp) {
    entry.response = std::move((*envelope)->response);
    created = from_seconds(*(*envelope)->timestamp);
  } else if (scope == nullptr) {
    entry.response = response->text;  // RedisVL's own: a text as it is
  } else if (envelope && *envelope) {
    entry.response = std::move((*envelope)->response);
  } else {
    return std::nullopt;
  }
  if (!created && inserted != nullptr) created = from_seconds_text(inserted->text);
  if (created) entry.created = *created;
  if (scope != nullptr) entry.scope = scope->text;
  if (life.integer >= 0) entry.expires = now + std::chrono::milliseconds(life.integer);
  for (std::size_t i = 0; i + 1 < hash.items.size(); i += 2) {
    const std::string& name = hash.items[i].text;
    if (!is_own_field(name)) entry.attributes[name] = hash.items[i + 1].text;
  }
  return entry;
}

}  // namespace

Result<IndexRead> read_litellm_index(const RedisOptions& server, const std::string& index, TimePoint now,
                                     const std::function<bool(Entry)>& visit) {
  if (index.find_first_not_of(':') == std::string::npos)
    return Error{ErrorCode::invalid_argument, "the index to import needs a name"};
  auto endpoint = redis::read_endpoint(server);
  if (!endpoint) return endpoint.error();
  const auto wait =
      endpoint->connect_timeout + std::max<std::chrono::milliseconds>(endpoint->command_timeout, kLeastWait);
  net::Lanes<redis::Client> lane(1, [&](net::Executor executor) {
    return std::make_unique<redis::Client>(std::move(executor), *endpoint, std::make_shared<net::Backoff>());
  });
  const auto ask = [&](redis::Pipeline commands) {
    const auto deadline = net::after(wait);
    return lane.run<Replies>([&](redis::Client& client) { return client.run(commands, deadline); }, deadline);
  };
  const std::string pattern = key_pattern(index);
  IndexRead done;
  std::string cursor = "0";
  do {
    redis::Pipeline scan;
    scan.add({"SCAN", cursor, "MATCH", pattern, "COUNT", kPage, "TYPE", "hash"});
    auto page = ask(std::move(scan));
    if (!page) return page.error();
    Reply& found = page->front();
    if (found.is_error()) return redis::to_error(found);
    if (found.items.size() != 2) return Error{ErrorCode::internal, "the server's reply to SCAN is not one"};
    cursor = found.items[0].text;
    Replies& keys = found.items[1].items;
    std::erase_if(keys, [&](const Reply& key) { return !redis::is_entry_key(key.text, index); });
    if (keys.empty()) continue;
    redis::Pipeline fetch;
    for (const Reply& key : keys) fetch.add({"HGETALL", key.text}).add({"PTTL", key.text});
    auto hashes = ask(std::move(fetch));
    if (!hashes) return hashes.error();
    for (std::size_t i = 0; i + 1 < hashes->size(); i += 2) {
      const Reply &hash = (*hashes)[i], &life = (*hashes)[i + 1];
      if (hash.is_error()) return redis::to_error(hash);
      if (hash.items.empty()) continue;  // gone since the scan
      auto entry = read_entry(hash, life, now);
      if (!entry) {
        ++done.unreadable;
        continue;
      }
      ++done.entries;
      if (!visit(std::move(*entry))) return done;
    }
  } while (cursor != "0");
  return done;
}

}  // namespace sosie::app
