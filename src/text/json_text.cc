#include "text/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "text/plain_run.h"
#include "text/python_text.h"

namespace sosie::text {
namespace {

void append_escape(unsigned unit, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[(unit >> shift) & 0xF]);
}

void append_escaped_point(char32_t point, std::string& out) {
  if (point < 0x10000) return append_escape(point, out);
  append_escape(0xD800 + ((point - 0x10000) >> 10), out);
  append_escape(0xDC00 + ((point - 0x10000) & 0x3FF), out);
}

// A character that JSON wants escaped, or, with `ascii`, any character.
void append_character(char32_t point, bool ascii, std::string& out) {
  switch (point) {
    case '"': out.append("\\\""); return;
    case '\\': out.append("\\\\"); return;
    case '\b': out.append("\\b"); return;
    case '\f': out.append("\\f"); return;
    case '\n': out.append("\\n"); return;
    case '\r': out.append("\\r"); return;
    case '\t': out.append("\\t"); return;
    default:
      if (point < 0x20 || (ascii && point >= 0x7F)) return append_escaped_point(point, out);
      append_utf8(point, out);
  }
}

// Bytes of which none needs an escape, unless they stand for a surrogate: 0xED leads every one of those, and little
// else.
void append_raw(std::string_view run, std::string& out) {
  while (true) {
    const std::size_t lead = run.find('\xED');
    out.append(run.substr(0, lead));
    if (lead == std::string_view::npos) return;
    run.remove_prefix(lead);
    const Decoded next = decode_python_at(run, 0);
    if (is_surrogate(next.point)) {
      append_escape(next.point, out);
    } else {
      out.append(run.substr(0, next.bytes));
    }
    run.remove_prefix(next.bytes);
  }
}

class JsonWriter {
 public:
  JsonWriter(JsonForm form, std::string& out) : form_(form), out_(out) {}

  bool write(const PythonValue& value) {
    switch (value.kind) {
      case PythonValue::Kind::none: out_.append("null"); return true;
      case PythonValue::Kind::boolean: out_.append(value.boolean ? "true" : "false"); return true;
      case PythonValue::Kind::integer: out_.append(value.text); return true;
      case PythonValue::Kind::floating:
        if (!form_.non_finite && !std::isfinite(value.number)) return false;
        append_float(value.number, out_);
        return true;
      case PythonValue::Kind::string: append_json_string(value.text, form_.ascii, out_); return true;
      case PythonValue::Kind::list:
      case PythonValue::Kind::tuple:
      case PythonValue::Kind::set: return write_array(value);
      case PythonValue::Kind::dict: return form_.sorted ? write_sorted(value) : write_object(value);
      case PythonValue::Kind::complex:
      case PythonValue::Kind::bytes:
      case PythonValue::Kind::ellipsis: return false;
    }
    return false;
  }

 private:
  bool write_array(const PythonValue& value) {
    out_.push_back('[');
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      if (i > 0) out_.push_back(',');
      if (!write(value.items[i])) return false;
    }
    out_.push_back(']');
    return true;
  }

  bool write_key(const PythonValue& key) {
    switch (key.kind) {
      case PythonValue::Kind::string: return write(key);
      case PythonValue::Kind::none:
      case PythonValue::Kind::boolean:
      case PythonValue::Kind::integer:
      case PythonValue::Kind::floating: {
        out_.push_back('"');
        const bool written = write(key);
        out_.push_back('"');
        return written;
      }
      default: return false;
    }
  }

  bool write_object(const PythonValue& value) {
    out_.push_back('{');
    for (std::size_t i = 0; i < value.items.size(); i += 2) {
      if (i > 0) out_.push_back(',');
      if (!write_member(value.items[i], value.items[i + 1])) return false;
    }
    out_.push_back('}');
    return true;
  }

  bool write_member(const PythonValue& key, const PythonValue& value) {
    if (!write_key(key)) return false;
    out_.push_back(':');
    return write(value);
  }

  bool write_sorted(const PythonValue& value) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < value.items.size(); i += 2) order.push_back(i);
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return value.items[a].text < value.items[b].text; });
    out_.push_back('{');
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i > 0) out_.push_back(',');
      if (!write_member(value.items[order[i]], value.items[order[i] + 1])) return false;
    }
    out_.push_back('}');
    return true;
  }

  const JsonForm form_;
  std::string& out_;
};

}  // namespace

Result<void> append_json(const PythonValue& value, JsonForm form, std::string& out) {
  if (!JsonWriter(form, out).write(value))
    return Error{ErrorCode::data_corruption, "the value holds something that JSON cannot carry"};
  return {};
}

void append_json_string(std::string_view text, bool ascii, std::string& out) {
  out.push_back('"');
  while (ascii && !text.empty()) {
    const Decoded next = decode_python_at(text, 0);
    append_character(next.point, ascii, out);
    text.remove_prefix(next.bytes);
  }
  while (!text.empty()) {
    const auto run =
        static_cast<std::size_t>(find_run_end(text.data(), text.data() + text.size(), kJsonStringEnds) - text.data());
    append_raw(text.substr(0, run), out);
    if (run == text.size()) break;
    append_character(static_cast<unsigned char>(text[run]), ascii, out);
    text.remove_prefix(run + 1);
  }
  out.push_back('"');
}

void append_float(double number, std::string& out) {
  if (std::isnan(number)) {
    out.append("NaN");
    return;
  }
  if (std::isinf(number)) {
    out.append(number < 0 ? "-Infinity" : "Infinity");
    return;
  }
  char text[64];
  const auto size = std::abs(number);
  if (number == 0 || (size >= 1e-4 && size < 1e16)) {
    const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::fixed);
    const std::string_view digits(text, static_cast<std::size_t>(end.ptr - text));
    out.append(digits);
    if (digits.find('.') == std::string_view::npos) out.append(".0");
    return;
  }
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::scientific);
  out.append(text, end.ptr);
}

}  // namespace sosie::text
