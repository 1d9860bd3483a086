#include "input.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <utility>

namespace sosie::app {

Result<Input> Input::open(const std::string& name) {
  Input input;
  if (name == "-") {
    input.name_ = "standard input";
    return input;
  }
  input.name_ = name;
  std::error_code failed;
  if (std::filesystem::is_directory(name, failed)) return Error{ErrorCode::invalid_argument, name + " is a folder, not a file"};
  errno = 0;
  input.file_.open(name, std::ios::binary);
  if (!input.file_.is_open()) {
    const int why = errno;
    return Error{why == ENOENT ? ErrorCode::not_found : ErrorCode::permission_denied,
                 name + " cannot be read: " + std::strerror(why) + "; - reads standard input"};
  }
  return input;
}

std::istream& Input::stream() noexcept {
  if (file_.is_open()) return file_;
  return std::cin;
}

std::string read_standard_input() { return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()}; }

}  // namespace sosie::app
