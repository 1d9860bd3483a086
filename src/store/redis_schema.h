// redis_schema.h: how a store lies in Redis: its keys, an entry's fields, the search index and its questions.
// The whole is described in docs/redis-store.md.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "redis/pipeline.h"
#include "redis/reply.h"
#include "store/store.h"

namespace sosie::store {

/// The keys of one store.
class RedisKeys {
 public:
  explicit RedisKeys(std::string_view name);

  std::string prefix;  ///< "name:"
  std::string meta, accounts, priorities, expiries, hits, partitions;

  std::string entry(std::string_view id) const { return prefix + "entry:" + std::string(id); }
  std::string exact(std::string_view hex) const { return prefix + "exact:" + std::string(hex); }
  std::string index(std::size_t dimension) const { return prefix + "index:" + std::to_string(dimension); }
  static std::string index_mark(std::size_t dimension) { return "index:" + std::to_string(dimension); }
};

/// Names what a scope's set of entries is called.
std::string scope_key(std::string_view scope);

/// One hex digest for each attribute.
std::vector<std::string> attribute_tags(const Attributes& attributes);

/// The fields of an entry's hash, names and values in turn.
std::vector<std::string> entry_fields(const NewEntry& entry);

/// HMGET of what `read_entry` wants to see.
void add_read_entry(redis::Pipeline& commands, const RedisKeys& keys, std::string_view id);

/// What `read_entry` wants to see, in this order.
inline constexpr std::string_view kEntryFields[] = {"scope", "prompt", "response", "attributes", "created", "expires"};

/// Empty where there is no such entry (any more), or it is not whole.
std::optional<Entry> read_entry(std::string_view id, std::span<const redis::Reply> values);

/// FT.CREATE of the index over all vectors of `dimension`.
void add_create_index(redis::Pipeline& commands, const RedisKeys& keys, std::size_t dimension);

/// Which entries of a partition a search is to see.
struct Seen {
  std::string_view partition;  ///< Hex.
  TimePoint now;               ///< Only what lives then.
  enum class Of { all, passing, failing } of = Of::all;
  const Filter* filter = nullptr;  ///< Passing or failing it.
};

struct SearchRow {
  std::string id;
  double similarity = 0;
  std::optional<Entry> entry;  ///< Where asked for.
  bool gone = false;           ///< The server dropped it while it was found.
};

/// FT.SEARCH for the `k` nearest to `vector` (float32 bytes).
void add_search(redis::Pipeline& commands, const RedisKeys& keys, const Seen& seen, std::string_view vector, std::size_t dimension,
                std::size_t k, bool with_entries);

/// Nearest first. Unset: no search result, or not a whole one.
std::optional<std::vector<SearchRow>> read_rows(const redis::Reply& reply, const RedisKeys& keys, bool with_entries);

}  // namespace sosie::store
