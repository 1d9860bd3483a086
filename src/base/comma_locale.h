// comma_locale.h: a locale that writes 0,31 for 0.31 and takes "é" for a letter of one byte, for tests.
#pragma once

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace sosie::base {

/// German in Latin-1, for the whole process while it lives. Made by `localedef` from what Debian's package `locales` brings.
class CommaLocale {
 public:
  CommaLocale() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sosie_locale_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    const std::string command = "localedef -i de_DE -f ISO-8859-1 " + (folder_ / "de_DE").string() + " >/dev/null 2>&1";
    (void)!std::system(command.c_str());  // Warnings make its status useless; what counts is seen below.
    ::setenv("LOCPATH", folder_.c_str(), 1);
    (void)std::setlocale(LC_ALL, "de_DE");
    ::unsetenv("LOCPATH");
  }
  ~CommaLocale() {
    (void)std::setlocale(LC_ALL, "C");
    std::filesystem::remove_all(folder_);
  }
  CommaLocale(const CommaLocale&) = delete;
  CommaLocale& operator=(const CommaLocale&) = delete;

  bool is_there() const { return std::strcmp(std::localeconv()->decimal_point, ",") == 0; }

 private:
  std::filesystem::path folder_;
};

}  // namespace sosie::base

#define SOSIE_UNDER_COMMA_LOCALE()             \
  const sosie::base::CommaLocale comma_locale; \
  if (!comma_locale.is_there()) GTEST_SKIP() << "no locale with a decimal comma can be made: script/bootstrap --with-tests brings it"
