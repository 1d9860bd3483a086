// oneDNN takes its number of threads from OpenMP, which keeps it for each thread: no other thread of the process notices.
// OpenMP is reached through oneDNN's own dependency, for oneDNN may be built without it.
#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>

#include "embed/matmul.h"

namespace sosie::embed {
namespace {

struct OpenMp {
  void (*set_threads)(int) = nullptr;
  int (*max_threads)() = nullptr;

  OpenMp() noexcept {
    Dl_info info;
    if (dladdr(reinterpret_cast<const void*>(&dnnl_version), &info) == 0) return;
    void* library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);  // Looks into what oneDNN depends on, too.
    if (library == nullptr) return;
    set_threads = reinterpret_cast<void (*)(int)>(dlsym(library, "omp_set_num_threads"));
    max_threads = reinterpret_cast<int (*)()>(dlsym(library, "omp_get_max_threads"));
    if (max_threads == nullptr) set_threads = nullptr;
  }
};

const OpenMp& open_mp() noexcept {
  static const OpenMp found;
  return found;
}

}  // namespace

SingleThreaded::SingleThreaded() noexcept {
  const OpenMp& omp = open_mp();
  if (omp.set_threads == nullptr) return;
  before_ = omp.max_threads();
  if (before_ != 1) omp.set_threads(1);
}

SingleThreaded::~SingleThreaded() {
  if (before_ > 1) open_mp().set_threads(before_);
}

}  // namespace sosie::embed
