// avx2_only: a library to preload (LD_PRELOAD), with which a program on Linux finds a CPU that has AVX2 and FMA but neither AVX-512 nor any
// VNNI nor AMX, so that others than us can be measured as they run on such a machine:
//
//   cc -shared -fPIC -O2 -Wl,-z,initfirst -o avx2_only.so avx2_only.c && LD_PRELOAD=$PWD/avx2_only.so program
//
// The CPU is told to fault at CPUID (Intel's "CPUID faulting", which a virtual machine may not have; then this says so and the program
// ends), and the fault's handler answers in its place. What the C library chose before is not changed.
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static int let_cpuid(int allowed) { return (int)syscall(SYS_arch_prctl, ARCH_SET_CPUID, (long)allowed); }

static void answer(int number, siginfo_t* info, void* raw) {
  (void)info;
  greg_t* registers = ((ucontext_t*)raw)->uc_mcontext.gregs;
  const unsigned char* code = (const unsigned char*)registers[REG_RIP];
  if (code[0] != 0x0F || code[1] != 0xA2) {  // Another fault than CPUID's: the program's own.
    signal(number, SIG_DFL);
    return;
  }
  const unsigned leaf = (unsigned)registers[REG_RAX], part = (unsigned)registers[REG_RCX];
  unsigned a, b, c, d;
  let_cpuid(1);
  __cpuid_count(leaf, part, a, b, c, d);
  let_cpuid(0);
  if (leaf == 7 && part == 0) {
    b &= ~(1U << 16 | 1U << 17 | 1U << 21 | 1U << 26 | 1U << 27 | 1U << 28 | 1U << 30 | 1U << 31);  // AVX-512 F, DQ, IFMA, PF, ER, CD, BW, VL
    c &= ~(1U << 1 | 1U << 6 | 1U << 11 | 1U << 12 | 1U << 14);                                      // VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ
    d &= ~(1U << 2 | 1U << 3 | 1U << 8 | 1U << 22 | 1U << 23 | 1U << 24 | 1U << 25);                 // 4VNNIW, 4FMAPS, VP2INTERSECT, AMX, FP16
  } else if (leaf == 7 && part == 1) {
    a &= ~(1U << 4 | 1U << 5 | 1U << 21 | 1U << 23);  // AVX-VNNI, AVX512-BF16, AMX-FP16, AVX-IFMA
    d &= ~(1U << 4 | 1U << 5 | 1U << 10 | 1U << 19);  // AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16, AVX10
  }
  registers[REG_RAX] = a;
  registers[REG_RBX] = b;
  registers[REG_RCX] = c;
  registers[REG_RDX] = d;
  registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answer;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaction(SIGSEGV, &action, NULL);
  if (let_cpuid(0) == 0) return;
  static const char kNo[] = "avx2_only: this CPU, or the machine that it is lent by, cannot fault at CPUID\n";
  if (write(2, kNo, sizeof kNo - 1) > 0) _exit(2);
  _exit(2);
}
