#include "gateway/reply/outcome.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace sosie::gateway {
namespace {

void append_line(std::string& lines, std::string_view name, std::string_view value) {
  lines.append(name).append(value).append("\r\n");
}

void append_seconds(std::string& out, std::chrono::milliseconds length) {
  std::array<char, 24> digits;
  const auto seconds = std::max<std::chrono::milliseconds::rep>(0, length.count()) / 1'000;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), seconds).ptr);
}

/// `same_text`: how 1 is written, which is said of the same text only.
void append_similarity(std::string& out, const Outcome& outcome, std::string_view same_text) {
  if (outcome.layer == Layer::exact || !outcome.similarity) {
    out.append(same_text);
    return;
  }
  std::array<char, 32> digits;
  const double value = std::clamp(outcome.similarity->value, -1.0, 0.999999);
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, 6).ptr);
}

bool is_answered_by_cache(const Outcome& outcome) noexcept {
  return outcome.cache_status == CacheStatus::hit || outcome.cache_status == CacheStatus::coalesced;
}

bool is_renewal(const Outcome& outcome) noexcept {
  return outcome.cache_status == CacheStatus::bypass && outcome.reason == Reason::no_cache;
}

void append_native(std::string& lines, const Outcome& outcome, std::string_view request_id) {
  append_line(lines, "x-sosie-cache: ", to_string(outcome.cache_status));
  if (is_answered_by_cache(outcome)) {
    append_line(lines, "x-sosie-layer: ", to_string(outcome.layer));
    lines.append("x-sosie-similarity: ");
    append_similarity(lines, outcome, "1");
    lines.append("\r\n");
    if (!outcome.entry_id.empty()) append_line(lines, "x-sosie-entry-id: ", outcome.entry_id);
  } else if (outcome.reason != Reason::none) {
    append_line(lines, "x-sosie-reason: ", to_string(outcome.reason));
  }
  if (outcome.storing.state == Storing::State::accepted) append_line(lines, "x-sosie-store: ", "accepted");
  if (!request_id.empty()) append_line(lines, "x-sosie-request-id: ", request_id);
}

void append_cache_status(std::string& lines, const Outcome& outcome) {
  std::string_view detail = to_string(outcome.reason);
  if (outcome.cache_status == CacheStatus::hit) {
    lines.append("Age: ");
    append_seconds(lines, outcome.age);
    lines.append("\r\nCache-Status: sosie; hit");
    if (outcome.ttl_left) {
      lines.append("; ttl=");
      append_seconds(lines, *outcome.ttl_left);
    }
    detail = to_string(outcome.layer);
  } else {
    lines.append("Cache-Status: sosie");
    if (outcome.cache_status == CacheStatus::coalesced) {
      lines.append("; fwd=miss; collapsed");
      detail = to_string(outcome.layer);
    } else if (outcome.forwarded) {
      // The caller would not have it; the settings would not; nothing was there to choose from; none fitted.
      lines.append(is_renewal(outcome)               ? "; fwd=request"
                   : outcome.cache_status == CacheStatus::bypass    ? "; fwd=bypass"
                   : outcome.reason == Reason::empty_scope ? "; fwd=uri-miss"
                                                     : "; fwd=miss");
    }
  }
  if (!outcome.entry_id.empty()) lines.append("; key=\"").append(outcome.entry_id).append(1, '"');
  if (!detail.empty()) lines.append("; detail=\"").append(detail).append(1, '"');
  lines.append("\r\n");
}

std::string_view portkey_status(const Outcome& outcome) noexcept {
  if (is_answered_by_cache(outcome)) return outcome.layer == Layer::exact ? "HIT" : "SEMANTIC HIT";
  if (outcome.cache_status == CacheStatus::bypass) return is_renewal(outcome) ? "REFRESH" : "DISABLED";
  return outcome.reuse == decide::Reuse::by_meaning ? "SEMANTIC MISS" : "MISS";
}

}  // namespace

std::string_view to_string(CacheStatus cache_status) noexcept {
  switch (cache_status) {
    case CacheStatus::hit: return "hit";
    case CacheStatus::coalesced: return "coalesced";
    case CacheStatus::miss: return "miss";
    case CacheStatus::bypass: return "bypass";
    case CacheStatus::error: break;
  }
  return "error";
}

void append_outcome_headers(std::string& lines, const Outcome& outcome, std::string_view request_id,
                            const Compat& compat) {
  append_native(lines, outcome, request_id);
  append_cache_status(lines, outcome);
  const bool answered = is_answered_by_cache(outcome);
  if (compat.litellm && outcome.cache_status != CacheStatus::bypass) {
    if (answered && !outcome.entry_id.empty()) append_line(lines, "x-litellm-cache-key: ", outcome.entry_id);
    lines.append("x-litellm-semantic-similarity: ");
    if (answered)
      append_similarity(lines, outcome, "1.0");
    else
      lines.append("0.0");
    lines.append("\r\n");
  }
  if (compat.portkey) append_line(lines, "x-portkey-cache-status: ", portkey_status(outcome));
  if (compat.helicone) append_line(lines, "Helicone-Cache: ", answered ? "HIT" : "MISS");
  if (compat.cloudflare) append_line(lines, "cf-aig-cache-status: ", answered ? "HIT" : "MISS");
}

}  // namespace sosie::gateway
