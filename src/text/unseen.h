// unseen.h: `Embedding::unseen` of the local encoder, for people to read.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sosie::text {

/// What the encoder did not see of a text, a phrase each, `most` at most: "Passwort", "caf\u00e9", "the[U+200B]rapist", "indentation",
/// "…and the rest of a long text". Long ones are cut; characters that nobody would see are written by number. What is no such
/// string gives what can be read of it.
std::vector<std::string> unseen_words(std::string_view unseen, std::size_t most);

}  // namespace sosie::text
