// semantic_index.h: the schema that LiteLLM's RedisSemanticCache keeps in Redis through RedisVL: entry ids, keys, hash fields,
// the index and its query (contract: LiteLLM 1.109.1 over RedisVL 0.28.0; ids, fields and index are the same since 0.4.1).
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "redis/pipeline.h"
#include "redis/reply.h"
#include "redis/vector_bytes.h"
#include "sosie/similarity.h"

namespace sosie::redis {

/// The one filter that LiteLLM declares: what may share answers.
inline constexpr std::string_view kKeyField = "litellm_cache_key";

/// TAG fields and the values they must have.
using TagFilters = std::map<std::string, std::string>;

/// SHA-256, in hex, of the prompt and, after it, names and values sorted by name: "prompt" + "name1value1 name2value2".
std::string entry_id(std::string_view prompt, const TagFilters& filters);

/// "index:id"; colons at the end of the index's name are not doubled, and an index named ":" has no prefix.
std::string entry_key(std::string_view index, std::string_view entry_id);

/// Whether a key is that of an entry of this index, and not of an index whose name goes on, as "faq:eu" does for "faq".
bool is_entry_key(std::string_view key, std::string_view index);

/// A value inside "{…}" of a query: a backslash before each character that RedisVL escapes.
std::string escape_tag(std::string_view value);

/// RedisVL's query text: vectors within $distance_threshold of $vector, with these tags. An empty value does not filter.
std::string search_query(const TagFilters& filters);

/// A finite number as Python's repr writes it: the shortest digits that read back.
std::string float_text(double value);

/// Whether a TAG of this value can be found: it is split at commas and trimmed, an empty or a very long one is not indexed, and one
/// with a backtick or a control character in it is not found.
bool is_findable_tag(std::string_view value) noexcept;

/// FT.CREATE as RedisVL sends it. `lean` leaves out what only full-text search needs (RedisVL sees no difference).
void add_create_index(Pipeline& pipeline, std::string_view index, std::size_t dimension, bool lean);

/// A second index over the same entries: approximate, by HNSW. Its name is that of `hnsw_index_name`.
void add_create_hnsw_index(Pipeline& pipeline, std::string_view index, std::size_t dimension);
std::string hnsw_index_name(std::string_view index);

/// What FT.INFO says of an index.
struct IndexInfo {
  std::size_t dimension = 0;  ///< 0: it has no such vector field.
  bool ours = false;          ///< RedisVL would find LiteLLM's schema in it, of this dimension.
  bool whole = true;          ///< All entries are indexed.
};
IndexInfo read_index_info(const Reply& reply, std::string_view index);

/// Whether an error reply says that there is no such index (as any RediSearch version says it).
bool is_unknown_index(const Reply& reply) noexcept;

struct NewHash {
  std::string key, entry_id, prompt, response, tag;
  std::string vector;  ///< Bytes. Empty: no search meets the entry.
  double now = 0;      ///< Seconds since 1970.
};

/// HSET of all fields in RedisVL's order. It leaves the key's life as it is.
void add_store(Pipeline& pipeline, const NewHash& entry);

/// An entry as read back.
struct Candidate {
  std::string prompt, response, tag;
  CosineDistance distance;
  std::string key;  ///< Redis key, of a hit.
};

/// HMGET of what `read_entry` needs.
void add_read_entry(Pipeline& pipeline, std::string_view key);
/// Unset: there is no such entry, or a field is missing.
std::optional<Candidate> read_entry(const Reply& reply);

struct Search {
  std::string index;
  std::string tag;             ///< Empty: any.
  std::string vector;          ///< Bytes.
  std::string radius;          ///< Greatest cosine distance, as text.
  std::size_t results = 1;
  bool lean = true;            ///< Only what is read, and whole: the server does not stop at a time limit of its own.
};

/// FT.SEARCH as RedisVL sends it, unless `lean`.
void add_search(Pipeline& pipeline, const Search& search);

/// The nearest `results` by HNSW, however far.
void add_hnsw_search(Pipeline& pipeline, const Search& search);

struct Found {
  std::vector<Candidate> candidates;  ///< Nearest first. Hits without their fields (expired while they were found) are left out.
  std::size_t seen = 0;               ///< Hits in the reply.
  bool partial = false;               ///< The server gave up before it had looked at all (RESP3 says so).
};
/// Unset: the reply has another shape.
std::optional<Found> read_search(const Reply& reply);

}  // namespace sosie::redis
