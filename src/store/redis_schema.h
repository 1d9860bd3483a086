// redis_schema.h: how a store lies in Redis: its keys, an entry's fields, the search index and its questions.
// The whole is described in docs/redis-store.md.
//
// Thread-safety: pure functions.
#pragma once

#include <array>
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

/// Of all below. Written into each store.
inline constexpr std::string_view kRedisFormat = "1";

/// The keys of one store.
class RedisKeys {
 public:
  explicit RedisKeys(std::string_view name);

  std::string prefix;  ///< "name:"
  std::string meta, accounts, priorities, expiries, hits, partitions, scopes;

  /// KEYS of the scripts that write.
  std::array<std::string, 7> written() const { return {meta, accounts, priorities, expiries, hits, partitions, scopes}; }

  std::string entry(std::string_view id) const { return prefix + "entry:" + std::string(id); }
  std::string exact(std::string_view hex) const { return prefix + "exact:" + std::string(hex); }
  std::string index(std::size_t dimension) const { return prefix + index_mark(dimension); }
  /// The field of `meta` that says that the index is whole.
  static std::string index_mark(std::size_t dimension) { return "index:" + std::to_string(dimension); }
};

/// Names a scope's set of entries.
std::string scope_key(std::string_view scope);

/// A field of `partitions` counts entries and tells their dimension: entries x 65536 + dimension.
constexpr std::uint64_t dimension_of(std::uint64_t partition) { return partition % 65536; }

/// One hex digest for each attribute.
std::vector<std::string> attribute_tags(const Attributes& attributes);

/// The fields of an entry's hash, names and values in turn.
std::vector<std::string> entry_fields(const NewEntry& entry);

/// HMGET of what `read_entry` wants to see.
void add_read_entry(redis::Pipeline& commands, const RedisKeys& keys, std::string_view id);

/// In this order.
inline constexpr std::string_view kEntryFields[] = {"scope",   "prompt",  "response",  "attributes",
                                                    "created", "expires", "exact_only"};

/// Empty where there is no such entry (any more), or it is not whole.
std::optional<Entry> read_entry(std::string_view id, std::span<const redis::Reply> values);

/// FT.CREATE of the index over all vectors of `dimension`; of those there are already, if it is to look for them.
void add_create_index(redis::Pipeline& commands, const RedisKeys& keys, std::size_t dimension, bool looks_for_entries);

/// Which living entries of a partition a search is to see.
enum class SearchOf {
  all,
  passing,  ///< The filter, which has a condition.
  failing,
};
struct SearchScope {
  std::string_view partition;  ///< Hex.
  SearchOf of = SearchOf::all;
  const Filter& filter;
};

struct SearchRow {
  std::string id;
  double similarity = 0;
  std::optional<Entry> entry;  ///< Where asked for.
  bool gone = false;           ///< The server dropped it while it was found; there is only its id.
};

/// FT.SEARCH for the `rows` nearest to `vector`.
void add_search(redis::Pipeline& commands, const RedisKeys& keys, const SearchScope& scope, std::string_view vector,
                std::size_t dimension, std::size_t rows, bool with_entries);

/// Unset: no search result, or not a whole one.
std::optional<std::vector<SearchRow>> read_rows(const redis::Reply& reply, const RedisKeys& keys, bool with_entries);

/// Not negative; 0 where there is none.
std::uint64_t read_number(const redis::Reply& reply);

Error not_understood();
Error newer_format();
Error damaged(std::string_view id);

}  // namespace sosie::store
