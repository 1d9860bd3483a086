#include "redis/semantic_index.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/digest.h"
#include "base/number.h"

namespace sosie::redis {
namespace {

constexpr std::string_view kEscaped = ",.<>{}[]\\\"':;!@#$%^&*()-+=~/ ?|";
constexpr std::string_view kRange = "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance}";
constexpr std::string_view kDistance = "vector_distance";
// RediSearch indexes no longer ones (4096 bytes).
constexpr std::size_t kLongestTag = 1024;

// What HNSW is built and searched with; the recall that this gives is measured in docs/measurements.md.
constexpr std::string_view kHnswLinks = "16", kHnswBuildEffort = "200", kHnswSearchEffort = "150";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// A field of FT.INFO's attributes: what stands in pairs, and the flags after them.
struct Field {
  std::map<std::string, std::string> values;  // names in lower case
  std::vector<std::string> flags;
};

Field read_field(const Reply& reply) {
  static constexpr std::array<std::string_view, 16> kPaired{
      "identifier", "attribute", "type",        "weight",       "separator",       "algorithm",  "data_type", "dim",
      "m",          "ef_construction", "distance_metric", "phonetic", "block_size", "initial_cap", "ef_runtime", "epsilon"};
  Field field;
  for (std::size_t i = 0; i < reply.items.size(); ++i) {
    const Reply& item = reply.items[i];
    const std::string name = lower(item.text);
    const bool has_next = i + 1 < reply.items.size();
    if (name == "flags" && has_next && reply.items[i + 1].is_list()) {  // RESP3
      for (const Reply& flag : reply.items[++i].items) field.flags.push_back(lower(flag.text));
    } else if (has_next && std::find(kPaired.begin(), kPaired.end(), name) != kPaired.end()) {
      const Reply& value = reply.items[++i];
      field.values[name] = value.kind == Reply::Kind::integer  ? std::to_string(value.integer)
                           : value.kind == Reply::Kind::number ? base::to_text(value.number)
                                                               : value.text;
    } else {
      field.flags.push_back(name);
    }
  }
  return field;
}

bool has_value(const Field& field, std::string_view name, std::string_view value) {
  const auto at = field.values.find(std::string(name));
  return at != field.values.end() && at->second == value;
}

bool is_plain(const Field& field, std::string_view name, std::string_view type) {
  return field.flags.empty() && has_value(field, "identifier", name) && has_value(field, "attribute", name) && has_value(field, "type", type);
}

bool is_text(const Field& field, std::string_view name) {
  const auto weight = field.values.find("weight");
  return is_plain(field, name, "TEXT") && weight != field.values.end() && base::read_double(weight->second) == 1 &&
         !field.values.contains("phonetic");
}

bool is_our_vector(const Field& field) {
  return is_plain(field, "prompt_vector", "VECTOR") && has_value(field, "algorithm", "FLAT") && has_value(field, "data_type", "FLOAT32") &&
         has_value(field, "distance_metric", "COSINE");
}

/// NaN: it is none.
double number_of(const Reply& reply) {
  if (reply.kind == Reply::Kind::integer) return static_cast<double>(reply.integer);
  if (reply.kind == Reply::Kind::number) return reply.number;
  return base::read_double(reply.text).value_or(std::numeric_limits<double>::quiet_NaN());
}

/// Names and values of one hit.
std::optional<Candidate> read_fields(const Reply& fields) {
  Candidate out;
  unsigned seen = 0;
  for (std::size_t i = 0; i + 1 < fields.items.size(); i += 2) {
    const std::string& name = fields.items[i].text;
    const Reply& value = fields.items[i + 1];
    if (value.kind == Reply::Kind::null) continue;
    if (name == "prompt") {
      out.prompt = value.text;
      seen |= 1;
    } else if (name == "response") {
      out.response = value.text;
      seen |= 2;
    } else if (name == kDistance) {
      out.distance.value = number_of(value);
      seen |= 4;
    } else if (name == kKeyField) {
      out.tag = value.text;
    }
  }
  if (seen != 7 || !std::isfinite(out.distance.value)) return std::nullopt;
  return out;
}

void add_params(std::vector<std::string_view>& words, const Search& search) {
  words.insert(words.end(), {"PARAMS", "4", "vector", search.vector, "distance_threshold", search.radius});
}

}  // namespace

std::string entry_id(std::string_view prompt, const TagFilters& filters) {
  std::string material(prompt);
  for (auto filter = filters.begin(); filter != filters.end(); ++filter) {
    if (filter != filters.begin()) material += ' ';
    material += filter->first;
    material += filter->second;
  }
  return base::to_hex(base::sha256(material));
}

std::string entry_key(std::string_view index, std::string_view entry_id) {
  const auto end = index.find_last_not_of(':');
  if (end == std::string_view::npos && !index.empty()) return std::string(entry_id);
  std::string key(index.substr(0, end == std::string_view::npos ? 0 : end + 1));
  if (key.empty()) return std::string(entry_id);
  key += ':';
  key += entry_id;
  return key;
}

bool is_entry_key(std::string_view key, std::string_view index) {
  const std::string prefix = entry_key(index, "");
  return key.size() > prefix.size() && key.starts_with(prefix) && key.find(':', prefix.size()) == std::string_view::npos;
}

std::string escape_tag(std::string_view value) {
  std::string out;
  out.reserve(value.size() + 8);
  for (const char c : value) {
    if (kEscaped.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string search_query(const TagFilters& filters) {
  std::string clauses;
  for (const auto& [name, value] : filters) {
    if (value.empty()) continue;
    if (!clauses.empty()) clauses += ' ';
    clauses += "@" + name + ":{" + escape_tag(value) + "}";
  }
  std::string query(kRange);
  if (!clauses.empty()) query += " (" + clauses + ")";
  return query;
}

std::string float_text(double value) {
  const double size = std::fabs(value);
  const auto format = size == 0 || (size >= 1e-4 && size < 1e16) ? std::chars_format::fixed : std::chars_format::scientific;
  std::array<char, 64> buffer;
  std::string text(buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr);
  if (format == std::chars_format::fixed && text.find('.') == std::string::npos) text += ".0";
  return text;
}

bool is_findable_tag(std::string_view value) noexcept {
  if (value.empty() || value.size() > kLongestTag) return false;
  if (value.front() == ' ' || value.back() == ' ') return false;
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return c == ',' || c == '`' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void add_create_index(Pipeline& pipeline, std::string_view index, std::size_t dimension, bool lean) {
  const std::string floats = std::to_string(dimension);
  std::vector<std::string_view> words{"FT.CREATE", index, "ON", "HASH", "PREFIX", "1", index, "SCORE", "1.0"};
  if (lean) words.insert(words.end(), {"NOOFFSETS", "NOHL", "NOFIELDS", "NOFREQS"});
  words.insert(words.end(), {"SCHEMA",     "prompt", "TEXT",    "WEIGHT",        "1",      "response",        "TEXT", "WEIGHT",
                             "1",          "inserted_at",       "NUMERIC",       "updated_at", "NUMERIC",     "prompt_vector",
                             "VECTOR",     "FLAT",   "6",       "TYPE",          "FLOAT32", "DIM",            floats, "DISTANCE_METRIC",
                             "COSINE",     kKeyField, "TAG",    "SEPARATOR",     ","});
  pipeline.add(words);
}

std::string hnsw_index_name(std::string_view index) { return "sosie_hnsw_" + std::string(index); }

void add_create_hnsw_index(Pipeline& pipeline, std::string_view index, std::size_t dimension) {
  const std::string floats = std::to_string(dimension), name = hnsw_index_name(index), prefix = entry_key(index, "");
  pipeline.add({"FT.CREATE", name, "ON", "HASH", "PREFIX", "1", prefix, "SCHEMA", "prompt_vector", "VECTOR", "HNSW", "12", "TYPE", "FLOAT32",
                "DIM", floats, "DISTANCE_METRIC", "COSINE", "M", kHnswLinks, "EF_CONSTRUCTION", kHnswBuildEffort, "EF_RUNTIME",
                kHnswSearchEffort, kKeyField, "TAG", "SEPARATOR", ","});
}

IndexInfo read_index_info(const Reply& reply, std::string_view index) {
  IndexInfo info;
  std::vector<Field> fields;
  if (const Reply* attributes = reply.find("attributes"); attributes && attributes->is_list()) {
    for (const Reply& attribute : attributes->items) fields.push_back(read_field(attribute));
  }
  for (const Field& field : fields) {
    if (!has_value(field, "identifier", "prompt_vector")) continue;
    const auto dim = field.values.find("dim");
    if (dim != field.values.end()) std::from_chars(dim->second.data(), dim->second.data() + dim->second.size(), info.dimension);
  }
  if (const Reply* done = reply.find("percent_indexed")) info.whole = number_of(*done) >= 1;

  bool definition_is_ours = false;
  if (const Reply* definition = reply.find("index_definition"); definition && definition->is_list()) {
    const Reply* type = definition->find("key_type");
    const Reply* prefixes = definition->find("prefixes");
    definition_is_ours = type && type->text == "HASH" && prefixes && prefixes->items.size() == 1 && prefixes->items[0].text == index;
  }
  const Reply* stopwords = reply.find("stopwords_list");
  info.ours = definition_is_ours && stopwords == nullptr && info.dimension != 0 && fields.size() == 6 && is_text(fields[0], "prompt") &&
              is_text(fields[1], "response") && is_plain(fields[2], "inserted_at", "NUMERIC") && is_plain(fields[3], "updated_at", "NUMERIC") &&
              is_our_vector(fields[4]) && is_plain(fields[5], kKeyField, "TAG") && has_value(fields[5], "separator", ",");
  return info;
}

bool is_unknown_index(const Reply& reply) noexcept {
  if (!reply.is_error()) return false;
  const std::string text = lower(reply.text);
  return text.find("unknown index name") != std::string::npos || text.find("no such index") != std::string::npos ||
         text.find("search_index_not_found") != std::string::npos || text.find("index not found") != std::string::npos;
}

void add_store(Pipeline& pipeline, const NewHash& entry) {
  const std::string stamp = float_text(entry.now);
  std::vector<std::string_view> words{"HSET", entry.key, "entry_id", entry.entry_id, "prompt", entry.prompt, "response", entry.response};
  if (!entry.vector.empty()) words.insert(words.end(), {"prompt_vector", entry.vector});
  words.insert(words.end(), {"inserted_at", stamp, "updated_at", stamp, kKeyField, entry.tag});
  pipeline.add(words);
}

void add_read_entry(Pipeline& pipeline, std::string_view key) {
  pipeline.add({"HMGET", key, "prompt", "response", kKeyField});
}

std::optional<Candidate> read_entry(const Reply& reply) {
  if (!reply.is_list() || reply.items.size() != 3) return std::nullopt;
  for (const Reply& item : reply.items) {
    if (item.kind != Reply::Kind::string) return std::nullopt;
  }
  return Candidate{reply.items[0].text, reply.items[1].text, reply.items[2].text, {0}, {}};
}

void add_search(Pipeline& pipeline, const Search& search) {
  const std::string query = search_query({{std::string(kKeyField), search.tag}});
  const std::string results = std::to_string(search.results);
  std::vector<std::string_view> words{"FT.SEARCH", search.index, query, "RETURN"};
  if (search.lean) {
    words.insert(words.end(), {"4", "prompt", "response", kKeyField, kDistance});
  } else {
    words.insert(words.end(), {"8", "entry_id", "prompt", "response", "inserted_at", "updated_at", "metadata", kKeyField, kDistance});
  }
  words.insert(words.end(), {"SORTBY", kDistance, "ASC", "DIALECT", "2", "LIMIT", "0", results});
  if (search.lean) words.insert(words.end(), {"TIMEOUT", "0"});
  add_params(words, search);
  pipeline.add(words);
}

void add_hnsw_search(Pipeline& pipeline, const Search& search) {
  const std::string results = std::to_string(search.results), index = hnsw_index_name(search.index);
  std::string query = search.tag.empty() ? "*" : "(@" + std::string(kKeyField) + ":{" + escape_tag(search.tag) + "})";
  query += "=>[KNN " + results + " @prompt_vector $vector AS " + std::string(kDistance) + "]";
  pipeline.add({"FT.SEARCH", index, query, "RETURN", "4", "prompt", "response", kKeyField, kDistance, "SORTBY", kDistance, "ASC", "DIALECT", "2",
                "LIMIT", "0", results, "TIMEOUT", "0", "PARAMS", "2", "vector", search.vector});
}

std::optional<Found> read_search(const Reply& reply) {
  Found found;
  if (reply.kind == Reply::Kind::map) {  // RESP3
    const Reply* results = reply.find("results");
    if (!results || !results->is_list()) return std::nullopt;
    if (const Reply* warning = reply.find("warning"); warning && !warning->items.empty()) found.partial = true;
    for (const Reply& hit : results->items) {
      ++found.seen;
      const Reply* fields = hit.find("extra_attributes");
      if (!fields || !fields->is_list()) continue;
      auto candidate = read_fields(*fields);
      if (!candidate) continue;
      if (const Reply* id = hit.find("id")) candidate->key = id->text;
      found.candidates.push_back(std::move(*candidate));
    }
    return found;
  }
  if (reply.kind != Reply::Kind::array || reply.items.empty() || reply.items[0].kind != Reply::Kind::integer) return std::nullopt;
  for (std::size_t i = 1; i < reply.items.size(); ++i) {
    if (reply.items[i].kind != Reply::Kind::string) continue;  // A key; its fields follow, or nothing where it is gone.
    ++found.seen;
    if (i + 1 == reply.items.size() || !reply.items[i + 1].is_list()) continue;
    auto candidate = read_fields(reply.items[i + 1]);
    if (candidate) candidate->key = reply.items[i].text;
    if (candidate) found.candidates.push_back(std::move(*candidate));
    ++i;
  }
  return found;
}

}  // namespace sosie::redis
