#include "embed/kernels.h"

#include "embed/kernel_sets.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

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
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  switch (isa) {
    case Isa::avx2: return avx2 ? &kAvx2Kernels : nullptr;
    case Isa::avxvnni: return avx2 && __builtin_cpu_supports("avxvnni") ? &kAvxVnniKernels : nullptr;
    case Isa::avx512: return avx512 ? &kAvx512Kernels : nullptr;
    case Isa::avx512vnni: return avx512 && __builtin_cpu_supports("avx512vnni") ? &kAvx512VnniKernels : nullptr;
    default: break;
  }
#elif defined(__aarch64__)
  switch (isa) {
    case Isa::neon: return &kNeonKernels;
    case Isa::neondot: return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? &kNeonDotKernels : nullptr;
    case Isa::neoni8mm: return (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0 ? &kNeonI8mmKernels : nullptr;
    default: break;
  }
#endif
  return isa == Isa::scalar ? &kScalarKernels : nullptr;
}

}  // namespace sosie::embed
