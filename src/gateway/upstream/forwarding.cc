#include "gateway/upstream/forwarding.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "gateway/reply/openai_error.h"
#include "gateway/request/header_policy.h"
#include "gateway/upstream/retry.h"

namespace sosie::gateway {
namespace {

template <std::size_t N>
bool is_among(std::string_view name, const std::array<std::string_view, N>& names) {
  return std::any_of(names.begin(), names.end(), [name](std::string_view each) { return net::same_name(name, each); });
}

constexpr std::array<std::string_view, 2> kForTheCaller = {"accept-encoding", "cache-control"};
constexpr std::array<std::string_view, 2> kSetByReplies = {"content-type", "date"};

std::string answer_lines(const net::HeaderList& headers, bool all) {
  std::string lines;
  const ConnectionOptions connections_own(headers);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (is_hop_by_hop(name) || is_ours(name) || connections_own.has(name)) continue;
    if (!all && is_among(name, kSetByReplies)) continue;
    net::append_header(lines, name, value);
  }
  return lines;
}

struct FailureText {
  int status;
  std::string_view message, code;
};

FailureText words_of(net::ClientFailure kind) {
  switch (kind) {
    case net::ClientFailure::connect:
      return {502, "The upstream cannot be reached. Check the --upstream URL, and that its server runs.",
              "upstream_unreachable"};
    case net::ClientFailure::timeout: return {504, "The upstream did not answer in time.", "upstream_timeout"};
    case net::ClientFailure::cut: return {502, "The upstream ended its answer in the middle.", "upstream_cut"};
    case net::ClientFailure::malformed: return {502, "The upstream's answer is not valid HTTP.", "upstream_malformed"};
    case net::ClientFailure::too_large:
      return {502, "The upstream's answer is larger than this gateway allows.", "upstream_too_large"};
    case net::ClientFailure::refused:
      return {503, "The upstream has failed repeatedly, and is left alone for a moment. Try again later.", "upstream_unavailable"};
    case net::ClientFailure::cancelled: break;
  }
  return {503, "The gateway is shutting down. Try again.", "shutting_down"};
}

/// As the upstream will read it. What is no escape stays.
std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = static_cast<unsigned char>(text[i]);
    const std::string_view digits = text.substr(i + 1, 2);
    if (byte == '%' && digits.size() == 2 && std::from_chars(digits.data(), digits.data() + 2, byte, 16).ptr == digits.data() + 2) i += 2;
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

/// The upstream has the call, and may be at work on it: clients that try again by themselves would multiply it.
bool was_received(net::ClientFailure kind) {
  return kind != net::ClientFailure::connect && kind != net::ClientFailure::cancelled && kind != net::ClientFailure::refused;
}

std::string header_lines_of(const net::ClientError& failure) {
  if (failure.kind == net::ClientFailure::refused) return "Retry-After: " + std::to_string(failure.retry_after.count()) + "\r\n";
  return std::string(was_received(failure.kind) ? kDoNotRetry : kRetrySoon);
}

}  // namespace

std::string upstream_header_lines(const net::HeaderList& headers, const UpstreamOptions& upstream, const Compat& compat,
                                  ReadBy reader) {
  std::string lines;
  const ConnectionOptions connections_own(headers);
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    const bool callers_own = reader == ReadBy::caller && is_among(name, kForTheCaller);
    const HeaderUse use = use_of_request_header(name, compat);
    if (use == HeaderUse::stays && !callers_own) continue;
    if (connections_own.has(name)) continue;
    if (reader == ReadBy::cache && net::same_name(name, "idempotency-key")) continue;
    if (use == HeaderUse::credential && !upstream.api_key.empty()) continue;
    net::append_header(lines, name, value);
  }
  if (reader != ReadBy::caller) lines.append("Accept-Encoding: identity\r\n");
  if (upstream.api_key.empty()) return lines;
  switch (upstream.key_header) {
    case KeyHeader::authorization: net::append_header(lines, "Authorization", "Bearer " + upstream.api_key); break;
    case KeyHeader::x_api_key: net::append_header(lines, "x-api-key", upstream.api_key); break;
    case KeyHeader::api_key: net::append_header(lines, "api-key", upstream.api_key); break;
  }
  return lines;
}

std::string client_header_lines(const net::HeaderList& headers) { return answer_lines(headers, false); }

std::string untouched_header_lines(const net::HeaderList& headers) { return answer_lines(headers, true); }

std::string_view upstream_target(std::string_view target) {
  if (!target.starts_with("/v1/")) return {};
  const std::string_view path = target.substr(0, target.find('?'));
  std::string plain;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool dot =
        path[i] == '%' && i + 2 < path.size() && path[i + 1] == '2' && (path[i + 2] == 'e' || path[i + 2] == 'E');
    plain.push_back(dot ? '.' : path[i]);
    if (dot) i += 2;
    if (plain.ends_with("..") || plain.back() == '\\') return {};
  }
  return target.substr(3);
}

std::string upstream_query(std::string_view query, const UpstreamOptions& upstream) {
  if (upstream.api_key.empty()) return std::string(query);
  std::string kept;
  while (!query.empty()) {  // Of its parameters, each behind its "?" or "&".
    const std::string_view parameter = query.substr(1, query.find('&', 1) - 1);
    query.remove_prefix(1 + parameter.size());
    if (is_key_parameter(percent_decoded(parameter.substr(0, parameter.find('='))))) continue;
    kept.append(1, kept.empty() ? '?' : '&').append(parameter);
  }
  return kept;
}

net::Reply upstream_failure_reply(const net::ClientError& failure) {
  FailureWords words = failure_words(failure);
  net::Reply reply = openai_error(words.status, words.message, {}, words.code);
  reply.headers = std::move(words.headers);
  return reply;
}

FailureWords failure_words(const net::ClientError& failure) {
  const FailureText words = words_of(failure.kind);
  return {words.status, words.message, words.code, header_lines_of(failure)};
}

}  // namespace sosie::gateway
