// Any bytes are a header whose tensors lie apart inside the data, or an error.
#include <cstdint>
#include <cstdlib>

#include "text/model_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t data_bytes = std::size_t{1} << (data[0] % 40);
  const auto entries = sosie::text::parse_safetensors_header({reinterpret_cast<const char*>(data + 1), size - 1}, data_bytes, "FILE");
  if (!entries) return 0;
  std::size_t before = 0;
  for (const auto& entry : *entries) {
    if (entry.begin < before || entry.end < entry.begin || entry.end > data_bytes) std::abort();
    before = entry.end;
  }
  return 0;
}
