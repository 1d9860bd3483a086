#include "text/python_json.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "text/plain_run.h"
#include "text/python_key.h"
#include "text/utf8.h"

namespace sosie::text {
namespace {

using base::is_digit;

// Few keys are compared with one another; many are sorted.
constexpr std::size_t kFewKeys = 8;

bool keys_repeat(const std::vector<PythonValue>& items) {
  const std::size_t count = items.size() / 2;
  if (count > kFewKeys) return true;
  for (std::size_t i = 1; i < count; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (items[2 * i].text == items[2 * j].text) return true;
    }
  }
  return false;
}

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  Result<std::optional<PythonValue>> read() {
    PythonValue value;
    skip_space();
    const bool done = read_value(value) && (skip_space(), at_ == end_);
    if (done) return std::optional<PythonValue>(std::move(value));
    if (raised_ != nullptr) return Error{ErrorCode::data_corruption, raised_};
    return std::optional<PythonValue>();
  }

 private:
  void skip_space() noexcept {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  }

  bool take(char c) noexcept {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }

  bool take(std::string_view word) noexcept {
    if (static_cast<std::size_t>(end_ - at_) < word.size() || std::string_view(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  bool raise(const char* what) noexcept {
    raised_ = what;
    return false;
  }

  bool read_value(PythonValue& out) {
    if (at_ == end_) return false;
    switch (*at_) {
      case '"':
        ++at_;
        out.kind = PythonValue::Kind::string;
        return read_string(out.text);
      case '{': return read_nested(out, &JsonReader::read_object);
      case '[': return read_nested(out, &JsonReader::read_array);
      case 'n': return take("null");
      case 't':
        out.kind = PythonValue::Kind::boolean;
        out.boolean = true;
        return take("true");
      case 'f': out.kind = PythonValue::Kind::boolean; return take("false");
      case 'N':
        out.kind = PythonValue::Kind::floating;
        out.number = std::numeric_limits<double>::quiet_NaN();
        return take("NaN");
      case 'I':
        out.kind = PythonValue::Kind::floating;
        out.number = std::numeric_limits<double>::infinity();
        return take("Infinity");
      default: return read_number(out);
    }
  }

  bool read_nested(PythonValue& out, bool (JsonReader::*read_inside)(PythonValue&)) {
    if (++depth_ > kMaxJsonDepth) return raise("the value is nested too deeply to be read");
    ++at_;
    const bool done = (this->*read_inside)(out);
    --depth_;
    return done;
  }

  bool read_array(PythonValue& out) {
    out.kind = PythonValue::Kind::list;
    skip_space();
    if (take(']')) return true;
    while (true) {
      if (!read_value(out.items.emplace_back())) return false;
      skip_space();
      if (take(']')) return true;
      if (!take(',')) return false;
      skip_space();
    }
  }

  bool read_object(PythonValue& out) {
    out.kind = PythonValue::Kind::dict;
    skip_space();
    if (take('}')) return true;
    while (true) {
      if (!take('"')) return false;
      PythonValue& key = out.items.emplace_back();
      key.kind = PythonValue::Kind::string;
      if (!read_string(key.text)) return false;
      skip_space();
      if (!take(':')) return false;
      skip_space();
      if (!read_value(out.items.emplace_back())) return false;
      skip_space();
      if (take('}')) break;
      if (!take(',')) return false;
      skip_space();
    }
    if (keys_repeat(out.items)) {
      std::vector<std::string_view> keys;
      keys.reserve(out.items.size() / 2);
      for (std::size_t i = 0; i < out.items.size(); i += 2) keys.push_back(out.items[i].text);
      settle_keys(keys, 2, out.items);
    }
    return true;
  }

  bool read_number(PythonValue& out) {
    const char* const start = at_;
    if (*at_ == '-') ++at_;
    if (at_ == end_) return false;
    if (*at_ == 'I' && at_ != start) {
      out.kind = PythonValue::Kind::floating;
      out.number = -std::numeric_limits<double>::infinity();
      return take("Infinity");
    }
    if (!is_digit(*at_)) return false;
    const char* const digits = at_;
    if (*at_ == '0') {
      ++at_;
    } else {
      skip_digits();
    }
    bool whole = true;
    if (end_ - at_ >= 2 && *at_ == '.' && is_digit(at_[1])) {
      whole = false;
      ++at_;
      skip_digits();
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      const char* exponent = at_ + 1;
      if (exponent != end_ && (*exponent == '+' || *exponent == '-')) ++exponent;
      if (exponent != end_ && is_digit(*exponent)) {
        whole = false;
        at_ = exponent;
        skip_digits();
      }
    }
    if (!whole) {
      out.kind = PythonValue::Kind::floating;
      out.number = to_double({start, static_cast<std::size_t>(at_ - start)});
      return true;
    }
    if (static_cast<std::size_t>(at_ - digits) > kMaxIntegerDigits)
      return raise("an integer of the value has too many digits");
    out.kind = PythonValue::Kind::integer;
    out.text.assign(*digits == '0' ? digits : start, at_);
    return true;
  }

  void skip_digits() noexcept {
    while (at_ != end_ && is_digit(*at_)) ++at_;
  }

  // After the opening quote.
  bool read_string(std::string& out) {
    const char* const run = at_;
    at_ = find_run_end(at_, end_, kJsonStringEnds);
    if (take('"')) {
      out.assign(run, at_ - 1);
      return true;
    }
    // A string with escapes: it becomes no longer than it stands in the text.
    if (unescaped_ == nullptr)
      unescaped_ = std::make_unique_for_overwrite<char[]>(static_cast<std::size_t>(end_ - run) + 8);
    char* to = unescaped_.get();
    at_ = run;
    while (true) {
      copy_run(at_, end_, to, kJsonStringEnds);
      if (take('"')) break;
      if (!take('\\') || !read_escape(to)) return false;
    }
    out.assign(unescaped_.get(), to);
    return true;
  }

  bool read_escape(char*& to) {
    if (at_ == end_) return false;
    const char c = *at_++;
    switch (c) {
      case '"':
      case '\\':
      case '/': *to++ = c; return true;
      case 'b': *to++ = '\b'; return true;
      case 'f': *to++ = '\f'; return true;
      case 'n': *to++ = '\n'; return true;
      case 'r': *to++ = '\r'; return true;
      case 't': *to++ = '\t'; return true;
      case 'u': return read_unicode_escape(to);
      default: return false;
    }
  }

  bool read_unicode_escape(char*& to) {
    char32_t point = 0;
    if (!read_hex4(point)) return false;
    if (point >= 0xD800 && point <= 0xDBFF && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
      const char* const before = at_;
      at_ += 2;
      char32_t low = 0;
      if (!read_hex4(low)) return false;
      if (low >= 0xDC00 && low <= 0xDFFF) {
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      } else {
        at_ = before;
      }
    }
    std::string utf8;
    append_utf8(point, utf8);
    to = std::copy(utf8.begin(), utf8.end(), to);
    return true;
  }

  bool read_hex4(char32_t& out) noexcept {
    if (end_ - at_ < 4) return false;
    std::uint32_t bits = 0;
    const auto read = std::from_chars(at_, at_ + 4, bits, 16);
    if (read.ec != std::errc() || read.ptr != at_ + 4) return false;
    at_ += 4;
    out = bits;
    return true;
  }

  const char* at_;
  const char* const end_;
  int depth_ = 0;
  std::unique_ptr<char[]> unescaped_;  // Made at the first string with escapes: no later one is longer.
  const char* raised_ = nullptr;
};

// Whether a nonzero decimal number that a double cannot hold is too large, not too small: the power of ten of its first
// digit that is not zero decides.
bool is_large(std::string_view decimal) noexcept {
  const std::size_t mark = decimal.find_first_of("eE");
  std::int64_t exponent = 0;
  if (mark != std::string_view::npos) {
    std::string_view digits = decimal.substr(mark + 1);
    const bool negative = digits.front() == '-';
    if (negative || digits.front() == '+') digits.remove_prefix(1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (read.ec != std::errc()) exponent = std::numeric_limits<std::int64_t>::max() / 2;
    if (negative) exponent = -exponent;
  }
  const std::string_view mantissa = decimal.substr(0, mark);
  const std::size_t first = mantissa.find_first_of("123456789");
  std::size_t point = mantissa.find('.');
  if (point == std::string_view::npos) point = mantissa.size();
  return exponent + static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first) > 0;
}

}  // namespace

Result<std::optional<PythonValue>> read_python_json(std::string_view text) { return JsonReader(text).read(); }

double to_double(std::string_view decimal) noexcept {
  double value = 0;
  const auto read = std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  if (read.ec != std::errc::result_out_of_range) return value;
  const double size = is_large(decimal) ? std::numeric_limits<double>::infinity() : 0.0;
  return decimal.front() == '-' ? -size : size;
}

}  // namespace sosie::text
