// http_parser.h: HTTP/1.1 messages out of bytes; no sockets, no clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace sosie::net {

/// Header and trailer lines of a message, the interim answers before it included. Servers and proxies in use allow about 100.
inline constexpr std::size_t kMaxHeaderLines = 256;

enum class Parse {
  need_more,         ///< Every byte consumed was good; the message goes on.
  done,              ///< The message is complete; bytes not consumed belong to the next.
  malformed,         ///< Not HTTP, or ambiguous about where the message ends.
  header_too_large,  ///< Headers of more bytes or lines than allowed, or as large a trailer or chunk extensions.
  body_too_large,    ///< Known as soon as the headers say so.
};

struct Fed {
  std::size_t consumed = 0;  ///< Give the rest again, with more behind it.
  Parse state = Parse::need_more;
};

/// Reads requests one after the other into the same `Request`, whose buffers are reused.
class RequestParser {
 public:
  RequestParser(std::uint32_t max_header_bytes, std::uint64_t max_body_bytes);
  ~RequestParser();

  /// Clears `into` and begins a message. `into` outlives the message's parsing.
  void start(Request& into);

  /// REQUIRES: `start` was called, and no message end or error was reported since. A header line is consumed once it is complete.
  Fed feed(std::string_view bytes);

  /// Whether the headers are complete; the body may be outstanding.
  bool header_done() const noexcept;

  /// Whether the client waits for "100 Continue" before it sends its body.
  bool expects_continue() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads one response. Body bytes pass through; the caller takes them out.
class ResponseParser {
 public:
  /// `no_body`: the response to a HEAD request.
  ResponseParser(std::uint32_t max_header_bytes, std::uint64_t max_body_bytes, bool no_body);
  ~ResponseParser();

  /// As `RequestParser::feed`. Interim (1xx) responses are skipped.
  Fed feed(std::string_view bytes);

  /// The connection ended. done: the end of the connection is the end of the message; else malformed.
  Parse end();

  bool header_done() const noexcept;
  /// REQUIRES: header_done().
  int status() const noexcept;
  const HeaderList& headers() const noexcept;
  /// Whether the connection can carry another message after this one.
  bool keep_alive() const noexcept;
  /// Body bytes decoded since they were last cleared.
  std::string& body() noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::net
