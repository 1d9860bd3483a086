#include <cmath>
#include <cstring>

#include "embed/kernel_sets.h"

#define SOSIE_TARGET

namespace sosie::embed {
namespace {
#include "embed/kernels_portable.inc"
}  // namespace

const Kernels kScalarKernels{Isa::scalar, add_norm, add_bias, dequantize, quantize, to_bf16, gelu, gelu_tanh, relu, attention};

}  // namespace sosie::embed
