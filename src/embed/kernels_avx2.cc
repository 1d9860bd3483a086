#include <cmath>
#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__x86_64__)

#define SOSIE_TARGET __attribute__((target("avx2,fma")))

namespace sosie::embed {
namespace {
#include "embed/kernels_portable.inc"
}  // namespace

const Kernels kAvx2Kernels{Isa::avx2, add_norm, add_bias, dequantize, quantize, to_bf16, gelu, gelu_tanh, relu, attention};

}  // namespace sosie::embed

#endif
