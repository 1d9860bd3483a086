// Requests of any shape: the prompt and the other parts agree on what a request is.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/prompt.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view kwargs(reinterpret_cast<const char*>(data), size);
  const auto prompt = sosie::text::prompt_from_kwargs(kwargs);
  const auto parts = sosie::text::non_text_parts(kwargs);
  if (prompt.has_value() != parts.has_value()) std::abort();
  return 0;
}
