// code_trace.h: what letter case and indentation say in code and data, which a tokenizer forgets.
#pragma once

#include <string>
#include <string_view>

namespace sosie::text {

/// As opaque bytes, for comparing; empty for prose. In it, in order:
///  - `with_case` only, for a tokenizer that lower-cases: each chunk between white space that looks like code or data,
///    as it is written, and how often it stood before in any case: a lower-case letter, an upper-case one after the first
///    letter, and a digit or one of ()[]{}<>=_/\+;&@#$%^*~`|; or an upper-case letter and an underscore.
///    (`print(Foo)`, `aGVsbG8=`, `MAX_SIZE`; not GitHub, NASA or Paris.)
///  - the indentation of every line that is not blank, where a line after the first is indented at all.
/// ASCII letters and white space only: other scripts have no such code. Pure; any bytes. Cost: linear; one pass over prose.
std::string trace_code(std::string_view text, bool with_case);

}  // namespace sosie::text
