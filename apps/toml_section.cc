#include "toml_section.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <utility>

namespace sosie::app {
namespace {

constexpr std::size_t kFarthest = 3;  // edits between a slip and the name that was meant

std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table: return "a table";
    case toml::node_type::array: return "a list";
    case toml::node_type::string: return "a text";
    case toml::node_type::integer: return "a whole number";
    case toml::node_type::floating_point: return "a number with a fraction";
    case toml::node_type::boolean: return "true or false";
    default: return "a date or time";
  }
}

std::string short_text(double number) {
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr};
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "\"" : ", \"") + name + "\"";
  return text;
}

}  // namespace

std::string_view nearest_name(std::string_view wrong, const std::vector<std::string>& names) {
  std::string_view nearest;
  std::size_t least = std::min(kFarthest, wrong.size() / 2) + 1;
  for (const std::string& name : names) {
    // "password" for "password_env": the beginning of a name is nearer than any slip.
    const std::size_t distance = name.starts_with(wrong) ? 0 : edits(wrong, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  return nearest;
}

TomlSection::TomlSection(const std::filesystem::path& file, std::string name, const toml::table* table, Faults& faults)
    : file_(file), name_(std::move(name)), table_(table), faults_(faults) {}

void TomlSection::text(const char* key, std::string& into) {
  if (auto value = read_text(key, "a text")) into = std::move(*value);
}

void TomlSection::texts(const char* key, std::vector<std::string>& into) {
  const toml::node* node = find(key);
  if (!node) return;
  const toml::array* list = node->as_array();
  if (!list) return fault(key, "must be a list of texts, not " + std::string(type_name(*node)));
  std::vector<std::string> texts;
  for (const toml::node& each : *list) {
    auto text = each.value_exact<std::string>();
    if (!text || text->empty()) return fault(key, "must be a list of texts");
    texts.push_back(std::move(*text));
  }
  into = std::move(texts);
}

void TomlSection::path(const char* key, std::filesystem::path& into) {
  const auto value = read_text(key, "a path");
  if (!value) return;
  if (value->empty() || value->find('\0') != std::string::npos) return fault(key, "must be a path");
  into = (file_.parent_path() / *value).lexically_normal();
}

void TomlSection::flag(const char* key, bool& into) {
  const toml::node* node = find(key);
  if (!node) return;
  if (const auto value = node->value_exact<bool>()) {
    into = *value;
  } else {
    fault(key, "must be true or false, not " + std::string(type_name(*node)));
  }
}

void TomlSection::number(const char* key, double low, double high, double& into) {
  const toml::node* node = find(key);
  if (!node) return;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (value && *value >= low && *value <= high) {
    into = *value;
  } else {
    std::string must = "must be a number from " + short_text(low) + " to " + short_text(high);
    if (!value) must += ", not " + std::string(type_name(*node));
    fault(key, must);
  }
}

void TomlSection::duration(const char* key, std::optional<std::chrono::milliseconds>& into) {
  const auto text = read_text(key, std::string("a text: ") + kDurationWanted);
  if (!text) return;
  const auto value = parse_duration(*text);
  if (!value || value->count() == 0) return fault(key, std::string("must be ") + kDurationWanted);
  into = value;
}

void TomlSection::duration(const char* key, std::chrono::milliseconds low, std::chrono::milliseconds high,
                           std::chrono::milliseconds& into) {
  const std::size_t before = faults_.size();
  std::optional<std::chrono::milliseconds> value;
  duration(key, value);
  if (!value || faults_.size() > before) return;
  if (*value < low || *value > high) {
    return fault(key, "must be from " + std::to_string(low.count()) + "ms to " + std::to_string(high.count()) + "ms");
  }
  into = *value;
}

void TomlSection::bytes(const char* key, std::uint64_t& into) {
  const toml::node* node = find(key);
  if (!node) return;
  std::optional<std::uint64_t> value;
  if (const auto text = node->value_exact<std::string>()) value = parse_bytes(*text);
  if (const auto count = node->value_exact<std::int64_t>(); count && *count >= 0)
    value = static_cast<std::uint64_t>(*count);
  if (!value) return fault(key, std::string("must be ") + kBytesWanted);
  into = *value;
}

const toml::table* TomlSection::table(const char* key) {
  const toml::node* node = find(key);
  if (!node) return nullptr;
  if (!node->is_table())
    note(node->source().begin.line, label(key) + " must be a section, not " + std::string(type_name(*node)));
  return node->as_table();
}

std::vector<const toml::table*> TomlSection::tables(const char* key, bool& only) {
  const toml::node* node = find(key);
  std::vector<const toml::table*> found;
  if (!node) return found;
  only = node->is_table();
  if (only) {
    found.push_back(node->as_table());
  } else if (node->is_array_of_tables()) {
    for (const toml::node& each : *node->as_array()) found.push_back(each.as_table());
  } else {
    note(node->source().begin.line, label(key) + " must be a section, not " + std::string(type_name(*node)));
  }
  return found;
}

void TomlSection::missing(const char* key) { note(table_->source().begin.line, label(key) + " is missing"); }

void TomlSection::fault(const char* key, std::string_view must) {
  note(table_->get(key)->source().begin.line, label(key) + " " + std::string(must));
}

void TomlSection::finish() {
  if (!table_) return;
  for (const auto& [key, node] : *table_) {
    const std::string name(key.str());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string_view nearest = nearest_name(name, known_);
    note(key.source().begin.line,
         "there is no " + label(name) +
             (nearest.empty() ? "; there are " + joined(known_) : "; did you mean " + label(nearest) + "?"));
  }
}

const toml::node* TomlSection::find(const char* key) {
  known_.emplace_back(key);
  return table_ ? table_->get(key) : nullptr;
}

std::optional<std::string> TomlSection::read_text(const char* key, std::string_view wanted) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  auto value = node->value_exact<std::string>();
  if (!value) fault(key, "must be " + std::string(wanted) + ", not " + std::string(type_name(*node)));
  return value;
}

std::optional<std::int64_t> TomlSection::read_integer(const char* key, std::int64_t low, std::int64_t high) {
  const toml::node* node = find(key);
  if (!node) return std::nullopt;
  const auto value = node->value_exact<std::int64_t>();
  if (value && *value >= low && *value <= high) return value;
  std::string must = "must be a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  if (!value) must += ", not " + std::string(type_name(*node));
  fault(key, must);
  return std::nullopt;
}

std::optional<std::string> TomlSection::read_choice(const char* key, const std::vector<std::string>& names) {
  auto value = read_text(key, "one of " + joined(names));
  if (value && std::find(names.begin(), names.end(), *value) == names.end()) {
    fault(key, "must be one of " + joined(names));
    return std::nullopt;
  }
  return value;
}

void TomlSection::note(toml::source_index line, const std::string& what) { faults_.push_back({line, what}); }

std::string TomlSection::label(std::string_view key) const {
  return name_.empty() ? "[" + std::string(key) + "]" : "[" + name_ + "] \"" + std::string(key) + "\"";
}

}  // namespace sosie::app
