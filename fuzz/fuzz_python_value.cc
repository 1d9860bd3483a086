// Stored values as a hostile writer leaves them: whatever is read can be written, and read again as it was.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "text/python_value.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sosie::text;
  const std::string_view stored(reinterpret_cast<const char*>(data), size);
  const auto envelope = read_envelope(stored);
  if (envelope && *envelope) {
    const auto again = read_envelope(write_envelope((*envelope)->response, (*envelope)->timestamp.value_or(0)));
    if (!again || !*again || (*again)->response != (*envelope)->response) std::abort();
  }
  const auto value = read_value(stored);
  if (!value || !*value) return 0;
  auto json = to_json(**value);
  // Once more first: keys that differ in Python (1 and '1') may be one key in JSON.
  for (int round = 0; json && round < 2; ++round) {
    const auto again = read_value(*json);
    if (!again) std::abort();
    if (!*again) return 0;
    auto written = to_json(**again);
    if (!written || (round == 1 && *written != *json)) std::abort();
    json = std::move(written);
  }
  return 0;
}
