#include <cmath>
#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__x86_64__)

#include "embed/lanes_avx512.h"

namespace sosie::embed {

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX512)
#include "embed/float_kernels.inc"
SOSIE_TARGET_END

const Kernels kAvx512Kernels{Isa::avx512, add_norm, add_bias, quantize, multiply_bytes_avx512, to_bf16, gelu, gelu_tanh, relu, attention};
const Kernels kAvx512VnniKernels{Isa::avx512vnni, add_norm, add_bias, quantize, multiply_bytes_avx512vnni, to_bf16, gelu, gelu_tanh, relu, attention};

}  // namespace sosie::embed

#endif
