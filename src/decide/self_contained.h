// self_contained.h: whether a question of a conversation can be understood without what was said before it.
//
// Thread-safety: pure function.
#pragma once

#include <string_view>

namespace sosie::decide {

/// Whether the text may mean something else elsewhere in a conversation: a pronoun without a referent ("how much does
/// it cost"), a fragment ("and in Berlin?", "why?"), an unnamed choice ("the second one"), a change to the last answer
/// ("shorter, please"), a word with nothing to tie it to ("what are the symptoms?"). Reads English; in doubt, and for
/// all other languages, it leans. It does not see what only the world tells ("does the app support dark mode?").
///
/// Cost: some microseconds for a question.
bool leans_on_context(std::string_view prompt);

}  // namespace sosie::decide
