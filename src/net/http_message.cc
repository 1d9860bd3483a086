#include "net/http_message.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>
#include <ostream>

#include "base/ascii.h"

namespace sosie::net {
namespace {

using base::lower;

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return x == y || lower(x) == lower(y); });
}

void HeaderList::add(std::string_view name, std::string_view value) {
  fields_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.size())});
  bytes_.append(name).append(value);
}

void HeaderList::remove(std::string_view name) noexcept {
  std::erase_if(fields_, [&](const Span& span) { return same_name(std::string_view(bytes_).substr(span.name_at, span.name_size), name); });
}

void HeaderList::clear() noexcept {
  bytes_.clear();
  fields_.clear();
}

std::optional<std::string_view> HeaderList::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].name_size != name.size()) continue;
    const Field field = (*this)[i];
    if (same_name(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::string_view reason_phrase(int status) noexcept {
  namespace http = boost::beast::http;
  const http::status known = http::int_to_status(static_cast<unsigned>(status));
  if (known == http::status::unknown) return "Status";
  const auto phrase = http::obsolete_reason(known);
  return {phrase.data(), phrase.size()};
}

void append_header(std::string& lines, std::string_view name, std::string_view value) {
  lines.append(name).append(": ");
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    lines.push_back(byte < 0x20 || byte == 0x7f ? ' ' : c);
  }
  lines.append("\r\n");
}

}  // namespace sosie::net
