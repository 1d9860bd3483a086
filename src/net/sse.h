// sse.h: server-sent events out of bytes that arrive in any pieces; no sockets.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sosie::net {

/// One event as sent and as read. Views into the parser, valid until its next call.
struct SseEvent {
  std::string_view raw;   ///< Every byte of the event, its closing blank line included.
  std::string_view data;  ///< The data lines, joined by '\n'. Empty for a comment or a bare blank line.
};

/// Splits a stream at blank lines. Lines end in LF, CR or CRLF; one leading byte-order mark is dropped from the data.
/// `raw` of all events joined is the stream, up to its last complete event.
///
/// Thread-safety: none. Cost: linear in the bytes, however small the pieces.
class SseParser {
 public:
  explicit SseParser(std::size_t max_event_bytes) : max_event_bytes_(max_event_bytes) {}

  /// Appends bytes. False: the event under way is longer than the limit; the parser is of no further use.
  bool feed(std::string_view bytes);

  /// The next complete event, if there is one.
  std::optional<SseEvent> next();

  /// The bytes behind the last complete event.
  std::string_view rest() const noexcept { return std::string_view(buffer_).substr(begin_); }

  /// Whether an event has begun that is not complete.
  bool partial() const noexcept { return begin_ < buffer_.size(); }

 private:
  SseEvent take(std::size_t end);

  const std::size_t max_event_bytes_;
  std::string buffer_;
  std::string data_;
  std::size_t begin_ = 0;  // of the event under way
  std::size_t line_ = 0;   // of the line under way
  std::size_t scan_ = 0;   // nothing before this ends a line
  bool first_ = true;
};

}  // namespace sosie::net
