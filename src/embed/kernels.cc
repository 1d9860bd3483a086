#include "embed/kernels.h"

#include <cstdlib>
#include <string>

#include "base/log.h"
#include "embed/kernel_sets.h"

namespace sosie::embed {
namespace {

const Kernels& choose() noexcept {
  const char* forced = std::getenv("SOSIE_FORCE_ISA");
  for (const Isa isa : {Isa::avx512, Isa::avx2, Isa::scalar}) {
    const Kernels* set = kernels_for(isa);
    if (set == nullptr) continue;
    if (forced == nullptr || *forced == '\0' || to_string(isa) == forced) return *set;
  }
  base::log_warning("SOSIE_FORCE_ISA names no instruction set of this CPU: ignored");
  for (const Isa isa : {Isa::avx512, Isa::avx2}) {
    if (const Kernels* set = kernels_for(isa)) return *set;
  }
  return kScalarKernels;
}

}  // namespace

std::string_view to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  return "unknown";
}

std::size_t attention_scratch(const AttentionShape& shape) noexcept {
  return (2 * shape.width + kAttentionRows) * padded_rows(shape.rows);
}

const Kernels& kernels() noexcept {
  static const Kernels& chosen = choose();
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
