#include "base/isa.h"

#include <cstdlib>

#include "base/log.h"

namespace sosie::base {

std::string_view to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avxvnni: return "avxvnni";
    case Isa::avx512: return "avx512";
    case Isa::avx512vnni: return "avx512vnni";
    case Isa::neon: return "neon";
    case Isa::neondot: return "neondot";
    case Isa::neoni8mm: return "neoni8mm";
  }
  return "scalar";
}

std::optional<Isa> forced_isa() {
  const char* forced = std::getenv("SOSIE_FORCE_ISA");
  if (forced == nullptr || *forced == '\0') return std::nullopt;
  for (const Isa isa : kBestIsaFirst) {
    if (to_string(isa) == forced) return isa;
  }
  log_warning("SOSIE_FORCE_ISA is ignored: it must be scalar, avx2, avxvnni, avx512, avx512vnni, neon, neondot or neoni8mm");
  return std::nullopt;
}

}  // namespace sosie::base
