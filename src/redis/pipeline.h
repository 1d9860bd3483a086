// pipeline.h: commands, encoded one after the other, that are sent in one write.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace sosie::redis {

/// A plain value. Words are any bytes.
class Pipeline {
 public:
  Pipeline& add(std::span<const std::string_view> words);
  Pipeline& add(std::initializer_list<std::string_view> words) { return add(std::span(words.begin(), words.size())); }

  /// All of another's, behind those there are.
  Pipeline& add(const Pipeline& more);

  std::size_t commands() const noexcept { return commands_; }
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
  std::size_t commands_ = 0;
};

}  // namespace sosie::redis
