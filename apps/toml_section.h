// toml_section.h: a table of the configuration file, read key by key; every mistake is noted with its line.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "values.h"

namespace sosie::app {

/// What is wrong with a file. Never holds a value.
struct Fault {
  toml::source_index line;
  std::string what;
};
using Faults = std::vector<Fault>;

/// The name in `names` that `wrong` was probably meant to be; empty: none is near.
std::string_view nearest_name(std::string_view wrong, const std::vector<std::string>& names);

/// Reads what is there and leaves the rest as it is. Outlived by file, table and faults.
class TomlSection {
 public:
  /// `name`: "store", "store.tls"; empty: the file itself. `table` null: the section is not there.
  TomlSection(const std::filesystem::path& file, std::string name, const toml::table* table, Faults& faults);

  void text(const char* key, std::string& into);
  /// A list of texts, none of them empty.
  void texts(const char* key, std::vector<std::string>& into);
  /// A relative path counts from the file's folder.
  void path(const char* key, std::filesystem::path& into);
  void flag(const char* key, bool& into);
  void number(const char* key, double low, double high, double& into);
  void duration(const char* key, std::optional<std::chrono::milliseconds>& into);
  void duration(const char* key, std::chrono::milliseconds low, std::chrono::milliseconds high,
                std::chrono::milliseconds& into);
  /// "512MB", or a number of bytes.
  void bytes(const char* key, std::uint64_t& into);

  template <class Integer>
  void integer(const char* key, std::int64_t low, std::int64_t high, Integer& into) {
    if (const auto value = read_integer(key, low, high)) into = static_cast<Integer>(*value);
  }

  template <class T>
  void choice(const char* key, const std::map<std::string, T>& choices, T& into) {
    std::vector<std::string> names;
    for (const auto& [name, value] : choices) names.push_back(name);
    if (const auto name = read_choice(key, names)) into = choices.at(*name);
  }

  /// Null: not there.
  const toml::table* table(const char* key);
  /// All of "[[key]]"; of "[key]" the one, and then `only` is set.
  std::vector<const toml::table*> tables(const char* key, bool& only);
  bool has(const char* key) const { return table_ && table_->contains(key); }
  const std::filesystem::path& file() const noexcept { return file_; }

  /// Notes that the value of `key` is wrong: "[store] url must …".
  void fault(const char* key, std::string_view must);
  /// Notes that `key` is not there and has to be.
  void missing(const char* key);

  /// Notes keys that nobody asked for.
  void finish();

 private:
  const toml::node* find(const char* key);
  std::optional<std::string> read_text(const char* key, std::string_view wanted);
  std::optional<std::int64_t> read_integer(const char* key, std::int64_t low, std::int64_t high);
  std::optional<std::string> read_choice(const char* key, const std::vector<std::string>& names);
  void note(toml::source_index line, const std::string& what);
  std::string label(std::string_view key) const;

  const std::filesystem::path& file_;
  const std::string name_;
  const toml::table* table_;
  Faults& faults_;
  std::vector<std::string> known_;
};

}  // namespace sosie::app
