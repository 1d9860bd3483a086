// python_value_probe: what the readers make of texts that no line of text can hold. Every text on standard input is a
// 32-bit length (little-endian) and that many bytes; the answers are written alike.
//
//   python_value_probe value     "miss", "raise", or the value: see write()
//   python_value_probe prompt    "raise", "none", or "=" and the prompt
//   python_value_probe parts     "raise", or "=" and the parts that are not text
#include <cinttypes>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <algorithm>
#include <string>
#include <vector>

#include "text/prompt.h"
#include "text/python_value.h"

namespace {

using namespace sosie;
using text::PythonValue;

bool read_text(std::string& text) {
  std::uint32_t length = 0;
  if (std::fread(&length, sizeof length, 1, stdin) != 1) return false;
  text.resize(length);
  return length == 0 || std::fread(text.data(), length, 1, stdin) == 1;
}

void write_text(const std::string& text) {
  const auto length = static_cast<std::uint32_t>(text.size());
  std::fwrite(&length, sizeof length, 1, stdout);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string hex(const std::string& bytes) {
  std::string out;
  char two[3];
  for (const char c : bytes) {
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(c));
    out += two;
  }
  return out;
}

std::string bits(double number) {
  if (std::isnan(number)) return "nan";
  std::uint64_t word = 0;
  std::memcpy(&word, &number, sizeof word);
  char out[17];
  std::snprintf(out, sizeof out, "%016" PRIx64, word);
  return out;
}

// One letter for the type, then the bits or bytes in hexadecimal; the elements of a set in order of their text.
std::string write(const PythonValue& value) {
  const auto inside = [&] {
    std::vector<std::string> items;
    for (const PythonValue& item : value.items) items.push_back(write(item) + ",");
    if (value.kind == PythonValue::Kind::set) std::sort(items.begin(), items.end());
    std::string out;
    for (const std::string& item : items) out += item;
    return out;
  };
  switch (value.kind) {
    case PythonValue::Kind::none: return "N";
    case PythonValue::Kind::ellipsis: return "E";
    case PythonValue::Kind::boolean: return value.boolean ? "T" : "F";
    case PythonValue::Kind::integer: return "i" + value.text;
    case PythonValue::Kind::floating: return "f" + bits(value.number);
    case PythonValue::Kind::complex: return "c" + bits(value.number) + "+" + bits(value.imaginary);
    case PythonValue::Kind::string: return "s" + hex(value.text);
    case PythonValue::Kind::bytes: return "b" + hex(value.text);
    case PythonValue::Kind::list: return "[" + inside() + "]";
    case PythonValue::Kind::tuple: return "(" + inside() + ")";
    case PythonValue::Kind::set: return "<" + inside() + ">";
    case PythonValue::Kind::dict: return "{" + inside() + "}";
  }
  return "?";
}

std::string answer(const std::string& mode, const std::string& text) {
  if (mode == "value") {
    const auto value = text::read_value(text);
    return !value ? "raise" : !*value ? "miss" : write(**value);
  }
  if (mode == "prompt") {
    const auto prompt = text::prompt_from_kwargs(text);
    return !prompt ? "raise" : !*prompt ? "none" : "=" + **prompt;
  }
  const auto parts = text::non_text_parts(text);
  return !parts ? "raise" : "=" + *parts;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (std::string text; read_text(text);) write_text(answer(argv[1], text));
  return 0;
}
