// redis_index.h: nearest neighbours of a store in Redis, exact, by its search indexes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/redis_connection.h"
#include "store/redis_schema.h"
#include "store/store.h"

namespace sosie::store {

/// Thread-safety: safe. Refers to the connection and the keys.
class RedisIndex {
 public:
  RedisIndex(RedisConnection& connection, const RedisKeys& keys) : connection_(connection), keys_(keys) {}

  /// Sees to it that there is an index for vectors of this dimension, and that all of them are in it. `was_lost`: there
  /// may be entries already; nobody searches it before it is whole. Waits until `deadline`.
  Result<void> make(std::size_t dimension, bool was_lost, net::SteadyTime deadline) const;

  /// As Store::nearest, for arguments that are checked.
  Result<Nearest> nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k, Similarity floor,
                          const Filter& filter) const;

 private:
  /// What all searches of one call have in common.
  struct Place {
    std::string partition;  // Hex.
    std::string vector;     // Bytes.
    std::size_t dimension = 0;
    std::size_t k = 0;
    double floor = 0;
    const Filter& filter;
  };
  struct Question {
    SearchOf of = SearchOf::all;
    std::size_t rows = 1;
    bool with_entries = false;
  };
  struct Seen {
    std::vector<SearchRow> rows;  // Nearest first, equals by id.
    bool complete = false;        // There are no others.

    /// Whether all that are as near as that are among the rows; those beyond are as near as `edge` at most.
    bool has_all_above(double floor) const { return complete || (!rows.empty() && rows.back().similarity < floor); }
    double edge() const { return rows.empty() ? 2 : rows.back().similarity; }
  };

  Result<std::vector<Seen>> search(const Place& place, std::span<const Question> questions) const;
  Result<std::optional<Nearest>> look_once(const Place& place) const;
  Result<std::optional<Nearest>> look_closely(const Place& place) const;
  Result<std::optional<Nearest>> with_entries(const Place& place, const std::vector<SearchRow>& rows,
                                              Nearest nearest) const;

  RedisConnection& connection_;
  const RedisKeys& keys_;
};

}  // namespace sosie::store
