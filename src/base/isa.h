// isa.h: the instruction sets that vector code is written for, and the one that is asked for.
#pragma once

#include <optional>
#include <string_view>

#include "base/log.h"

namespace sosie::base {

/// Those of x86-64, then those of aarch64: `neondot` has dot products of bytes of one sign, `neoni8mm` of unsigned by signed.
enum class Isa { scalar, avx2, avxvnni, avx512, avx512vnni, neon, neondot, neoni8mm };

inline constexpr Isa kBestIsaFirst[] = {Isa::avx512vnni, Isa::avx512, Isa::avxvnni, Isa::avx2, Isa::neoni8mm, Isa::neondot, Isa::neon, Isa::scalar};

/// As the enumerators are called.
std::string_view to_string(Isa isa) noexcept;

/// What $SOSIE_FORCE_ISA names; unset: nothing, or no instruction set (which is logged). Whether this CPU has it is the caller's to know:
/// each room's code needs other parts of it.
std::optional<Isa> forced_isa();

/// The forced one where `find(isa)` has it, else the best that it has; `find` returns a pointer, null where the CPU cannot.
/// REQUIRES: find(Isa::scalar) is not null.
template <class Find>
auto choose_isa(Find find) {
  if (const auto forced = forced_isa()) {
    if (const auto found = find(*forced)) return found;
    log_warning("SOSIE_FORCE_ISA is ignored: this CPU cannot run it");
  }
  for (const Isa isa : kBestIsaFirst) {
    if (const auto found = find(isa)) return found;
  }
  return find(Isa::scalar);
}

}  // namespace sosie::base
