#include "convert.h"

#include <cmath>

namespace sosie::python {
namespace {

constexpr double kLongestSeconds = 1e12;  // 30,000 years: beyond every limit of the library, far from overflow

py::object datetime_class(const char* name) { return py::module_::import("datetime").attr(name); }

}  // namespace

void raise(const Error& error) {
  const py::object type = py::module_::import("sosie._errors").attr("error_class")(std::string(to_string(error.code)));
  py::set_error(type, error.message.c_str());
  throw py::error_already_set();
}

std::optional<std::chrono::milliseconds> duration(const py::object& given, const char* name) {
  if (given.is_none()) return std::nullopt;
  double seconds = 0;
  if (py::isinstance<py::float_>(given) || py::isinstance<py::int_>(given)) {
    seconds = given.cast<double>();
  } else if (py::isinstance(given, datetime_class("timedelta"))) {
    seconds = given.attr("total_seconds")().cast<double>();
  } else {
    throw py::type_error(std::string(name) + " must be seconds (a number) or a timedelta");
  }
  if (!(std::abs(seconds) <= kLongestSeconds)) {
    raise({ErrorCode::invalid_argument, std::string(name) + " is out of range"});
  }
  return std::chrono::milliseconds(std::llround(seconds * 1000));
}

py::object timedelta(std::chrono::milliseconds duration) {
  return datetime_class("timedelta")(py::arg("milliseconds") = duration.count());
}

py::object datetime(TimePoint time) {
  const py::object utc = datetime_class("timezone").attr("utc");
  return datetime_class("datetime")(1970, 1, 1, py::arg("tzinfo") = utc) + timedelta(time.time_since_epoch());
}

std::string bytes_of(const py::object& text, const char* name) {
  if (py::isinstance<py::str>(text)) {
    Py_ssize_t size = 0;
    const char* bytes = PyUnicode_AsUTF8AndSize(text.ptr(), &size);
    if (bytes == nullptr) throw py::error_already_set();
    return {bytes, static_cast<std::size_t>(size)};
  }
  if (py::isinstance<py::bytes>(text)) return text.cast<std::string>();
  throw py::type_error(std::string(name) + " must be a str or bytes");
}

py::str text_of(std::string_view bytes) {
  PyObject* text = PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "surrogateescape");
  if (text == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(text);
}

Attributes attributes_of(const py::object& given) {
  Attributes attributes;
  if (given.is_none()) return attributes;
  for (const auto& [name, value] : given.cast<py::dict>()) {
    attributes.emplace(bytes_of(py::reinterpret_borrow<py::object>(name), "an attribute's name"),
                       bytes_of(py::reinterpret_borrow<py::object>(value), "an attribute's value"));
  }
  return attributes;
}

py::dict dict_of(const Attributes& attributes) {
  py::dict result;
  for (const auto& [name, value] : attributes) result[text_of(name)] = text_of(value);
  return result;
}

}  // namespace sosie::python
