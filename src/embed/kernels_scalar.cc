#include <cmath>
#include <cstring>

#include "embed/kernel_sets.h"
#include "embed/lanes_scalar.h"

namespace sosie::embed {
#include "embed/float_kernels.inc"

const Kernels kScalarKernels{Isa::scalar, add_norm, add_bias, quantize, multiply_bytes_scalar, to_bf16, gelu, gelu_tanh, relu, attention};

}  // namespace sosie::embed
