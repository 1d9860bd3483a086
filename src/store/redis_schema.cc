#include "store/redis_schema.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "base/number.h"
#include "redis/vector_bytes.h"

namespace sosie::store {
namespace {

using redis::Reply;

// Attributes are any bytes: each length in decimal, a colon, the bytes.
std::string pack(const Attributes& attributes) {
  std::string packed;
  const auto add = [&](const std::string& part) {
    packed.append(std::to_string(part.size())).append(":").append(part);
  };
  for (const auto& [name, value] : attributes) {
    add(name);
    add(value);
  }
  return packed;
}

std::optional<Attributes> unpack(std::string_view packed) {
  const auto take = [&]() -> std::optional<std::string> {
    std::size_t size = 0;
    const auto [end, failed] = std::from_chars(packed.data(), packed.data() + packed.size(), size);
    const auto digits = static_cast<std::size_t>(end - packed.data());
    if (failed != std::errc() || digits == packed.size() || *end != ':') return std::nullopt;
    if (packed.size() - digits - 1 < size) return std::nullopt;
    std::string part(packed.substr(digits + 1, size));
    packed.remove_prefix(digits + 1 + size);
    return part;
  };
  Attributes attributes;
  while (!packed.empty()) {
    auto name = take();
    auto value = name ? take() : std::nullopt;
    if (!value) return std::nullopt;
    attributes[*std::move(name)] = *std::move(value);
  }
  return attributes;
}

std::optional<TimePoint> read_time(std::string_view text) {
  std::int64_t ms = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), ms);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return TimePoint(std::chrono::milliseconds(ms));
}

std::string text_of(TimePoint time) { return std::to_string(time.time_since_epoch().count()); }

std::string query_text(const SearchScope& scope) {
  // What has expired is left out, rather than the rest let in: it is seldom much.
  const Filter& filter = scope.filter;
  std::string query = "@partition:{" + std::string(scope.partition) + "}";
  query += " -@expires_at:[-inf " + text_of(filter.now) + "]";
  if (scope.of == SearchOf::all) return "(" + query + ")";
  std::string conditions;
  if (filter.not_before) conditions += " @created_at:[" + text_of(*filter.not_before) + " +inf]";
  if (filter.attributes != nullptr) {
    for (const std::string& tag : attribute_tags(*filter.attributes)) conditions += " @tags:{" + tag + "}";
  }
  return "(" + query + (scope.of == SearchOf::failing ? " -(" : " (") + conditions + "))";
}

std::optional<SearchRow> read_row(const Reply& key, const Reply* fields, const RedisKeys& keys, bool with_entries) {
  const std::size_t before = keys.prefix.size() + std::strlen("entry:");
  if (key.text.size() <= before) return std::nullopt;
  SearchRow row{.id = key.text.substr(before)};
  const Reply* distance = fields != nullptr ? fields->find("distance") : nullptr;
  row.gone = distance == nullptr;
  if (row.gone) return row;
  double value = distance->number;
  if (distance->kind == Reply::Kind::string) {
    const auto read = base::read_double(distance->text);
    if (!read) return std::nullopt;
    value = *read;
  }
  row.similarity = 1 - value;
  if (!with_entries) return row;
  std::vector<Reply> values;
  for (const std::string_view name : kEntryFields) {
    const Reply* found = fields->find(name);
    values.push_back(found != nullptr ? *found : Reply());
  }
  row.entry = read_entry(row.id, values);
  row.gone = !row.entry;
  return row;
}

std::string vector_field(std::size_t dimension) { return "vector:" + std::to_string(dimension); }

}  // namespace

RedisKeys::RedisKeys(std::string_view name)
    : prefix(std::string(name) + ":"),
      meta(prefix + "meta"),
      accounts(prefix + "accounts"),
      priorities(prefix + "priorities"),
      expiries(prefix + "expiries"),
      hits(prefix + "hits"),
      partitions(prefix + "partitions"),
      scopes(prefix + "scopes") {}

std::string scope_key(std::string_view scope) { return base::to_hex(base::sha256(scope)); }

std::vector<std::string> attribute_tags(const Attributes& attributes) {
  std::vector<std::string> tags;
  for (const auto& [name, value] : attributes) {
    tags.push_back(base::to_hex(base::DigestBuilder().add("attribute").add(name).add(value).finish()));
  }
  return tags;
}

std::vector<std::string> entry_fields(const NewEntry& entry) {
  std::vector<std::string> fields;
  const auto add = [&](std::string name, std::string value) {
    fields.push_back(std::move(name));
    fields.push_back(std::move(value));
  };
  add("scope", entry.entry.scope);
  add("prompt", entry.entry.prompt);
  add("response", entry.entry.response);
  add("created", text_of(entry.entry.created));
  if (entry.entry.expires) add("expires", text_of(*entry.entry.expires));
  if (!entry.entry.attributes.empty()) {
    std::string tags;
    for (const std::string& tag : attribute_tags(entry.entry.attributes)) tags += (tags.empty() ? "" : ",") + tag;
    add("attributes", pack(entry.entry.attributes));
    add("tags", std::move(tags));
  }
  if (entry.entry.exact_only) {
    add("exact_only", "1");  // No partition either: no search meets it.
  } else {
    add("partition", base::to_hex(entry.partition));
    add(vector_field(entry.vector.size()), redis::vector_bytes(entry.vector));
  }
  return fields;
}

void add_read_entry(redis::Pipeline& commands, const RedisKeys& keys, std::string_view id) {
  const std::string key = keys.entry(id);
  std::vector<std::string_view> words{"HMGET", key};
  words.insert(words.end(), std::begin(kEntryFields), std::end(kEntryFields));
  commands.add(words);
}

std::optional<Entry> read_entry(std::string_view id, std::span<const Reply> values) {
  if (values.size() != std::size(kEntryFields)) return std::nullopt;
  const auto is_there = [&](std::size_t i) { return values[i].kind == Reply::Kind::string; };
  if (!is_there(0) || !is_there(1) || !is_there(2) || !is_there(4)) return std::nullopt;
  Entry entry{.id = std::string(id), .scope = values[0].text, .prompt = values[1].text, .response = values[2].text};
  if (is_there(3)) {
    auto attributes = unpack(values[3].text);
    if (!attributes) return std::nullopt;
    entry.attributes = *std::move(attributes);
  }
  const auto created = read_time(values[4].text);
  if (!created) return std::nullopt;
  entry.created = *created;
  if (is_there(5)) {
    entry.expires = read_time(values[5].text);
    if (!entry.expires) return std::nullopt;
  }
  entry.exact_only = is_there(6);
  return entry;
}

void add_create_index(redis::Pipeline& commands, const RedisKeys& keys, std::size_t dimension, bool looks_for_entries) {
  const std::string name = keys.index(dimension), prefix = keys.entry(""), vector = vector_field(dimension);
  const std::string floats = std::to_string(dimension);
  std::vector<std::string_view> words{"FT.CREATE", name, "ON", "HASH", "PREFIX", "1", prefix};
  const auto add = [&](std::initializer_list<std::string_view> more) { words.insert(words.end(), more); };
  add({"NOOFFSETS", "NOHL", "NOFIELDS", "NOFREQS"});
  if (!looks_for_entries) add({"SKIPINITIALSCAN"});
  add({"SCHEMA", "partition", "TAG", "tags", "TAG"});
  // By other names: what is asked for by a field's own name then comes back as it was written, not as a rounded number.
  add({"created", "AS", "created_at", "NUMERIC", "expires", "AS", "expires_at", "NUMERIC"});
  // Of unit vectors the inner product is the cosine, and exact where the products are.
  add({vector, "AS", "vector", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32", "DIM", floats, "DISTANCE_METRIC", "IP"});
  commands.add(words);
}

void add_search(redis::Pipeline& commands, const RedisKeys& keys, const SearchScope& scope, std::string_view vector,
                std::size_t dimension, std::size_t rows, bool with_entries) {
  const std::string index = keys.index(dimension), count = std::to_string(rows);
  const std::string query = query_text(scope) + "=>[KNN $k @vector $vector AS distance]";
  const std::string returned = std::to_string(1 + (with_entries ? std::size(kEntryFields) : 0));
  std::vector<std::string_view> words{"FT.SEARCH", index, query, "RETURN", returned, "distance"};
  if (with_entries) words.insert(words.end(), std::begin(kEntryFields), std::end(kEntryFields));
  // TIMEOUT 0: else the server gives what it has after half a second for the whole.
  words.insert(words.end(), {"SORTBY", "distance", "LIMIT", "0", count, "TIMEOUT", "0"});
  words.insert(words.end(), {"PARAMS", "4", "k", count, "vector", vector, "DIALECT", "2"});
  commands.add(words);
}

std::optional<std::vector<SearchRow>> read_rows(const Reply& reply, const RedisKeys& keys, bool with_entries) {
  std::vector<SearchRow> rows;
  if (reply.kind == Reply::Kind::map) {  // RESP3
    const Reply* results = reply.find("results");
    const Reply* warning = reply.find("warning");
    if (results == nullptr || !results->is_list()) return std::nullopt;
    if (warning != nullptr && !warning->items.empty()) return std::nullopt;
    for (const Reply& result : results->items) {
      const Reply* key = result.find("id");
      if (key == nullptr) return std::nullopt;
      auto row = read_row(*key, result.find("extra_attributes"), keys, with_entries);
      if (!row) return std::nullopt;
      rows.push_back(*std::move(row));
    }
    return rows;
  }
  if (reply.kind != Reply::Kind::array || reply.items.empty()) return std::nullopt;
  for (std::size_t i = 1; i < reply.items.size(); ++i) {
    const Reply& key = reply.items[i];
    // Its fields follow, or nothing where it is gone.
    const bool has_fields = i + 1 < reply.items.size() && reply.items[i + 1].kind != Reply::Kind::string;
    const Reply* fields = has_fields ? &reply.items[++i] : nullptr;
    auto row = read_row(key, fields, keys, with_entries);
    if (!row) return std::nullopt;
    rows.push_back(*std::move(row));
  }
  return rows;
}

std::uint64_t read_number(const Reply& reply) {
  if (reply.kind == Reply::Kind::integer) return static_cast<std::uint64_t>(std::max<std::int64_t>(0, reply.integer));
  if (reply.kind == Reply::Kind::number) return static_cast<std::uint64_t>(std::max(0.0, reply.number));
  std::uint64_t value = 0;
  std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), value);
  return value;
}

Error not_understood() {
  return {ErrorCode::internal,
          "the Redis server's reply is not what was asked for: docs/redis-store.md tells which servers do"};
}

Error newer_format() {
  return {ErrorCode::unsupported, "the store in Redis was written by a newer sosie: use that version, or another name"};
}

Error damaged(std::string_view id) {
  return {ErrorCode::data_corruption, "entry " + std::string(id) + " is not as it was written: erase it"};
}

}  // namespace sosie::store
