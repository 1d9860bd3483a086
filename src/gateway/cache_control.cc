#include "gateway/cache_control.h"

#include <algorithm>
#include <charconv>

namespace sosie::gateway {
namespace {

void read_directive(std::string_view directive, CacheControl& control) {
  constexpr std::string_view kMaxAge = "max-age=";
  constexpr std::int64_t kMaxSeconds = 315'360'000;  // ten years: beyond, it says nothing
  while (directive.starts_with(' ')) directive.remove_prefix(1);
  while (directive.ends_with(' ')) directive.remove_suffix(1);
  if (net::same_name(directive, "no-cache")) {
    control.no_cache = true;
  } else if (net::same_name(directive, "no-store")) {
    control.no_store = true;
  } else if (directive.size() > kMaxAge.size() && net::same_name(directive.substr(0, kMaxAge.size()), kMaxAge)) {
    const std::string_view digits = directive.substr(kMaxAge.size());
    std::int64_t seconds = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (failure != std::errc{} || end != digits.data() + digits.size() || seconds < 0 || seconds > kMaxSeconds) return;
    control.no_cache = control.no_cache || seconds == 0;
    const std::chrono::milliseconds age = std::chrono::seconds(seconds);
    control.max_age = std::min(control.max_age.value_or(age), age);
  }
}

}  // namespace

CacheControl read_cache_control(const net::HeaderList& headers) {
  CacheControl control;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    if (!net::same_name(headers[i].name, "cache-control")) continue;
    std::string_view rest = headers[i].value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      read_directive(rest.substr(0, comma), control);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return control;
}

std::string hit_header_lines(const Hit& hit) {
  // 1 is said of the same text only.
  char similarity[32] = "1";
  const char* end = similarity + 1;
  if (hit.layer != Layer::exact)
    end = std::to_chars(similarity, similarity + sizeof similarity, std::min<double>(hit.similarity.value, 0.999999),
                        std::chars_format::fixed, 6).ptr;
  const std::string_view layer = to_string(hit.layer);
  std::string lines;
  lines.reserve(320);
  lines.append("x-sosie-cache: hit\r\nx-sosie-layer: ").append(layer);
  lines.append("\r\nx-sosie-similarity: ").append(similarity, static_cast<std::size_t>(end - similarity));
  lines.append("\r\nx-sosie-entry-id: ").append(hit.entry->id);
  lines.append("\r\nAge: ").append(std::to_string(hit.age.count() < 0 ? 0 : hit.age.count() / 1000));
  lines.append("\r\nCache-Status: sosie; hit; key=\"").append(hit.entry->id);
  lines.append("\"; detail=\"").append(layer).append("\"\r\n");
  return lines;
}

std::string uncached_header_lines(std::string_view cache, std::string_view reason, bool forwarded, bool stored) {
  std::string lines;
  lines.append("x-sosie-cache: ").append(cache).append("\r\nx-sosie-reason: ").append(reason);
  lines.append("\r\nCache-Status: sosie");
  if (forwarded) lines.append(cache == "bypass" ? "; fwd=bypass" : "; fwd=miss");
  if (stored) lines.append("; stored");
  lines.append("; detail=\"").append(reason).append("\"\r\n");
  return lines;
}

}  // namespace sosie::gateway
