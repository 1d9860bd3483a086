#include "net/sse.h"

namespace sosie::net {

bool SseParser::feed(std::string_view bytes) {
  if (begin_ != 0) {
    buffer_.erase(0, begin_);
    line_ -= begin_;
    scan_ -= begin_;
    begin_ = 0;
  }
  buffer_.append(bytes);
  // Complete events may be longer together; one that is not complete may not.
  return buffer_.size() <= max_event_bytes_ || buffer_.size() - bytes.size() <= max_event_bytes_;
}

std::optional<SseEvent> SseParser::next() {
  for (;;) {
    const std::size_t end = buffer_.find_first_of("\r\n", scan_);
    if (end == std::string::npos) {
      scan_ = buffer_.size();
      return std::nullopt;
    }
    std::size_t after = end + 1;
    if (buffer_[end] == '\r') {
      if (after == buffer_.size()) {  // The LF of a CRLF may be on its way: wait for one byte more.
        scan_ = end;
        return std::nullopt;
      }
      if (buffer_[after] == '\n') ++after;
    }
    const bool blank = end == line_;
    line_ = scan_ = after;
    if (blank) return take(after);
  }
}

SseEvent SseParser::take(std::size_t end) {
  const std::string_view raw = std::string_view(buffer_).substr(begin_, end - begin_);
  data_.clear();
  std::string_view rest = raw;
  if (first_ && rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  first_ = false;
  bool any = false;
  while (!rest.empty()) {
    const std::size_t line_end = rest.find_first_of("\r\n");
    std::string_view line = rest.substr(0, line_end);
    rest.remove_prefix(line_end + (rest.substr(line_end).starts_with("\r\n") ? 2 : 1));
    if (line != "data" && !line.starts_with("data:")) continue;
    line.remove_prefix(line.size() == 4 ? 4 : 5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (any) data_.push_back('\n');
    data_.append(line);
    any = true;
  }
  begin_ = end;
  return {raw, data_};
}

}  // namespace sosie::net
