#include "text/python_string.h"

#include <charconv>

#include "text/plain_run.h"
#include "text/unicode_names.h"
#include "text/utf8.h"

namespace sosie::text {
namespace {

bool is_octal(char c) noexcept { return c >= '0' && c <= '7'; }

class StringReader {
 public:
  StringReader(std::string_view source, StringPrefix prefix, std::string& out)
      : source_(source), prefix_(prefix), out_(out), quote_(source[0]) {
    triple_ = source.size() >= 3 && source[1] == quote_ && source[2] == quote_;
  }

  std::optional<std::size_t> read() {
    at_ = triple_ ? 3 : 1;
    const std::size_t begin = at_;
    const RunEnds ends{.first = quote_, .second = '\\', .controls = false};
    while (at_ < source_.size()) {
      const std::size_t run = at_;
      at_ = static_cast<std::size_t>(find_run_end(source_.data() + run, source_.data() + source_.size(), ends) -
                                     source_.data());
      out_.append(source_, run, at_ - run);
      if (at_ == source_.size()) return std::nullopt;
      const char c = source_[at_];
      if (c == quote_ && (!triple_ || source_.substr(at_, 3) == source_.substr(0, 3))) {
        const std::string_view body = source_.substr(begin, at_ - begin);
        at_ += triple_ ? 3 : 1;
        if (prefix_.bytes && !is_ascii(body)) return std::nullopt;
        return at_;
      }
      if (c == '\n' && !triple_) return std::nullopt;
      ++at_;
      if (c != '\\') {
        out_.push_back(c);
      } else if (!read_backslash()) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

 private:
  static bool is_ascii(std::string_view text) noexcept {
    for (const char c : text) {
      if (static_cast<unsigned char>(c) >= 0x80) return false;
    }
    return true;
  }

  // After a backslash.
  bool read_backslash() {
    if (at_ == source_.size()) return false;
    if (!prefix_.raw) return read_escape();
    out_.push_back('\\');
    out_.push_back(source_[at_++]);
    return true;
  }

  bool read_escape() {
    const char c = source_[at_++];
    switch (c) {
      case '\n': return true;
      case '\\':
      case '\'':
      case '"': out_.push_back(c); return true;
      case 'a': out_.push_back('\a'); return true;
      case 'b': out_.push_back('\b'); return true;
      case 'f': out_.push_back('\f'); return true;
      case 'n': out_.push_back('\n'); return true;
      case 'r': out_.push_back('\r'); return true;
      case 't': out_.push_back('\t'); return true;
      case 'v': out_.push_back('\v'); return true;
      case 'x': return read_hex(2);
      default: break;
    }
    if (is_octal(c)) {
      --at_;
      return read_octal();
    }
    if (!prefix_.bytes && c == 'u') return read_hex(4);
    if (!prefix_.bytes && c == 'U') return read_hex(8);
    if (!prefix_.bytes && c == 'N') return read_name();
    out_.push_back('\\');
    out_.push_back(c);
    return true;
  }

  void append_point(std::uint32_t point) {
    if (prefix_.bytes) {
      out_.push_back(static_cast<char>(point & 0xFF));
    } else {
      append_utf8(point, out_);
    }
  }

  bool read_octal() {
    std::uint32_t point = 0;
    for (int i = 0; i < 3 && at_ < source_.size() && is_octal(source_[at_]); ++i) {
      point = point * 8 + static_cast<std::uint32_t>(source_[at_++] - '0');
    }
    append_point(point);
    return true;
  }

  bool read_hex(std::size_t digits) {
    if (source_.size() - at_ < digits) return false;
    const char* const first = source_.data() + at_;
    std::uint32_t point = 0;
    const auto read = std::from_chars(first, first + digits, point, 16);
    if (read.ec != std::errc() || read.ptr != first + digits || point > 0x10FFFF) return false;
    at_ += digits;
    append_point(point);
    return true;
  }

  // \N{name}
  bool read_name() {
    if (at_ == source_.size() || source_[at_] != '{') return false;
    const std::size_t end = source_.find('}', at_);
    if (end == std::string_view::npos) return false;
    const auto point = point_of_name(source_.substr(at_ + 1, end - at_ - 1));
    if (!point) return false;
    append_utf8(*point, out_);
    at_ = end + 1;
    return true;
  }

  const std::string_view source_;
  const StringPrefix prefix_;
  std::string& out_;
  const char quote_;
  bool triple_ = false;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<StringPrefix> string_prefix(std::string_view letters) noexcept {
  StringPrefix prefix;
  bool unicode = false;
  for (const char c : letters) {
    const char lower = static_cast<char>(c | 0x20);
    if (lower == 'u' && letters.size() == 1) {
      unicode = true;
    } else if (lower == 'r' && !prefix.raw && !unicode) {
      prefix.raw = true;
    } else if (lower == 'b' && !prefix.bytes && !unicode) {
      prefix.bytes = true;
    } else {
      return std::nullopt;
    }
  }
  return prefix;
}

std::optional<std::size_t> read_string_literal(std::string_view source, StringPrefix prefix, std::string& out) {
  return StringReader(source, prefix, out).read();
}

}  // namespace sosie::text
