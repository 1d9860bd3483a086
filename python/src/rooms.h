// rooms.h: what each file of the module adds to it.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace sosie::python {

void bind_compat(pybind11::module_& module);
void bind_embedded_cache(pybind11::module_& module);
void bind_litellm_core(pybind11::module_& module);

/// A stored value as a Python object; None: a miss. Raises sosie._errors.UnreadableValueError.
pybind11::object read_value(const std::string& stored);

}  // namespace sosie::python
