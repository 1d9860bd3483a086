// resp_parser.h: a server's byte stream, taken apart into replies.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "redis/reply.h"
#include "sosie/result.h"

namespace sosie::redis {

/// Incremental, RESP2 and RESP3, bounded: a hostile server costs no more memory than `max_bytes` a reply and no stack.
/// Attributes are skipped; streamed strings and lists, which no server sends, are refused.
/// Thread-safety: none.
class RespParser {
 public:
  static constexpr std::size_t kMaxDepth = 32, kMaxLine = 64 * 1024;

  /// `max_bytes`: what one reply may take, text and items together.
  explicit RespParser(std::size_t max_bytes = 64 * 1024 * 1024) : max_bytes_(max_bytes) {}
  RespParser(const RespParser&) = delete;
  RespParser& operator=(const RespParser&) = delete;

  /// Where the next bytes go, never empty; `filled` says how many came. Invalid after either.
  std::span<char> space();
  void filled(std::size_t count) noexcept { end_ += count; }

  /// The next whole reply; nullopt: more bytes are needed. After an error the stream cannot be read on.
  /// Errors: data_corruption (not RESP), resource_exhausted (a limit).
  Result<std::optional<Reply>> next();

  /// Nothing is held: the last reply ended with the last byte.
  bool is_empty() const noexcept { return begin_ == end_ && !in_reply_; }

 private:
  enum class Step { more_bytes, done, opened, failed };  // done: an item; opened: the head of a list
  struct Frame {
    Reply* list;
    std::size_t missing;  // items to come
  };

  Step step();
  Step read_line(std::string_view& line);
  Step read_text(Reply& into);
  Step fail(ErrorCode code, std::string_view why);
  Step begin_text(Reply& into, Reply::Kind kind, std::string_view length);
  Step begin_list(Reply& into, char mark, std::string_view length);
  bool charge(std::size_t bytes);
  Reply& slot();
  bool close_lists(Step step);

  const std::size_t max_bytes_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0, scanned_ = 0;  // scanned_: from begin_, without an end of line

  Reply root_;
  std::vector<Frame> open_;
  bool in_reply_ = false;
  Reply* text_ = nullptr;         // the string whose bytes are coming
  std::size_t text_missing_ = 0;  // of them, with the CR LF behind
  bool verbatim_ = false;
  std::size_t cost_ = 0;
  std::optional<Error> failure_;
};

}  // namespace sosie::redis
