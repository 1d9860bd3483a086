#include "text/python_literal.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "text/python_json.h"
#include "text/python_key.h"
#include "text/python_number.h"
#include "text/python_string.h"
#include "text/python_text.h"

namespace sosie::text {
namespace {

using Kind = PythonValue::Kind;

// The brackets inside one another that CPython's tokenizer allows.
constexpr int kMaxBrackets = 200;

using base::is_digit;

// Python reads "\r\n" and "\r" as "\n", inside strings too.
std::string with_newlines(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out.push_back(source[i]);
      continue;
    }
    out.push_back('\n');
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  return out;
}

// An expression: its value, and what literal_eval lets be done with it.
struct Expression {
  enum class Shape { number, signed_number, set_name, other };
  PythonValue value;
  Shape shape = Shape::other;
};

using Shape = Expression::Shape;

bool is_real(const PythonValue& value) noexcept { return value.kind == Kind::integer || value.kind == Kind::floating; }

void negate(PythonValue& value) {
  if (value.kind == Kind::integer) {
    if (value.text != "0") value.text.insert(0, "-");
    return;
  }
  value.number = -value.number;
  if (value.kind == Kind::complex) value.imaginary = -value.imaginary;
}

// Reads a text and evaluates it as it goes. A function returns false at the first thing that is no literal syntax; what
// is syntax but fails in evaluation is remembered, for the text may yet turn out not to be syntax.
class LiteralReader {
 public:
  explicit LiteralReader(std::string_view source) : source_(source) {}

  Result<std::optional<PythonValue>> read() {
    Expression whole;
    if (!read_blank_lines() || !read_tuple_or_one(whole) || !read_end()) return std::optional<PythonValue>();
    PythonValue value = value_of(whole);
    if (failed_ == Failed::no) return std::optional<PythonValue>(std::move(value));
    if (failed_ == Failed::malformed) return std::optional<PythonValue>();
    return Error{ErrorCode::data_corruption, raised_};
  }

 private:
  enum class Failed { no, malformed, raised };

  char peek(std::size_t ahead = 0) const noexcept { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }
  bool at_end() const noexcept { return at_ == source_.size(); }

  bool take(char c) noexcept {
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
  }

  // The first failure in order of evaluation is the one that Python reports. What stands in a malformed place is not
  // evaluated: `before` is how things stood ahead of it.
  void malformed(Failed before) noexcept { failed_ = before == Failed::no ? Failed::malformed : before; }
  void raise(const char* what) noexcept {
    if (failed_ != Failed::no) return;
    failed_ = Failed::raised;
    raised_ = what;
  }

  PythonValue value_of(Expression& expression) {
    if (expression.shape == Shape::set_name) malformed(failed_);
    return std::move(expression.value);
  }

  // A backslash must be the line's last character, and not the text's last line's.
  bool skip_continuation() noexcept {
    ++at_;
    return take('\n') && !at_end();
  }

  void skip_comment() noexcept {
    while (!at_end() && peek() != '\n') ++at_;
  }

  // White space between tokens: line ends are white space inside brackets only.
  bool skip_space() noexcept {
    while (!at_end()) {
      switch (peek()) {
        case ' ':
        case '\t':
        case '\f': ++at_; break;
        case '#': skip_comment(); break;
        case '\\':
          if (!skip_continuation()) return false;
          break;
        case '\n':
          if (brackets_ == 0) return true;
          ++at_;
          break;
        default: return true;
      }
    }
    return true;
  }

  // To the next line that is not blank. It must not be indented.
  bool read_blank_lines() noexcept {
    while (true) {
      int column = 0;
      int continued_at = 0;
      for (bool indenting = true; indenting;) {
        switch (peek()) {
          case ' ':
          case '\t':
            ++column;
            ++at_;
            break;
          case '\f':
            column = 0;
            ++at_;
            break;
          case '\\':
            if (continued_at == 0) continued_at = column;
            if (!skip_continuation()) return false;
            break;
          default: indenting = false;
        }
      }
      if (peek() == '#') {
        skip_comment();
      } else if (peek() != '\n') {
        return (continued_at != 0 ? continued_at : column) == 0;
      }
      if (at_end()) return true;
      ++at_;
    }
  }

  bool read_end() noexcept {
    if (!skip_space()) return false;
    if (at_end()) return true;
    return take('\n') && read_blank_lines() && at_end();
  }

  bool open() noexcept {
    ++at_;
    return ++brackets_ <= kMaxBrackets && skip_space();
  }

  bool close(char bracket) noexcept {
    if (!take(bracket)) return false;
    --brackets_;
    return true;
  }

  // Expressions with commas between up to `bracket`, the first of which is read.
  bool read_rest(char bracket, std::vector<PythonValue>& items) {
    while (!close(bracket)) {
      if (!take(',') || !skip_space()) return false;
      if (close(bracket)) return true;
      Expression next;
      if (!read_expression(next) || !skip_space()) return false;
      items.push_back(value_of(next));
    }
    return true;
  }

  bool read_tuple_or_one(Expression& out) {
    if (!read_expression(out) || !skip_space()) return false;
    if (peek() != ',') return true;
    PythonValue tuple{.kind = Kind::tuple};
    tuple.items.push_back(value_of(out));
    while (take(',')) {
      if (!skip_space()) return false;
      if (at_end() || peek() == '\n') break;
      Expression next;
      if (!read_expression(next) || !skip_space()) return false;
      tuple.items.push_back(value_of(next));
    }
    out = {std::move(tuple)};
    return true;
  }

  // A number with or without a sign, a sum of a real and an imaginary number, or any other operand.
  bool read_expression(Expression& out) {
    const Failed before = failed_;
    if (peek() == '+' || peek() == '-') {
      const bool minus = peek() == '-';
      ++at_;
      if (!skip_space() || !read_operand(out)) return false;
      if (out.shape != Shape::number) {
        malformed(before);
        out = {};
      } else {
        if (minus) negate(out.value);
        out.shape = Shape::signed_number;
      }
    } else if (!read_operand(out)) {
      return false;
    }
    while (true) {
      if (!skip_space()) return false;
      if (peek() != '+' && peek() != '-') return true;
      const bool minus = peek() == '-';
      ++at_;
      Expression right;
      if (!skip_space() || !read_operand(right)) return false;
      add(out, right, minus, before);
    }
  }

  void add(Expression& left, const Expression& right, bool minus, Failed before) {
    const bool addable = (left.shape == Shape::number || left.shape == Shape::signed_number) && is_real(left.value) &&
                         right.shape == Shape::number && right.value.kind == Kind::complex;
    if (!addable) {
      malformed(before);
      left = {};
      return;
    }
    PythonValue sum{.kind = Kind::complex};
    sum.number = left.value.kind == Kind::floating ? left.value.number : to_double(left.value.text);
    if (left.value.kind == Kind::integer && std::isinf(sum.number))
      raise("an integer of the value is too large for a complex number");
    // As Python adds complex numbers, so that the signs of zeros come out alike.
    sum.number = minus ? sum.number - 0.0 : sum.number + 0.0;
    sum.imaginary = minus ? 0.0 - right.value.imaginary : 0.0 + right.value.imaginary;
    left = {std::move(sum)};
  }

  bool read_operand(Expression& out) {
    if (!read_atom(out)) return false;
    if (out.shape != Shape::set_name) return true;
    if (!skip_space()) return false;
    if (peek() != '(') return true;
    if (!open() || !close(')')) return false;
    out = {PythonValue{.kind = Kind::set}};
    return true;
  }

  bool read_atom(Expression& out) {
    const char c = peek();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return read_number(out);
    switch (c) {
      case '\'':
      case '"': return read_strings(out.value);
      case '(': return open() && read_parenthesis(out);
      case '[': return open() && read_list(out.value);
      case '{': return open() && read_braces(out.value);
      case '.':
        if (source_.substr(at_, 3) != "...") return false;
        at_ += 3;
        out.value.kind = Kind::ellipsis;
        return true;
      default: return read_word(out);
    }
  }

  bool read_number(Expression& out) {
    auto number = read_number_literal(source_.substr(at_));
    if (!number) return false;
    at_ += number->bytes;
    if (number->too_long) raise("an integer of the value has too many digits");
    out = {std::move(number->value), Shape::number};
    return true;
  }

  bool read_word(Expression& out) {
    std::size_t end = at_;
    while (end < source_.size() && is_name_byte(source_[end])) ++end;
    const std::string_view word = source_.substr(at_, end - at_);
    if (end < source_.size() && (source_[end] == '\'' || source_[end] == '"')) return read_strings(out.value);
    at_ = end;
    if (word == "None") return true;
    if (word == "True" || word == "False") {
      out.value.kind = Kind::boolean;
      out.value.boolean = word == "True";
      return true;
    }
    if (word != "set") return false;
    out.shape = Shape::set_name;
    return true;
  }

  // One string literal or several, one after the other, which are one value.
  bool read_strings(PythonValue& out) {
    bool first = true;
    while (true) {
      std::size_t quote = at_;
      while (quote < source_.size() && is_name_byte(source_[quote])) ++quote;
      if (quote == source_.size() || (source_[quote] != '\'' && source_[quote] != '"')) return !first && quote == at_;
      const auto prefix = string_prefix(source_.substr(at_, quote - at_));
      if (!prefix) return false;
      const Kind kind = prefix->bytes ? Kind::bytes : Kind::string;
      if (!first && kind != out.kind) return false;
      out.kind = kind;
      const auto bytes = read_string_literal(source_.substr(quote), *prefix, out.text);
      if (!bytes) return false;
      at_ = quote + *bytes;
      first = false;
      if (!skip_space()) return false;
    }
  }

  bool read_parenthesis(Expression& out) {
    if (close(')')) {
      out.value.kind = Kind::tuple;
      return true;
    }
    if (!read_expression(out) || !skip_space()) return false;
    if (close(')')) return true;
    PythonValue tuple{.kind = Kind::tuple};
    tuple.items.push_back(value_of(out));
    out = {};
    if (!read_rest(')', tuple.items)) return false;
    out.value = std::move(tuple);
    return true;
  }

  bool read_list(PythonValue& out) {
    out.kind = Kind::list;
    if (close(']')) return true;
    Expression first;
    if (!read_expression(first) || !skip_space()) return false;
    out.items.push_back(value_of(first));
    return read_rest(']', out.items);
  }

  bool read_braces(PythonValue& out) {
    out.kind = Kind::dict;
    if (close('}')) return true;
    Expression first;
    if (!read_expression(first) || !skip_space()) return false;
    out.items.push_back(value_of(first));
    if (peek() == ':') return read_dict(out);
    out.kind = Kind::set;
    return read_set(out);
  }

  void note_key(const PythonValue& key, std::vector<std::string>& keys) {
    auto text = key_of(key);
    if (!text) raise("a list, set or dict of the value stands where Python needs a key");
    keys.push_back(std::move(text).value_or(std::string()));
  }

  // After the first key.
  bool read_dict(PythonValue& out) {
    std::vector<std::string> keys;
    while (true) {
      Expression value;
      if (!take(':') || !skip_space() || !read_expression(value) || !skip_space()) return false;
      out.items.push_back(value_of(value));
      note_key(out.items[out.items.size() - 2], keys);
      if (close('}')) break;
      if (!take(',') || !skip_space()) return false;
      if (close('}')) break;
      Expression key;
      if (!read_expression(key) || !skip_space()) return false;
      out.items.push_back(value_of(key));
    }
    if (failed_ == Failed::no) settle_keys({keys.begin(), keys.end()}, 2, out.items);
    return true;
  }

  // After the first element.
  bool read_set(PythonValue& out) {
    std::vector<std::string> keys;
    note_key(out.items.front(), keys);
    while (!close('}')) {
      if (!take(',') || !skip_space()) return false;
      if (close('}')) break;
      Expression next;
      if (!read_expression(next) || !skip_space()) return false;
      out.items.push_back(value_of(next));
      note_key(out.items.back(), keys);
    }
    if (failed_ == Failed::no) settle_keys({keys.begin(), keys.end()}, 1, out.items);
    return true;
  }

  const std::string_view source_;
  std::size_t at_ = 0;
  int brackets_ = 0;
  Failed failed_ = Failed::no;
  const char* raised_ = nullptr;
};

}  // namespace

Result<std::optional<PythonValue>> read_python_literal(std::string_view source) {
  source.remove_prefix(std::min(source.find_first_not_of(" \t"), source.size()));
  if (source.find('\0') != std::string_view::npos) return std::optional<PythonValue>();
  if (source.find('\r') == std::string_view::npos) return LiteralReader(source).read();
  const std::string translated = with_newlines(source);
  return LiteralReader(translated).read();
}

}  // namespace sosie::text
