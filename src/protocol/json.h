// json.h: reading JSON safely and writing it small.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sosie::protocol {

/// Deeper documents are refused. Every recursion over a document is bounded by it.
inline constexpr std::size_t kMaxJsonDepth = 128;

/// So are objects of more members: their keys are compared and sorted, which takes longer than reading them.
inline constexpr std::size_t kMaxMembers = 10'000;

/// A parser that is used again and again. Thread-safety: none. What `read` returned dies with the next `read`: never hold
/// an element across a `co_await`.
class JsonReader {
 public:
  /// Checks UTF-8, syntax, depth and the size of objects. REQUIRES: `text` has capacity for 64 bytes beyond its size.
  /// Unset: not JSON; `why` says what is wrong. Throws std::bad_alloc.
  std::optional<simdjson::dom::element> read(const std::string& text);

  /// The same for text without spare room, which is copied.
  std::optional<simdjson::dom::element> read_copy(std::string_view text);

  /// Of the last `read` that failed. Never quotes the text.
  std::string_view why() const noexcept { return why_; }

 private:
  std::optional<simdjson::dom::element> parse(const char* text, std::size_t size, bool padded);
  simdjson::dom::parser parser_;
  bool ready_ = false;
  std::string_view why_;
};

/// Whether an object repeats a key: readers differ in which one they take.
bool has_duplicate_keys(const simdjson::dom::object& object);

/// Whether `text` is one JSON value, e.g. the arguments of a call. Reads with a reader of its own.
bool is_json(std::string_view text);

/// Appends `text` quoted. `text` is valid UTF-8.
void append_json_string(std::string& out, std::string_view text);
void append_json_number(std::string& out, std::int64_t number);

/// Appends a value without white space, keys in their order.
void append_json(std::string& out, simdjson::dom::element value);

/// Appends a form that is equal for values that mean the same: keys sorted, 1 for 1.0 and 1e0, 0 for -0.0.
/// Equal forms imply equal meaning, repeated keys included.
void append_canonical_json(std::string& out, simdjson::dom::element value);

}  // namespace sosie::protocol
