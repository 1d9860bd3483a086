#include "gateway/request/tenant.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/ascii.h"
#include "gateway/request/header_policy.h"

namespace sosie::gateway {
namespace {

constexpr std::size_t kMaxKeys = 8;  // Distinct ones; a caller that sends more is told apart by these.

std::string_view without_bearer(std::string_view value) noexcept {
  constexpr std::string_view kBearer = "bearer ";
  if (value.size() + 1 == kBearer.size() && net::same_name(value, kBearer.substr(0, value.size()))) return {};
  if (value.size() < kBearer.size() || !net::same_name(value.substr(0, kBearer.size()), kBearer)) return value;
  value.remove_prefix(kBearer.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  return value;
}

/// The distinct API keys of a request, sorted by `sort`.
class Keys {
 public:
  void add(std::string_view name, std::string_view value) noexcept {
    const std::string_view key = net::same_name(name, "authorization") ? without_bearer(value) : value;
    if (key.empty() || size_ == kMaxKeys || std::find(begin(), end(), key) != end()) return;
    keys_[size_++] = key;
  }
  void sort() noexcept { std::sort(keys_.begin(), keys_.begin() + size_); }

  const std::string_view* begin() const noexcept { return keys_.data(); }
  const std::string_view* end() const noexcept { return keys_.data() + size_; }

 private:
  std::array<std::string_view, kMaxKeys> keys_;
  std::ptrdiff_t size_ = 0;
};

/// Which headers of a request tell callers apart. Each is looked at once, for it is done for every request.
struct Telling {
  Telling(const net::HeaderList& all, const TenantOptions& options, const Compat& compat) : headers(all) {
    for (std::size_t i = 0; i < headers.size(); ++i) {
      const auto [name, value] = headers[i];
      const bool is_proxys = options.by == TenantBy::header && net::same_name(name, options.header);
      if (is_proxys && !value.empty()) said.push_back(value);
      const HeaderUse use = use_of_request_header(name, compat);
      if (use == HeaderUse::credential) keys.add(name, value);
      if (use == HeaderUse::separates && !is_proxys) separating.push_back(i);
    }
    keys.sort();
  }

  const net::HeaderList& headers;
  Keys keys;
  std::vector<std::string_view> said;   // by the trusted proxy
  std::vector<std::size_t> separating;  // places of those that reach the upstream and are neither a key nor the proxy's
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

/// Anthropic's clients each send the version that they were made for; since this one the answers have had one form.
bool is_default(std::string_view name, std::string_view value) noexcept {
  constexpr std::string_view kFirst = "2023-06-01";
  return value.size() == kFirst.size() && value >= kFirst && value[4] == '-' && value[7] == '-' &&
         net::same_name(name, "anthropic-version");
}

std::string lowered(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = base::lower(c);
  return text;
}

/// Appends what says who asks beside the keys: what its name gives away, or all that separates.
void append_telling(const Telling& telling, std::string_view query, bool all, std::vector<std::string>& out) {
  for (const std::size_t line : telling.separating) {
    const auto [name, value] = telling.headers[line];
    if (is_default(name, value)) continue;
    if (all || may_name_caller(name)) out.push_back(lowered(name).append(1, ':').append(value));
  }
  query.remove_prefix(std::min<std::size_t>(1, query.size()));
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(parameter.size() + 1, query.size()));
    if (all || may_name_caller(parameter.substr(0, parameter.find('=')))) out.push_back(std::string("?").append(parameter));
  }
}

Tenant tenant_of(const Telling& telling, std::string_view query, const TenantOptions& options) {
  const Keys& keys = telling.keys;
  const auto& said = telling.said;
  Tenant tenant{.may_loosen = is_listed(keys, options.may_loosen)};
  const bool by_keys = options.by == TenantBy::credentials || (options.by == TenantBy::header && said.empty());
  if (!said.empty()) tenant.id = digest_of('h', said);
  if (by_keys) tenant.id = digest_of('k', keys);

  std::vector<std::string> more;
  if (!by_keys)
    for (const std::string_view key : keys) more.push_back(std::string(" ").append(key));  // A space: no header is called so.
  append_telling(telling, query, /*all=*/false, more);
  tenant.anonymous = said.empty() && keys.begin() == keys.end() && more.empty();
  if (by_keys && tenant.anonymous) append_telling(telling, query, /*all=*/true, more);
  tenant.caller = tenant.id;
  if (!more.empty()) {
    std::sort(more.begin(), more.end());
    more.emplace_back(reinterpret_cast<const char*>(tenant.id.data()), tenant.id.size());
    tenant.caller = digest_of('c', more);
  }
  return tenant;
}

/// Adds what separates callers beside the tenant, a part a name.
void add_separating(const Telling& telling, const std::vector<std::string>& ignored, protocol::Scope& scope) {
  if (telling.separating.empty()) return;
  const net::HeaderList& headers = telling.headers;
  const ConnectionOptions connections_own(headers);
  std::vector<std::size_t> lines;  // Those of one name stand together, in their order.
  for (const std::size_t line : telling.separating) {
    const std::string_view name = headers[line].name;
    const bool is_ignored =
        std::any_of(ignored.begin(), ignored.end(), [name](const std::string& each) { return net::same_name(each, name); });
    if (!is_ignored && !connections_own.has(name)) lines.push_back(line);  // The latter do not reach the upstream.
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [&headers](std::size_t a, std::size_t b) { return name_less(headers[a].name, headers[b].name); });
  std::string part, values;
  for (auto line = lines.begin(); line != lines.end();) {
    const std::string_view name = headers[*line].name;
    values.assign(headers[*line].value);
    for (++line; line != lines.end() && net::same_name(headers[*line].name, name); ++line)
      values.append(1, '\n').append(headers[*line].value);
    if (is_default(name, values)) continue;
    part.assign("header.").append(lowered(name));
    scope.add(part, values, true);
  }
}

}  // namespace

Tenant tenant_of(const net::HeaderList& headers, std::string_view query, const TenantOptions& options, const Compat& compat) {
  return tenant_of(Telling(headers, options, compat), query, options);
}

Tenant add_caller(const net::HeaderList& headers, std::string_view query, const TenantOptions& options, const Compat& compat,
                  const std::vector<std::string>& ignored, protocol::Scope& scope) {
  const Telling telling(headers, options, compat);
  const Tenant tenant = tenant_of(telling, query, options);
  if (options.by != TenantBy::everyone)
    scope.add("tenant", {reinterpret_cast<const char*>(tenant.id.data()), tenant.id.size()}, true);
  add_separating(telling, ignored, scope);
  return tenant;
}

}  // namespace sosie::gateway
