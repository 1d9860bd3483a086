// entry.h: what the cache keeps.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace sosie {

/// Wall-clock time, millisecond resolution in the store.
using TimePoint = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

/// Names and values that an entry can be filtered and erased by. They narrow a lookup; they never widen it.
using Attributes = std::map<std::string, std::string>;

/// 32 lower-case hex digits; a pure function of scope, prompt and attributes, so that storing again replaces.
using EntryId = std::string;

/// When an entry stops being returned.
enum class Expiry {
  absolute,  ///< ttl after it was stored.
  sliding,   ///< ttl after it was stored or last returned.
};

/// One stored answer. Immutable once stored.
struct Entry {
  EntryId id;
  std::string scope;  ///< Hard key: an entry answers only questions of an equal scope.
  std::string prompt;
  std::string response;
  Attributes attributes;
  TimePoint created;
  std::optional<TimePoint> expires;  ///< Unset: never. With sliding expiry, as of the time it was read.
  bool exact_only = false;           ///< Has no vector: found by the same text only.
};

}  // namespace sosie
