// scope.h: the hard key of a request, part by part, so that a miss can be explained.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"

namespace sosie::protocol {

/// One part of a scope as it is remembered: never its bytes.
struct ScopePart {
  std::string name;        ///< E.g. "temperature", "tools", "history"; a field of one API alone: "chat.logit_bias".
  std::uint64_t hash = 0;  ///< Of its bytes; equal for equal bytes.
  std::string shown;       ///< A number, true, false or a string of up to 40 bytes, as JSON; else empty. Empty for credentials.
};

/// Gathers everything that can change an answer, but for the text that is matched by meaning. A part that is not added and a
/// part that is absent are the same: add nothing for a value that is the API's default.
///
/// Thread-safety: none. Meant to be used again and again: `clear` keeps the memory.
class Scope {
 public:
  void clear();

  /// `secret`: its value is never shown.
  void add(std::string_view name, std::string_view bytes, bool secret = false);
  /// In canonical form: keys sorted, 1 for 1.0.
  void add(std::string_view name, simdjson::dom::element value);
  void add(std::string_view name, std::int64_t number);

  /// For a part that is written piece by piece: append to what `open` gives, then `close`. One at a time. Never shown.
  std::string& open(std::string_view name);
  void close();
  /// Instead of `close`: as if the part had never been opened.
  void drop();

  /// Takes the parts of that name out, and those of one API's own field of that name ("metadata": also "chat.metadata").
  void remove(std::string_view name);

  /// SHA-256 over the parts by name, each behind its length: equal digests mean equal parts, whatever the order of adding.
  /// Parts of one name stay in the order of adding.
  base::Digest digest() const;

  /// Sorted by name. Bounded: long names are cut, and what follows the first 128 parts is one, "~more".
  std::vector<ScopePart> parts() const;

 private:
  enum class Form : std::uint8_t { json, text, hidden };
  struct Span {
    std::size_t name_at, name_size, at, size;
    Form form;
  };
  void begin(std::string_view name, Form form);
  void end();
  std::string_view name_of(const Span& span) const { return std::string_view(bytes_).substr(span.name_at, span.name_size); }
  std::string_view bytes_of(const Span& span) const { return std::string_view(bytes_).substr(span.at, span.size); }
  const std::vector<Span>& sorted() const;

  std::string bytes_;
  std::vector<Span> spans_;
  mutable std::vector<Span> sorted_;
  mutable std::string digested_;
};

}  // namespace sosie::protocol
