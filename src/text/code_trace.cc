#include "text/code_trace.h"

#include <algorithm>
#include <cstddef>

namespace sosie::text {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kMarks = "()[]{}<>=_/\\+;&@#$%^*~`|";

bool looks_like_code(std::string_view chunk) {
  bool lower = false, upper = false, upper_inside = false, letters = false, mark = false, underscore = false;
  for (const char c : chunk) {
    if (c >= 'a' && c <= 'z') {
      lower = letters = true;
    } else if (c >= 'A' && c <= 'Z') {
      upper = true;
      upper_inside |= letters;
      letters = true;
    } else if ((c >= '0' && c <= '9') || kMarks.find(c) != kMarks.npos) {
      mark = true;
      underscore |= c == '_';
    }
  }
  return (lower && upper_inside && mark) || (upper && underscore);
}

// Length before bytes: no two traces run into each other.
void note(std::string& trace, char kind, std::string_view bytes) {
  trace.append(1, kind).append(std::to_string(bytes.size())).append(1, ':').append(bytes);
}

void trace_chunks(std::string_view text, std::string& trace) {
  for (std::size_t begin = text.find_first_not_of(kBlank); begin != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlank, begin), text.size());
    const std::string_view chunk = text.substr(begin, end - begin);
    if (looks_like_code(chunk)) note(trace, 'c', chunk);
    begin = text.find_first_not_of(kBlank, end);
  }
}

void trace_indentation(std::string_view text, std::string& trace) {
  if (text.find("\n ") == text.npos && text.find("\n\t") == text.npos) return;
  std::string lines;
  bool indented = false;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    if (const std::size_t first = line.find_first_not_of(kBlank); first != line.npos) {
      note(lines, 'i', line.substr(0, first));
      indented |= begin > 0 && first > 0;
    }
    begin = end + 1;
  }
  if (indented) trace += lines;
}

}  // namespace

std::string trace_code(std::string_view text) {
  std::string trace;
  trace_chunks(text, trace);
  trace_indentation(text, trace);
  return trace;
}

}  // namespace sosie::text
