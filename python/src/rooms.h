// rooms.h: what each file of the module adds to it.
#pragma once

#include <pybind11/pybind11.h>

namespace sosie::python {

void bind_embedded_cache(pybind11::module_& module);

}  // namespace sosie::python
