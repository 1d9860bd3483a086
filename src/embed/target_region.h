// target_region.h: functions compiled for instructions that the rest of the program may not use.
//
// A flag for the whole file would leak into inline functions of shared headers, which the linker may then pick for everybody: only
// functions without external linkage belong into a region, and no header is included within one.
#pragma once

#define SOSIE_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define SOSIE_TARGET_BEGIN(instructions) SOSIE_PRAGMA(clang attribute push(__attribute__((target(instructions))), apply_to = function))
#define SOSIE_TARGET_END SOSIE_PRAGMA(clang attribute pop)
#else
#define SOSIE_TARGET_BEGIN(instructions) SOSIE_PRAGMA(GCC push_options) SOSIE_PRAGMA(GCC target(instructions))
#define SOSIE_TARGET_END SOSIE_PRAGMA(GCC pop_options)
#endif

#define SOSIE_TARGET_AVX2 "avx2,fma"
#define SOSIE_TARGET_AVX512 "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"
