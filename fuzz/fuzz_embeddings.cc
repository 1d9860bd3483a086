// Any answer of an endpoint is read as vectors of one length, finite and not all 0, one a text, or refused.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "text/embeddings_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t count = data[0] % 4 + 1;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto vectors = sosie::text::read_embeddings_answer(body, count)) {
    if (vectors->size() != count) std::abort();
    for (const auto& vector : *vectors) {
      const bool finite = std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); });
      if (vector.empty() || vector.size() != vectors->front().size() || !finite) std::abort();
    }
  }
  const std::string text(body);
  if (const auto request = sosie::text::write_embeddings_request("m", {&text, 1}, body); request && request->back() != '}') std::abort();
  return 0;
}
