// glob.h: names against patterns, as configurations write them: "gpt-4*", "claude-*", "*".
#pragma once

#include <string_view>

namespace sosie::text {

/// Whether the whole of `text` is what `pattern` says: '*' stands for any run of characters, none included; every other
/// character for itself. Never recurses; every part between two stars is
/// looked for once. Thread-safety: a pure function.
bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

}  // namespace sosie::text
