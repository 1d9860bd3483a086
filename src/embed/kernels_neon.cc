#include <cmath>
#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__aarch64__)

#include "embed/lanes_neon.h"

namespace sosie::embed {
#include "embed/float_kernels.inc"

const Kernels kNeonKernels{Isa::neon, add_norm, add_bias, quantize, multiply_bytes_neon, to_bf16, gelu, gelu_tanh, relu, attention};
const Kernels kNeonDotKernels{Isa::neondot, add_norm, add_bias, quantize, multiply_bytes_neondot, to_bf16, gelu, gelu_tanh, relu, attention};
const Kernels kNeonI8mmKernels{Isa::neoni8mm, add_norm, add_bias, quantize, multiply_bytes_neoni8mm, to_bf16, gelu, gelu_tanh, relu, attention};

}  // namespace sosie::embed

#endif
