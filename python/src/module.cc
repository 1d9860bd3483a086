// The extension module sosie._core. Its words for people are in python/sosie/_core.pyi.
#include "rooms.h"

PYBIND11_MODULE(_core, module) {
  module.doc() = "The C++ part of sosie. Use the names in `sosie`, `sosie.compat` and `sosie.litellm`.";
  module.attr("__version__") = SOSIE_VERSION;
  sosie::python::bind_embedded_cache(module);
  sosie::python::bind_compat(module);
  sosie::python::bind_litellm_core(module);
}
