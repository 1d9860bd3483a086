#include "store/redis_schema.h"

#include <charconv>
#include <cstring>
#include <iterator>

namespace sosie::store {
namespace {

using redis::Reply;

// Attributes are any bytes: each length in decimal, a colon, the bytes.
std::string pack(const Attributes& attributes) {
  std::string packed;
  const auto add = [&](const std::string& part) { packed.append(std::to_string(part.size())).append(":").append(part); };
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
    if (failed != std::errc() || digits == packed.size() || *end != ':' || packed.size() - digits - 1 < size) return std::nullopt;
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

std::string query_text(const Seen& seen) {
  // What expires then or earlier is left out, rather than the rest let in: most never expire, or have not.
  std::string query = "@partition:{" + std::string(seen.partition) + "} -@expires_at:[-inf " + text_of(seen.now) + "]";
  if (seen.of == Seen::Of::all) return "(" + query + ")";
  std::string conditions;
  if (seen.filter->not_before) conditions += " @created_at:[" + text_of(*seen.filter->not_before) + " +inf]";
  if (seen.filter->attributes != nullptr) {
    for (const std::string& tag : attribute_tags(*seen.filter->attributes)) conditions += " @tags:{" + tag + "}";
  }
  return "(" + query + (seen.of == Seen::Of::failing ? " -(" : " (") + conditions + "))";
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
    const auto& text = distance->text;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
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

}  // namespace

RedisKeys::RedisKeys(std::string_view name)
    : prefix(std::string(name) + ":"),
      meta(prefix + "meta"),
      accounts(prefix + "accounts"),
      priorities(prefix + "priorities"),
      expiries(prefix + "expiries"),
      hits(prefix + "hits"),
      partitions(prefix + "partitions") {}

std::string scope_key(std::string_view scope) { return base::to_hex(base::sha256(scope)); }

std::vector<std::string> attribute_tags(const Attributes& attributes) {
  std::vector<std::string> tags;
  for (const auto& [name, value] : attributes) {
    tags.push_back(base::to_hex(base::DigestBuilder().add("attribute").add(name).add(value).finish()));
  }
  return tags;
}

std::vector<std::string> entry_fields(const NewEntry& entry) {
  std::vector<std::string> fields{"scope",   entry.entry.scope,           "prompt",    entry.entry.prompt,           "response", entry.entry.response,
                                  "created", text_of(entry.entry.created), "partition", base::to_hex(entry.partition)};
  if (entry.entry.expires) fields.insert(fields.end(), {"expires", text_of(*entry.entry.expires)});
  if (!entry.entry.attributes.empty()) {
    std::string tags;
    for (const std::string& tag : attribute_tags(entry.entry.attributes)) tags += (tags.empty() ? "" : ",") + tag;
    fields.insert(fields.end(), {"attributes", pack(entry.entry.attributes), "tags", std::move(tags)});
  }
  fields.push_back("vector:" + std::to_string(entry.vector.size()));
  fields.emplace_back(reinterpret_cast<const char*>(entry.vector.data()), entry.vector.size() * sizeof(float));
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
  return entry;
}

void add_create_index(redis::Pipeline& commands, const RedisKeys& keys, std::size_t dimension) {
  const std::string name = keys.index(dimension), prefix = keys.entry(""), field = "vector:" + std::to_string(dimension),
                    floats = std::to_string(dimension);
  // Unit vectors: the inner product is the cosine, and stays exact where the floats are.
  commands.add({"FT.CREATE",  name,     "ON",   "HASH",    "PREFIX", "1",       prefix, "NOOFFSETS",  "NOHL",      "NOFIELDS", "NOFREQS",
                "SCHEMA",     "partition", "TAG", "tags",  "TAG",    "created", "AS",   "created_at", "NUMERIC",   "expires",  "AS",
                "expires_at", "NUMERIC", field, "AS",      "vector", "VECTOR",  "FLAT", "6",          "TYPE",      "FLOAT32",  "DIM",
                floats,       "DISTANCE_METRIC", "IP"});
}

void add_search(redis::Pipeline& commands, const RedisKeys& keys, const Seen& seen, std::string_view vector, std::size_t dimension,
                std::size_t k, bool with_entries) {
  const std::string index = keys.index(dimension), count = std::to_string(k), query = query_text(seen) + "=>[KNN $k @vector $vector AS distance]",
                    returned = std::to_string(1 + (with_entries ? std::size(kEntryFields) : 0));
  std::vector<std::string_view> words{"FT.SEARCH", index, query, "RETURN", returned, "distance"};
  if (with_entries) words.insert(words.end(), std::begin(kEntryFields), std::end(kEntryFields));
  // TIMEOUT 0: else the server gives what it has after half a second for the whole.
  words.insert(words.end(), {"SORTBY", "distance", "LIMIT", "0", count, "TIMEOUT", "0", "PARAMS", "4", "k", count, "vector", vector, "DIALECT", "2"});
  commands.add(words);
}

std::optional<std::vector<SearchRow>> read_rows(const Reply& reply, const RedisKeys& keys, bool with_entries) {
  std::vector<SearchRow> rows;
  if (reply.kind == Reply::Kind::map) {  // RESP3
    const Reply* results = reply.find("results");
    const Reply* warning = reply.find("warning");
    if (results == nullptr || !results->is_list() || (warning != nullptr && !warning->items.empty())) return std::nullopt;
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
    const Reply* fields = i + 1 < reply.items.size() && reply.items[i + 1].kind != Reply::Kind::string ? &reply.items[++i] : nullptr;
    auto row = read_row(key, fields, keys, with_entries);
    if (!row) return std::nullopt;
    rows.push_back(*std::move(row));
  }
  return rows;
}

}  // namespace sosie::store
