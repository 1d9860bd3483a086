#include "redis/resp_parser.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sosie::redis {
namespace {

constexpr std::size_t kFirstBuffer = 16 * 1024, kLeastSpace = 4 * 1024;
constexpr std::size_t kReserveItems = 1024,
                      kReserveText = 1024 * 1024;  // what an announced length may claim before its bytes come

template <class Number>
bool read_signed(std::string_view text, Number& number) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && failure == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::span<char> RespParser::space() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ < kLeastSpace) {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    // Texts leave the buffer as they come, so that it never holds more than a line.
    if (buffer_.size() - end_ < kLeastSpace) buffer_.resize(std::max(kFirstBuffer, 2 * buffer_.size()));
  }
  return {buffer_.data() + end_, buffer_.size() - end_};
}

Result<std::optional<Reply>> RespParser::next() {
  while (!failure_) {
    const Step step = this->step();
    if (step == Step::failed) break;
    if (step == Step::more_bytes) return std::optional<Reply>();
    if (!close_lists(step)) continue;
    in_reply_ = false;
    cost_ = 0;
    std::optional<Reply> whole(std::move(root_));
    root_ = Reply();
    return whole;
  }
  return *failure_;
}

/// One item that is no list, the head of a list, or as much of either as is there.
RespParser::Step RespParser::step() {
  if (text_) return read_text(*text_);
  std::string_view line;
  if (const Step read = read_line(line); read != Step::done) return read;
  in_reply_ = true;
  const char mark = line[0];
  line.remove_prefix(1);
  Reply& item = slot();
  switch (mark) {
    case '+':
    case '-':
    case '(':
      if (!charge(line.size())) return Step::failed;
      item.kind = mark == '-' ? Reply::Kind::error : Reply::Kind::string;
      item.text = line;
      return Step::done;
    case ':':
      item.kind = Reply::Kind::integer;
      return read_signed(line, item.integer) ? Step::done : fail(ErrorCode::data_corruption, "a malformed integer");
    case ',':
      item.kind = Reply::Kind::number;
      return read_signed(line, item.number) ? Step::done : fail(ErrorCode::data_corruption, "a malformed number");
    case '#':
      item.kind = Reply::Kind::boolean;
      item.integer = line == "t";
      return line == "t" || line == "f" ? Step::done : fail(ErrorCode::data_corruption, "a malformed boolean");
    case '_':
      return line.empty() ? Step::done : fail(ErrorCode::data_corruption, "a malformed null");
    case '$':
    case '=':
      verbatim_ = mark == '=';
      return begin_text(item, Reply::Kind::string, line);
    case '!':
      verbatim_ = false;
      return begin_text(item, Reply::Kind::error, line);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
      return begin_list(item, mark, line);
    default:
      return fail(ErrorCode::data_corruption,
                  "something else than RESP: is this a Redis server, and TLS on or off on both sides?");
  }
}

/// A whole line without its CR LF, at least one byte.
RespParser::Step RespParser::read_line(std::string_view& line) {
  const char* const from = buffer_.data() + begin_;
  const std::size_t held = end_ - begin_;
  const auto* newline =
      held > scanned_ ? static_cast<const char*>(std::memchr(from + scanned_, '\n', held - scanned_)) : nullptr;
  const std::size_t length = newline ? static_cast<std::size_t>(newline - from) : held;
  if (length > kMaxLine) return fail(ErrorCode::resource_exhausted, "a line over 64 KiB");
  if (!newline) {
    scanned_ = held;
    return Step::more_bytes;
  }
  if (length < 2 || from[length - 1] != '\r') return fail(ErrorCode::data_corruption, "a malformed line");
  line = std::string_view(from, length - 1);
  begin_ += length + 1;
  scanned_ = 0;
  return Step::done;
}

RespParser::Step RespParser::begin_text(Reply& into, Reply::Kind kind, std::string_view length) {
  if (length == "-1" && kind == Reply::Kind::string && !verbatim_) return Step::done;  // RESP2's null
  std::size_t size = 0;
  if (!read_signed(length, size) || (verbatim_ && size < 4))
    return fail(ErrorCode::data_corruption, "a malformed length");
  if (!charge(size)) return Step::failed;
  into.kind = kind;
  into.text.reserve(std::min(size, kReserveText));
  text_ = &into;
  text_missing_ = size + 2;
  return read_text(into);
}

RespParser::Step RespParser::read_text(Reply& into) {
  if (text_missing_ > 2) {
    const std::size_t count = std::min(end_ - begin_, text_missing_ - 2);
    into.text.append(buffer_.data() + begin_, count);
    begin_ += count;
    text_missing_ -= count;
  }
  if (text_missing_ > 2 || end_ - begin_ < 2) return Step::more_bytes;
  if (std::memcmp(buffer_.data() + begin_, "\r\n", 2) != 0)
    return fail(ErrorCode::data_corruption, "a string without its end");
  begin_ += 2;
  text_ = nullptr;
  if (verbatim_) into.text.erase(0, 4);  // "txt:"
  return Step::done;
}

RespParser::Step RespParser::begin_list(Reply& into, char mark, std::string_view length) {
  if (length == "-1" && mark == '*') return Step::done;  // RESP2's other null
  std::size_t count = 0;
  if (!read_signed(length, count)) return fail(ErrorCode::data_corruption, "a malformed length");
  const bool pairs = mark == '%' || mark == '|';
  if (count > max_bytes_ / sizeof(Reply)) return fail(ErrorCode::resource_exhausted, "a list longer than allowed");
  if (pairs) count *= 2;
  if (!charge(count * sizeof(Reply))) return Step::failed;
  if (open_.size() == kMaxDepth) return fail(ErrorCode::resource_exhausted, "lists nested too deeply");
  into.kind = mark == '*'   ? Reply::Kind::array
              : mark == '~' ? Reply::Kind::set
              : mark == '>' ? Reply::Kind::push
                            : Reply::Kind::map;
  into.integer = mark == '|';  // taken away again when it is whole
  into.items.reserve(std::min(count, kReserveItems));
  open_.push_back({&into, count});
  return Step::opened;
}

/// Where the next item goes. A list grows only while it is the innermost, so that pointers to open lists hold.
Reply& RespParser::slot() {
  if (open_.empty()) return root_;
  return open_.back().list->items.emplace_back();
}

/// Takes note of what `step` brought; whether the reply is whole.
bool RespParser::close_lists(Step step) {
  if (step == Step::done && !open_.empty()) --open_.back().missing;
  while (!open_.empty() && open_.back().missing == 0) {
    const bool is_attribute = open_.back().list->kind == Reply::Kind::map && open_.back().list->integer == 1;
    open_.pop_back();
    if (is_attribute) {
      if (open_.empty()) {
        root_ = Reply();
      } else {
        open_.back().list->items.pop_back();
      }
      return false;
    }
    if (!open_.empty()) --open_.back().missing;
  }
  return open_.empty();
}

bool RespParser::charge(std::size_t bytes) {
  if (bytes <= max_bytes_ - cost_) {
    cost_ += bytes;
    return true;
  }
  fail(ErrorCode::resource_exhausted, "a reply larger than allowed");
  return false;
}

RespParser::Step RespParser::fail(ErrorCode code, std::string_view why) {
  failure_ = Error{code, "the Redis server sent " + std::string(why)};
  return Step::failed;
}

}  // namespace sosie::redis
