// input.h: what a command reads: a file, or standard input where it is named "-".
#pragma once

#include <fstream>
#include <istream>
#include <string>

#include "sosie/result.h"

namespace sosie::app {

/// A file, a pipe or standard input. Lives as long as it is read.
class Input {
 public:
  /// Errors: not_found, permission_denied, invalid_argument (a folder).
  static Result<Input> open(const std::string& name);

  std::istream& stream() noexcept;
  /// For messages: the file's name, or "standard input".
  const std::string& name() const noexcept { return name_; }

 private:
  std::string name_;
  std::ifstream file_;  ///< Not open: it is standard input.
};

/// All of standard input.
std::string read_standard_input();

}  // namespace sosie::app
