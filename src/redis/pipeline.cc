#include "redis/pipeline.h"

#include <array>
#include <charconv>

namespace sosie::redis {
namespace {

void append_header(std::string& out, char mark, std::size_t number) {
  std::array<char, 24> buffer;
  buffer[0] = mark;
  char* end = std::to_chars(buffer.data() + 1, buffer.data() + buffer.size() - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(buffer.data(), end);
}

}  // namespace

Pipeline& Pipeline::add(std::span<const std::string_view> words) {
  append_header(bytes_, '*', words.size());
  for (const std::string_view word : words) {
    append_header(bytes_, '$', word.size());
    bytes_ += word;
    bytes_ += "\r\n";
  }
  ++commands_;
  return *this;
}

Pipeline& Pipeline::add(const Pipeline& more) {
  bytes_ += more.bytes_;
  commands_ += more.commands_;
  return *this;
}

}  // namespace sosie::redis
