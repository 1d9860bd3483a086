#include "text/python_key.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>

namespace sosie::text {
namespace {

void append_number(double number, std::string& key) {
  char digits[400];
  if (std::isfinite(number) && number == std::floor(number)) {
    // Written out whole, as the equal integer is.
    const double whole = number == 0 ? 0 : number;
    const auto end = std::to_chars(digits, digits + sizeof digits, whole, std::chars_format::fixed, 0);
    key.append("i").append(digits, end.ptr);
    return;
  }
  std::uint64_t bits = 0;
  std::memcpy(&bits, &number, sizeof bits);
  const auto end = std::to_chars(digits, digits + sizeof digits, bits, 16);
  key.append("f").append(digits, end.ptr);
}

void append_sized(char mark, std::string_view text, std::string& key) {
  key.push_back(mark);
  key.append(std::to_string(text.size())).append(":").append(text);
}

bool append_key(const PythonValue& value, std::string& key) {
  switch (value.kind) {
    case PythonValue::Kind::none: key.push_back('n'); return true;
    case PythonValue::Kind::ellipsis: key.push_back('e'); return true;
    case PythonValue::Kind::boolean: key.append(value.boolean ? "i1" : "i0"); return true;
    case PythonValue::Kind::integer: key.append("i").append(value.text); return true;
    case PythonValue::Kind::floating: append_number(value.number, key); return true;
    case PythonValue::Kind::complex:
      append_number(value.number, key);
      if (value.imaginary != 0) append_number(value.imaginary, key.append("+"));
      return true;
    case PythonValue::Kind::string: append_sized('s', value.text, key); return true;
    case PythonValue::Kind::bytes: append_sized('b', value.text, key); return true;
    case PythonValue::Kind::tuple:
      key.push_back('(');
      for (const PythonValue& item : value.items) {
        if (!append_key(item, key)) return false;
        key.push_back(',');
      }
      key.push_back(')');
      return true;
    case PythonValue::Kind::list:
    case PythonValue::Kind::set:
    case PythonValue::Kind::dict: return false;
  }
  return false;
}

}  // namespace

std::optional<std::string> key_of(const PythonValue& value) {
  std::string key;
  if (!append_key(value, key)) return std::nullopt;
  return key;
}

void settle_keys(const std::vector<std::string_view>& keys, std::size_t stride, std::vector<PythonValue>& items) {
  const std::size_t count = keys.size();
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int compared = keys[a].compare(keys[b]);
    return compared != 0 ? compared < 0 : a < b;
  });
  std::vector<char> repeated(count, 0);
  bool any = false;
  for (std::size_t at = 0; at < count;) {
    std::size_t end = at + 1;
    while (end < count && keys[order[end]] == keys[order[at]]) repeated[order[end++]] = 1;
    if (end > at + 1) {
      any = true;
      if (stride == 2) std::swap(items[2 * order[at] + 1], items[2 * order[end - 1] + 1]);
    }
    at = end;
  }
  if (!any) return;
  std::vector<PythonValue> kept;
  kept.reserve(items.size());
  for (std::size_t i = 0; i < count; ++i) {
    if (repeated[i]) continue;
    for (std::size_t j = 0; j < stride; ++j) kept.push_back(std::move(items[stride * i + j]));
  }
  items = std::move(kept);
}

}  // namespace sosie::text
