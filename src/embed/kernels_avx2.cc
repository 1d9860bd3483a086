#include <cmath>
#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__x86_64__)

#include "embed/lanes_avx2.h"

namespace sosie::embed {

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX2)
#include "embed/float_kernels.inc"
SOSIE_TARGET_END

const Kernels kAvx2Kernels{Isa::avx2, add_norm, add_bias, quantize, multiply_bytes_avx2, to_bf16, gelu, gelu_tanh, relu, attention};
const Kernels kAvxVnniKernels{Isa::avxvnni, add_norm, add_bias, quantize, multiply_bytes_avxvnni, to_bf16, gelu, gelu_tanh, relu, attention};

}  // namespace sosie::embed

#endif
