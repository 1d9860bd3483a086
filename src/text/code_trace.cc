#include "text/code_trace.h"

#include <algorithm>
#include <cstddef>
#include <unordered_map>

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

template <typename Visit>
void for_each_chunk(std::string_view text, Visit visit) {
  for (std::size_t begin = text.find_first_not_of(kBlank); begin != text.npos;) {
    const std::size_t end = std::min(text.find_first_of(kBlank, begin), text.size());
    visit(text.substr(begin, end - begin));
    begin = text.find_first_not_of(kBlank, end);
  }
}

std::string lowered(std::string_view chunk) {
  std::string out(chunk);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

void trace_chunks(std::string_view text, std::string& trace) {
  std::unordered_map<std::string, std::size_t> met;  // Times that a chunk of code was met, in any case.
  for_each_chunk(text, [&](std::string_view chunk) {
    if (looks_like_code(chunk)) met.try_emplace(lowered(chunk), 0);
  });
  if (met.empty()) return;
  // The number tells `my_Var` to `my_var` from `my_var` to `my_Var`.
  for_each_chunk(text, [&](std::string_view chunk) {
    const auto found = met.find(lowered(chunk));
    if (found == met.end()) return;
    if (looks_like_code(chunk)) {
      note(trace, 'c', chunk);
      trace.append(1, 'n').append(std::to_string(found->second));
    }
    ++found->second;
  });
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

std::string trace_code(std::string_view text, bool with_case) {
  std::string trace;
  if (with_case) trace_chunks(text, trace);
  trace_indentation(text, trace);
  return trace;
}

}  // namespace sosie::text
