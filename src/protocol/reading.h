// reading.h: for tests: requests read, and streams taken apart.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/protocol.h"

namespace sosie::protocol {

struct Reading {
  Question question;
  Scope scope;
  std::optional<BadRequest> bad;

  std::string digest() const { return base::to_hex(scope.digest()); }
  /// Unset: there is no such part.
  std::optional<ScopePart> part(std::string_view name) const {
    for (const ScopePart& each : scope.parts())
      if (each.name == name) return each;
    return std::nullopt;
  }
};

inline Reading read_any(const Protocol& protocol, std::string_view body, std::string_view without = {}) {
  JsonReader reader;
  Reading reading;
  const auto root = reader.read_copy(body);
  simdjson::dom::object object;
  if (!root || root->get_object().get(object) != simdjson::SUCCESS) {
    reading.bad = BadRequest{"no object", ""};
  } else {
    reading.bad = protocol.read(object, without, reading.question, reading.scope);
  }
  return reading;
}

inline Reading read_good(const Protocol& protocol, std::string_view body, std::string_view without = {}) {
  Reading reading = read_any(protocol, body, without);
  EXPECT_FALSE(reading.bad) << body << ": " << reading.bad.value_or(BadRequest()).message;
  return reading;
}

/// The data of a stream's events of one line each.
inline void feed(Assembler& assembler, std::string_view stream) {
  JsonReader reader;
  while (!stream.empty()) {
    const std::size_t end = stream.find("\n\n");
    ASSERT_NE(end, std::string_view::npos) << "the stream does not end in a blank line";
    const std::string_view event = stream.substr(0, end);
    ASSERT_TRUE(event.starts_with("data: ")) << event;
    ASSERT_EQ(event.find('\n'), std::string_view::npos) << event;
    static_cast<void>(assembler.add(reader, {}, event.substr(6)));
    stream.remove_prefix(end + 2);
  }
}

inline std::variant<Kept, NotKept> assemble(const Protocol& protocol, std::string_view stream,
                                            std::int64_t choices = 1) {
  JsonReader reader;
  Question question;
  question.traits.choices = choices;
  const auto assembler = protocol.assembler();
  feed(*assembler, stream);
  return assembler->finish(reader, question);
}

inline std::variant<Kept, NotKept> keep(const Protocol& protocol, std::string_view body, std::int64_t choices = 1) {
  JsonReader reader;
  Question question;
  question.traits.choices = choices;
  return protocol.keep(reader, body, question);
}

/// Why it is not kept, or "kept".
inline std::string_view fault_of(const std::variant<Kept, NotKept>& result) {
  return std::holds_alternative<NotKept>(result) ? to_string(std::get<NotKept>(result).reason) : "kept";
}

inline std::string kept_of(const std::variant<Kept, NotKept>& result) {
  EXPECT_EQ(fault_of(result), "kept");
  return std::holds_alternative<Kept>(result) ? std::get<Kept>(result).answer : std::string();
}

inline std::string canonical(std::string_view json) {
  JsonReader reader;
  std::string out;
  if (const auto root = reader.read_copy(json)) append_canonical_json(out, *root);
  return out;
}

}  // namespace sosie::protocol
