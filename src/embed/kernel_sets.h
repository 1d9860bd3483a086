// kernel_sets.h: the sets themselves, for kernels.cc to choose from.
#pragma once

#include "embed/kernels.h"

namespace sosie::embed {

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

/// Query rows that attention works on at a time, and floats that a row of scores is padded to.
inline constexpr std::size_t kAttentionRows = 8;
inline constexpr std::size_t kAttentionPad = 16;

constexpr std::size_t padded_rows(std::size_t rows) noexcept { return (rows + kAttentionPad - 1) / kAttentionPad * kAttentionPad; }

}  // namespace sosie::embed
