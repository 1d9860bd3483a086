#include "gateway/wishes.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "gateway/go_duration.h"
#include "gateway/request_headers.h"
#include "protocol/json.h"

namespace sosie::gateway {
namespace {

using protocol::BadRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kMaxSeconds = std::int64_t{100} * 365 * 86'400;  // What the cache takes for a ttl.
constexpr std::size_t kMaxNamespace = 256;

std::string_view trimmed(std::string_view text) noexcept {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

bool same_word(std::string_view a, std::string_view b) noexcept { return net::same_name(a, b); }

/// Digits and nothing else, within the limit.
std::optional<seconds> read_seconds(std::string_view text) noexcept {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size() || number < 0 || number > kMaxSeconds)
    return std::nullopt;
  return seconds(number);
}

std::optional<double> read_fraction(std::string_view text) noexcept {
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

/// Each way of saying it makes the wish stricter, never freer.
class Strictest {
 public:
  explicit Strictest(Wishes& wishes) : wishes_(wishes) {}

  void max_age(milliseconds age) {
    wishes_.no_cache = wishes_.no_cache || age.count() == 0;
    wishes_.max_age = std::min(wishes_.max_age.value_or(age), age);
  }
  void ttl(milliseconds ttl) {
    // An entry that dies at once need not be made.
    if (ttl.count() == 0)
      wishes_.no_store = true;
    else
      wishes_.ttl = std::min(wishes_.ttl.value_or(ttl), ttl);
  }
  void threshold(double cosine) {
    wishes_.threshold = std::max(wishes_.threshold.value_or(Similarity{cosine}), Similarity{cosine});
  }
  void partition(std::string_view name, std::string_view value) {
    wishes_.partition.append(name)
        .append(1, ':')
        .append(std::to_string(value.size()))
        .append(1, ':')
        .append(value)
        .append(1, ';');
  }

 private:
  Wishes& wishes_;
};

template <class Visit>
bool for_each_directive(std::string_view value, Visit visit) {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    const std::string_view directive = trimmed(value.substr(0, comma));
    value.remove_prefix(std::min(comma + 1, value.size()));
    if (directive.empty()) continue;
    const std::size_t equals = std::min(directive.find('='), directive.size());
    if (!visit(directive.substr(0, equals), directive.substr(std::min(equals + 1, directive.size())),
               equals != directive.size()))
      return false;
  }
  return true;
}

/// What may be said with and without "x-sosie-" in front. False: it is neither.
bool read_common_directive(std::string_view name, bool has_value, Wishes& wishes) noexcept {
  if (has_value) return false;
  if (same_word(name, "no-cache"))
    wishes.no_cache = true;
  else if (same_word(name, "no-store"))
    wishes.no_store = true;
  else if (same_word(name, "only-if-cached"))
    wishes.only_if_cached = true;
  else
    return false;
  return true;
}

std::optional<BadRequest> read_native(std::string_view name, std::string_view value, Wishes& wishes) {
  constexpr std::string_view kControl = "x-sosie-cache-control", kThreshold = "x-sosie-threshold",
                             kNamespace = "x-sosie-namespace";
  Strictest strictest(wishes);
  if (same_word(name, kControl)) {
    const bool good =
        for_each_directive(value, [&](std::string_view word, std::string_view argument, bool has_argument) {
          if (read_common_directive(word, has_argument, wishes)) return true;
          if (!has_argument && same_word(word, "exact")) return wishes.exact_only = true;
          if (!has_argument && same_word(word, "use-cache")) return wishes.opted_in = true;
          const auto number = read_seconds(argument);
          if (number && same_word(word, "max-age")) return strictest.max_age(*number), true;
          if (number && number->count() > 0 && same_word(word, "ttl")) return strictest.ttl(*number), true;
          return false;
        });
    if (!good)
      return BadRequest{
          "the header 'x-sosie-cache-control' takes no-cache, no-store, only-if-cached, exact, use-cache, "
          "max-age=SECONDS and "
          "ttl=SECONDS (above 0), separated by commas",
          std::string(kControl)};
  } else if (same_word(name, kThreshold)) {
    const auto number = read_fraction(value);
    if (!number || *number < 0 || *number > 1)
      return BadRequest{"the header 'x-sosie-threshold' must be a number from 0 to 1, a cosine similarity",
                        std::string(kThreshold)};
    strictest.threshold(*number);
  } else if (same_word(name, kNamespace)) {
    if (value.empty() || value.size() > kMaxNamespace)
      return BadRequest{"the header 'x-sosie-namespace' must have 1 to 256 bytes", std::string(kNamespace)};
    strictest.partition(kNamespace, value);
  }
  return std::nullopt;
}

void read_portkey(std::string_view name, std::string_view value, Wishes& wishes) {
  if (same_word(name, "x-portkey-cache")) {
    wishes.exact_only = wishes.exact_only || same_word(value, "simple");
    wishes.opted_in = wishes.opted_in || same_word(value, "simple") || same_word(value, "semantic");
  } else if (same_word(name, "x-portkey-cache-force-refresh")) {
    wishes.no_cache = wishes.no_cache || same_word(value, "true");
  } else if (same_word(name, "x-portkey-cache-namespace") && !value.empty()) {
    Strictest(wishes).partition("x-portkey-cache-namespace", value);
  }
}

/// {"cache":{"mode":"simple","max_age":60}}; anything else, also the name of a configuration kept elsewhere, says
/// nothing here.
void read_portkey_config(std::string_view value, Wishes& wishes) {
  constexpr seconds kLongest{90 * 86'400};
  if (!value.starts_with('{')) return;
  protocol::JsonReader reader;
  const auto root = reader.read_copy(value);
  simdjson::dom::element cache;
  if (!root || (*root)["cache"].get(cache) != simdjson::SUCCESS) return;
  std::string_view mode;
  if (cache["mode"].get(mode) == simdjson::SUCCESS || cache.get(mode) == simdjson::SUCCESS)
    read_portkey("x-portkey-cache", mode, wishes);
  std::int64_t age = 0;
  if (cache["max_age"].get(age) != simdjson::SUCCESS || age <= 0) return;
  const seconds longest = std::min(seconds(std::min(age, kMaxSeconds)), kLongest);
  Strictest(wishes).max_age(longest);
  Strictest(wishes).ttl(longest);
}

void read_cloudflare(std::string_view name, std::string_view value, Wishes& wishes) {
  constexpr seconds kLongest{30 * 86'400};
  if (same_word(name, "cf-aig-skip-cache")) {
    const bool skip = same_word(value, "true");
    wishes.no_cache = wishes.no_cache || skip;
    wishes.no_store = wishes.no_store || skip;
  } else if (same_word(name, "cf-aig-cache-ttl")) {
    const auto ttl = read_seconds(value);
    if (!ttl || ttl->count() == 0) return;
    Strictest(wishes).ttl(std::min(*ttl, kLongest));
    wishes.opted_in = true;
  } else if (same_word(name, "cf-aig-cache-key") && !value.empty()) {
    Strictest(wishes).partition("cf-aig-cache-key", value);
    wishes.opted_in = true;
  }
}

void read_bifrost(std::string_view name, std::string_view value, Wishes& wishes) {
  if (same_word(name, "x-bf-cache-key") && !value.empty()) {
    Strictest(wishes).partition("x-bf-cache-key", value);
    wishes.opted_in = true;
  } else if (same_word(name, "x-bf-vk") && !value.empty()) {
    Strictest(wishes).partition("x-bf-vk", value);
  } else if (same_word(name, "x-bf-cache-ttl")) {
    auto ttl = read_go_duration(value);
    if (const auto whole = read_seconds(value)) ttl = *whole;
    if (ttl && ttl->count() > 0) Strictest(wishes).ttl(*ttl);
  } else if (same_word(name, "x-bf-cache-threshold")) {
    if (const auto number = read_fraction(value)) Strictest(wishes).threshold(std::clamp(*number, 0.0, 1.0));
  } else if (same_word(name, "x-bf-cache-type")) {
    wishes.exact_only = wishes.exact_only || value == "direct";
  } else if (same_word(name, "x-bf-cache-no-store")) {
    wishes.no_store = wishes.no_store || value == "true";
  }
}

/// What Helicone's headers say together: a `max-age` is the life of an entry there, where its cache is asked for.
struct Helicone {
  bool enabled = false;
  std::optional<seconds> max_age;

  void read(std::string_view name, std::string_view value, Wishes& wishes) {
    if (same_word(name, "helicone-cache-enabled")) {
      enabled = enabled || same_word(value, "true");
      const bool off = same_word(value, "false");
      wishes.opted_in = wishes.opted_in || same_word(value, "true");
      wishes.no_cache = wishes.no_cache || off;
      wishes.no_store = wishes.no_store || off;
    } else if (same_word(name, "helicone-cache-seed") && !value.empty()) {
      Strictest(wishes).partition("helicone-cache-seed", value);
    }
  }
  void apply(Wishes& wishes) const {
    constexpr seconds kLongest{365 * 86'400};
    if (enabled && max_age) Strictest(wishes).ttl(std::min(*max_age, kLongest));
  }
};

void read_cache_control(std::string_view value, const Compat& compat, Wishes& wishes, Helicone& helicone) {
  for_each_directive(value, [&](std::string_view name, std::string_view argument, bool has_argument) {
    if (read_common_directive(name, has_argument, wishes)) return true;
    const auto number = read_seconds(argument);
    if (!number) return true;
    if (same_word(name, "max-age")) {
      Strictest(wishes).max_age(*number);
      helicone.max_age = *number;
    } else if (compat.litellm && same_word(name, "s-maxage")) {
      Strictest(wishes).ttl(*number);
    }
    return true;
  });
}

BadRequest wrong(std::string_view field, std::string_view what) {
  std::string path = "cache";
  if (!field.empty()) path.append(1, '.').append(field);
  return {"'" + path + "' must be " + std::string(what), path};
}

std::optional<milliseconds> read_length(simdjson::dom::element value) noexcept {
  double number = 0;
  if (value.get_double().get(number) != simdjson::SUCCESS || !(number >= 0) ||
      number > static_cast<double>(kMaxSeconds))
    return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(std::ceil(number * 1'000)));
}

}  // namespace

std::variant<Wishes, BadRequest> read_wishes(const net::HeaderList& headers, const Compat& compat) {
  Wishes wishes;
  Helicone helicone;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (is_ours(name)) {
      if (auto bad = read_native(name, value, wishes)) return std::move(*bad);
    } else if (same_word(name, "cache-control")) {
      read_cache_control(value, compat, wishes, helicone);
    } else if (compat.portkey && same_word(name, "x-portkey-config")) {
      read_portkey_config(value, wishes);
    } else if (is_wish_header(name, compat)) {
      // Of the dialects turned on; a name belongs to one of them only.
      read_portkey(name, value, wishes);
      helicone.read(name, value, wishes);
      read_cloudflare(name, value, wishes);
      read_bifrost(name, value, wishes);
    }
  }
  helicone.apply(wishes);
  return wishes;
}

std::optional<BadRequest> read_cache_member(simdjson::dom::element cache, Wishes& wishes) {
  simdjson::dom::object object;
  if (cache.get_object().get(object) != simdjson::SUCCESS) return wrong("", "an object");
  if (protocol::has_duplicate_keys(object)) return BadRequest{"'cache' repeats a key", "cache"};
  Strictest strictest(wishes);
  for (const auto& [key, value] : object) {
    if (value.is_null()) continue;
    bool* flag = key == "no-cache"    ? &wishes.no_cache
                 : key == "no-store"  ? &wishes.no_store
                 : key == "use-cache" ? &wishes.opted_in
                                      : nullptr;
    if (flag != nullptr) {
      bool said = false;
      if (value.get_bool().get(said) != simdjson::SUCCESS) return wrong(key, "true or false");
      *flag = *flag || said;
    } else if (key == "ttl") {
      const auto length = read_length(value);
      if (!length || length->count() == 0) return wrong(key, "a number of seconds above 0");
      strictest.ttl(*length);
    } else if (key == "s-maxage" || key == "s-max-age") {
      const auto length = read_length(value);
      if (!length) return wrong(key, "a number of seconds, 0 or more");
      strictest.max_age(*length);
    } else if (key == "namespace") {
      std::string_view name;
      if (value.get_string().get(name) != simdjson::SUCCESS || name.size() > kMaxNamespace)
        return wrong(key, "a string of up to 256 bytes");
      if (!name.empty()) strictest.partition("cache.namespace", name);
    }
  }
  return std::nullopt;
}

void apply_limits(Wishes& wishes, bool may_loosen, Similarity threshold, std::optional<milliseconds> ttl) {
  if (may_loosen) return;
  if (wishes.threshold && *wishes.threshold < threshold) wishes.threshold.reset();
  if (wishes.ttl && ttl && *wishes.ttl > *ttl) wishes.ttl.reset();
}

}  // namespace sosie::gateway
