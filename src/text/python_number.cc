#include "text/python_number.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ascii.h"
#include "text/python_json.h"
#include "text/python_text.h"

namespace sosie::text {
namespace {

using base::is_digit;

int digit_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 16;
}

// Decimal digits of digits in another base, without leading zeros; unset beyond kMaxIntegerDigits. Limbs of 18 digits,
// lowest first.
std::optional<std::string> to_decimal(std::string_view digits, unsigned base) {
  constexpr std::uint64_t kLimb = 1'000'000'000'000'000'000;
  std::vector<std::uint64_t> limbs;
  for (std::size_t at = 0; at < digits.size();) {
    // As many digits at a time as a factor of 2^48 holds.
    std::uint64_t factor = 1;
    std::uint64_t carry = 0;
    for (; at < digits.size() && factor < (1ULL << 44); ++at) {
      factor *= base;
      carry = carry * base + static_cast<std::uint64_t>(digit_value(digits[at]));
    }
    for (std::uint64_t& limb : limbs) {
      const auto product = static_cast<unsigned __int128>(limb) * factor + carry;
      limb = static_cast<std::uint64_t>(product % kLimb);
      carry = static_cast<std::uint64_t>(product / kLimb);
    }
    if (carry != 0) limbs.push_back(carry);
    if (limbs.size() > kMaxIntegerDigits / 18 + 1) return std::nullopt;
  }
  if (limbs.empty()) return "0";
  std::string out = std::to_string(limbs.back());
  for (auto limb = limbs.rbegin() + 1; limb != limbs.rend(); ++limb) {
    const std::string part = std::to_string(*limb);
    out.append(18 - part.size(), '0').append(part);
  }
  if (out.size() > kMaxIntegerDigits) return std::nullopt;
  return out;
}

// Reads one number; `digits_` is its text without underscores.
class NumberReader {
 public:
  explicit NumberReader(std::string_view text) : text_(text) {}

  std::optional<NumberLiteral> read() {
    NumberLiteral out;
    const char mark = static_cast<char>(peek(1) | 0x20);
    const bool based = peek() == '0' && (mark == 'x' || mark == 'o' || mark == 'b');
    const bool read = based ? read_based(mark, out) : read_decimal(out.value);
    // A letter or digit right behind is no end of a number; the keywords that Python lets stand there make no literal.
    if (!read || is_name_byte(peek())) return std::nullopt;
    out.bytes = at_;
    return out;
  }

 private:
  char peek(std::size_t ahead = 0) const noexcept { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void take() { digits_.push_back(text_[at_++]); }

  // Digits below `base` with single underscores between; `first`: an underscore may lead.
  bool take_digits(int base, bool underscore_first) {
    const auto is_base_digit = [&](char c) { return digit_value(c) < base; };
    if (underscore_first && peek() == '_') ++at_;
    if (!is_base_digit(peek())) return false;
    while (is_base_digit(peek())) {
      while (is_base_digit(peek())) take();
      if (peek() != '_') return true;
      ++at_;
    }
    return false;
  }

  bool read_based(char mark, NumberLiteral& out) {
    at_ += 2;
    const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : 2;
    if (!take_digits(base, true)) return false;
    const std::size_t first = std::min(digits_.find_first_not_of('0'), digits_.size());
    auto decimal = to_decimal(std::string_view(digits_).substr(first), static_cast<unsigned>(base));
    if (!decimal) {
      out.too_long = true;
      return true;
    }
    out.value.kind = PythonValue::Kind::integer;
    out.value.text = std::move(*decimal);
    return true;
  }

  bool read_decimal(PythonValue& out) {
    bool whole = true;
    if (peek() != '.' && !take_digits(10, false)) return false;
    if (peek() == '.') {
      whole = false;
      take();
      if (is_digit(peek())) {
        if (!take_digits(10, false)) return false;
      } else if (digits_.size() == 1) {
        return false;
      }
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      take();
      if (peek() == '+' || peek() == '-') take();
      if (!take_digits(10, false)) return false;
    }
    if (peek() == 'j' || peek() == 'J') {
      ++at_;
      out.kind = PythonValue::Kind::complex;
      out.imaginary = to_double(with_digits());
      return true;
    }
    if (!whole) {
      out.kind = PythonValue::Kind::floating;
      out.number = to_double(with_digits());
      return true;
    }
    return read_integer(out);
  }

  bool read_integer(PythonValue& out) {
    out.kind = PythonValue::Kind::integer;
    const std::size_t first = digits_.find_first_not_of('0');
    if (first == std::string::npos) {
      out.text = "0";
      return true;
    }
    if (first > 0 || digits_.size() > kMaxIntegerDigits) return false;
    out.text = digits_;
    return true;
  }

  // A form that begins with a digit and has one behind its dot.
  const std::string& with_digits() {
    if (digits_.front() == '.') digits_.insert(0, "0");
    const std::size_t dot = digits_.find('.');
    if (dot != std::string::npos && (dot + 1 == digits_.size() || !is_digit(digits_[dot + 1])))
      digits_.insert(dot + 1, "0");
    return digits_;
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::string digits_;
};

}  // namespace

std::optional<NumberLiteral> read_number_literal(std::string_view text) { return NumberReader(text).read(); }

}  // namespace sosie::text
