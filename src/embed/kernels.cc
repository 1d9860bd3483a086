#include "embed/kernels.h"

#include "embed/kernel_sets.h"

namespace sosie::embed {
std::size_t attention_scratch(const AttentionShape& shape) noexcept {
  return (2 * shape.width + kAttentionRows) * padded_rows(shape.rows);
}

const Kernels& kernels() noexcept {
  static const Kernels& chosen = *base::choose_isa(kernels_for);
  return chosen;
}

const Kernels* kernels_for(Isa isa) noexcept {
#if defined(__x86_64__)
  if (isa == Isa::avx512) {
    const bool able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
    return able ? &kAvx512Kernels : nullptr;
  }
  if (isa == Isa::avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kAvx2Kernels : nullptr;
#endif
  return isa == Isa::scalar ? &kScalarKernels : nullptr;
}

}  // namespace sosie::embed
