// kernels.h: dot products, one set for each instruction set, chosen once.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/isa.h"

namespace sosie::index {

using base::Isa;

/// The kernels of one instruction set. A row's product is the same whatever rows stand beside it.
/// Pointers need the alignment of a float only; arrays may not overlap.
struct Kernels {
  Isa isa;

  /// The sum of a[i] * b[i] over n floats.
  float (*dot)(const float* a, const float* b, std::size_t n);

  /// out[r] = dot(query, rows + r * stride, n) for r < count; bit-identical to `dot` of the same set.
  /// Units: stride in floats, >= n.
  void (*dot_rows)(const float* query, const float* rows, std::size_t stride, std::size_t count, std::size_t n, float* out);
};

/// The set this process uses: the one SOSIE_FORCE_ISA names if this CPU can run it, else the best this CPU can run.
/// Thread-safety: safe. Chosen at the first call; an ISA that cannot be forced is logged once, as a warning.
const Kernels& kernels() noexcept;

/// The set of one instruction set; null where this CPU cannot run it.
const Kernels* kernels_for(Isa isa) noexcept;

}  // namespace sosie::index
