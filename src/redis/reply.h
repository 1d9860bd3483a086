// reply.h: one reply of a Redis server, RESP2 or RESP3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/result.h"

namespace sosie::redis {

/// A plain value.
struct Reply {
  enum class Kind { null, string, error, integer, number, boolean, array, map, set, push };

  Kind kind = Kind::null;
  std::string text;          ///< string (bulk, simple, verbatim without its type, big number), error.
  std::int64_t integer = 0;  ///< integer; boolean as 0 or 1.
  double number = 0;         ///< number (RESP3 double).
  std::vector<Reply> items;  ///< array, set, push; map: keys and values in turn.

  bool is_error() const noexcept { return kind == Kind::error; }
  /// array, set, push or map.
  bool is_list() const noexcept {
    return kind == Kind::array || kind == Kind::map || kind == Kind::set || kind == Kind::push;
  }

  /// Of a map, or of an array that holds names and values in turn (the RESP2 form of a map); nullptr: no such name.
  const Reply* find(std::string_view name) const noexcept;
};

/// What a server's error reply means: NOAUTH, WRONGPASS, NOPERM: permission_denied; OOM: resource_exhausted; LOADING,
/// BUSY, MASTERDOWN, READONLY, TRYAGAIN, CLUSTERDOWN: unavailable; MOVED, ASK, unknown command (no search module):
/// unsupported; else internal. The text says what to do next and holds nothing of the command. REQUIRES:
/// reply.is_error().
Error to_error(const Reply& reply);

}  // namespace sosie::redis
