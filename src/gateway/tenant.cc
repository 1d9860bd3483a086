#include "gateway/tenant.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "gateway/request_headers.h"

namespace sosie::gateway {
namespace {

constexpr std::size_t kMaxKeys = 8;  // Distinct ones; a caller that sends more is told apart by these.

/// The distinct API keys of a request, sorted.
class Keys {
 public:
  explicit Keys(const net::HeaderList& headers) noexcept {
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const auto [name, value] = headers[i];
      if (!is_credential(name)) continue;
      const std::string_view key = net::same_name(name, "authorization") ? without_bearer(value) : value;
      if (key.empty() || size_ == kMaxKeys || std::find(begin(), end(), key) != end()) continue;
      keys_[size_++] = key;
    }
    std::sort(keys_.begin(), keys_.begin() + size_);
  }

  const std::string_view* begin() const noexcept { return keys_.data(); }
  const std::string_view* end() const noexcept { return keys_.data() + size_; }

 private:
  static std::string_view without_bearer(std::string_view value) noexcept {
    constexpr std::string_view kBearer = "bearer ";
    if (value.size() + 1 == kBearer.size() && net::same_name(value, kBearer.substr(0, value.size()))) return {};
    if (value.size() < kBearer.size() || !net::same_name(value.substr(0, kBearer.size()), kBearer)) return value;
    value.remove_prefix(kBearer.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    return value;
  }

  std::array<std::string_view, kMaxKeys> keys_;
  std::ptrdiff_t size_ = 0;
};

/// SHA-256 over values behind their lengths. `kind` keeps a header's value apart from a key that reads the same.
template <class Values>
base::Digest digest_of(char kind, const Values& values) {
  thread_local std::string bytes;
  bytes.assign(1, kind);
  for (const std::string_view value : values) bytes.append(std::to_string(value.size())).append(1, ':').append(value);
  return base::sha256(bytes);
}

bool is_listed(const Keys& keys, const std::vector<std::string>& digests) {
  return !digests.empty() && std::any_of(keys.begin(), keys.end(), [&](std::string_view key) {
    const std::string hex = base::to_hex(base::sha256(key));
    return std::any_of(digests.begin(), digests.end(),
                       [&](const std::string& each) { return net::same_name(each, hex); });
  });
}

/// What the trusted proxy says; null: nothing.
std::vector<std::string_view> values_of(const net::HeaderList& headers, std::string_view name) {
  std::vector<std::string_view> values;
  for (std::size_t i = 0; i < headers.size(); ++i)
    if (net::same_name(headers[i].name, name) && !headers[i].value.empty()) values.push_back(headers[i].value);
  return values;
}

/// Anthropic's clients each send the version that they were made for; since this one the answers have had one form.
bool is_default(std::string_view name, std::string_view value) noexcept {
  constexpr std::string_view kFirst = "2023-06-01";
  return value.size() == kFirst.size() && value >= kFirst && value[4] == '-' && value[7] == '-' &&
         net::same_name(name, "anthropic-version");
}

}  // namespace

Tenant tenant_of(const net::HeaderList& headers, const TenantOptions& options) {
  const Keys keys(headers);
  Tenant tenant{.may_loosen = is_listed(keys, options.may_loosen)};
  if (options.by == TenantBy::everyone) return tenant;
  if (options.by == TenantBy::header) {
    if (const auto values = values_of(headers, options.header); !values.empty()) {
      tenant.id = digest_of('h', values);
      return tenant;
    }
  }
  tenant.id = digest_of('k', keys);
  return tenant;
}

void add_caller(const net::HeaderList& headers, const Tenant& tenant, const TenantOptions& options,
                const Compat& compat, protocol::Scope& scope) {
  if (options.by != TenantBy::everyone)
    scope.add("tenant", {reinterpret_cast<const char*>(tenant.id.data()), tenant.id.size()}, true);
  const bool by_header = options.by == TenantBy::header;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (use_of_request_header(name, compat) != HeaderUse::separates || is_credential(name)) continue;
    if (by_header && net::same_name(name, options.header)) continue;
    if (is_connection_option(headers, name)) continue;  // It does not reach the upstream.
    // All lines of a name make one part, where its first one stands.
    bool first = true;
    for (std::size_t j = 0; j < i && first; ++j) first = !net::same_name(headers[j].name, name);
    if (!first) continue;
    thread_local std::string part, values;
    part.assign("header.");
    for (const char c : name) part.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    values.assign(value);
    for (std::size_t j = i + 1; j < headers.size(); ++j)
      if (net::same_name(headers[j].name, name)) values.append(1, '\n').append(headers[j].value);
    if (!is_default(name, values)) scope.add(part, values, true);
  }
}

}  // namespace sosie::gateway
