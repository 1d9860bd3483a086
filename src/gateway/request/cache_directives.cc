#include "gateway/request/cache_directives.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <utility>

#include "gateway/request/go_duration.h"
#include "gateway/request/header_policy.h"
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

void note(CacheDirectives& directives, std::string what, std::string_view why) {
  if (directives.not_obeyed.size() < CacheDirectives::kMostNotObeyed) directives.not_obeyed.push_back(std::move(what.append(": ").append(why)));
}

/// A header's value or a key, where it is short and plain enough to be repeated; with a space in front.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 40;
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return !text.empty() && plain && text.size() <= kMost ? " " + std::string(text) : "";
}

std::string in_digits(double number) {
  char digits[32];
  return quoted({digits, std::to_chars(digits, digits + sizeof digits, number).ptr});
}

std::string in_seconds(milliseconds length) { return in_digits(static_cast<double>(length.count()) / 1'000) + " s"; }

constexpr std::string_view kStricterHolds = "a stricter one was asked for, too", kNotRead = "it cannot be read";

/// Each way of saying it makes the directive stricter, never freer. `by`: a literal, who says so.
class Strictest {
 public:
  Strictest(CacheDirectives& directives, std::string_view by) : wishes_(directives), by_(by) {}

  void max_age(milliseconds age) {
    wishes_.no_cache = wishes_.no_cache || age.count() == 0;
    keep_stricter(wishes_.max_age, wishes_.max_age_by, age, std::less<>(), in_seconds);
  }
  void ttl(milliseconds ttl) {
    // An entry that dies at once need not be made.
    if (ttl.count() == 0)
      wishes_.no_store = true;
    else
      keep_stricter(wishes_.ttl, wishes_.ttl_by, ttl, std::less<>(), in_seconds);
  }
  /// The dialect that says so has a bound of its own.
  void ttl(milliseconds ttl, milliseconds most) {
    if (ttl > most) note(wishes_, std::string(by_) + in_seconds(ttl), "more than the" + in_seconds(most) + " that this dialect has at most");
    this->ttl(std::min(ttl, most));
  }
  void threshold(double cosine) {
    keep_stricter(wishes_.threshold, wishes_.threshold_by, Similarity{cosine}, [](Similarity a, Similarity b) { return a > b; },
                  [](Similarity similarity) { return in_digits(similarity.value); });
  }
  void partition(std::string_view value) {
    wishes_.partition.append(by_)
        .append(1, ':')
        .append(std::to_string(value.size()))
        .append(1, ':')
        .append(value)
        .append(1, ';');
  }

 private:
  template <class Value, class Stricter, class Say>
  void keep_stricter(std::optional<Value>& kept, std::string_view& kept_by, Value wanted, Stricter stricter, Say render) {
    if (kept && stricter(*kept, wanted)) return note(wishes_, std::string(by_) + render(wanted), kStricterHolds);
    if (kept && stricter(wanted, *kept)) note(wishes_, std::string(kept_by) + render(*kept), kStricterHolds);
    kept = wanted;
    kept_by = by_;
  }

  CacheDirectives& wishes_;
  const std::string_view by_;
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
bool read_common_directive(std::string_view name, bool has_value, CacheDirectives& directives) noexcept {
  if (has_value) return false;
  if (same_word(name, "no-cache"))
    directives.no_cache = true;
  else if (same_word(name, "no-store"))
    directives.no_store = true;
  else if (same_word(name, "only-if-cached"))
    directives.only_if_cached = true;
  else
    return false;
  return true;
}

std::optional<BadRequest> read_native(std::string_view name, std::string_view value, CacheDirectives& directives) {
  constexpr std::string_view kControl = "x-sosie-cache-control", kThreshold = "x-sosie-threshold",
                             kNamespace = "x-sosie-namespace";
  if (same_word(name, kControl)) {
    Strictest strictest(directives, kControl);
    const bool good =
        for_each_directive(value, [&](std::string_view word, std::string_view argument, bool has_argument) {
          if (read_common_directive(word, has_argument, directives)) return true;
          if (!has_argument && same_word(word, "exact")) return directives.exact_only = true;
          if (!has_argument && same_word(word, "use-cache")) return directives.opted_in = true;
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
    Strictest(directives, kThreshold).threshold(*number);
  } else if (same_word(name, kNamespace)) {
    if (value.empty() || value.size() > kMaxNamespace)
      return BadRequest{"the header 'x-sosie-namespace' must have 1 to 256 bytes", std::string(kNamespace)};
    Strictest(directives, kNamespace).partition(value);
  } else {
    const std::string shown = quoted(name);
    return BadRequest{"the header" + (shown.empty() ? std::string(" beginning with 'x-sosie-'") : " '" + shown.substr(1) + "'") +
                          " is not known: there are 'x-sosie-cache-control', 'x-sosie-threshold' and 'x-sosie-namespace'",
                      shown.empty() ? std::string() : shown.substr(1)};
  }
  return std::nullopt;
}

/// "true" in any case; "false", or nothing, says nothing. Anything else is noted.
bool read_true(std::string_view name, std::string_view value, CacheDirectives& directives) {
  const bool said = same_word(value, "true");
  if (!said && !value.empty() && !same_word(value, "false")) note(directives, std::string(name) + quoted(value), kNotRead);
  return said;
}

void read_portkey_mode(std::string_view name, std::string_view value, CacheDirectives& directives) {
  const bool exact = same_word(value, "simple"), semantic = same_word(value, "semantic");
  directives.exact_only = directives.exact_only || exact;
  directives.opted_in = directives.opted_in || exact || semantic;
  if (!exact && !semantic && !value.empty()) note(directives, std::string(name) + quoted(value), "the modes are simple and semantic");
}

void read_portkey(std::string_view name, std::string_view value, CacheDirectives& directives) {
  constexpr std::string_view kMode = "x-portkey-cache", kRefresh = "x-portkey-cache-force-refresh", kNamespace = "x-portkey-cache-namespace";
  if (same_word(name, kMode)) {
    read_portkey_mode(kMode, value, directives);
  } else if (same_word(name, kRefresh)) {
    directives.no_cache = read_true(kRefresh, value, directives) || directives.no_cache;
  } else if (same_word(name, kNamespace) && !value.empty()) {
    Strictest(directives, kNamespace).partition(value);
  }
}

/// {"cache":{"mode":"simple","max_age":60}}; anything else, also the name of a configuration kept elsewhere, says
/// nothing here.
void read_portkey_config(std::string_view value, CacheDirectives& directives) {
  constexpr std::string_view kConfig = "x-portkey-config", kMode = "x-portkey-config cache.mode", kMaxAge = "x-portkey-config cache.max_age";
  constexpr seconds kLongest{90 * 86'400};
  protocol::JsonReader reader;
  const auto root = value.starts_with('{') ? reader.read_copy(value) : std::nullopt;
  if (!root && !value.empty()) note(directives, std::string(kConfig) + quoted(value), "of a configuration kept elsewhere nothing is known here");
  simdjson::dom::element cache;
  if (!root || (*root)["cache"].get(cache) != simdjson::SUCCESS) return;
  std::string_view mode;
  if (cache["mode"].get(mode) == simdjson::SUCCESS || cache.get(mode) == simdjson::SUCCESS) read_portkey_mode(kMode, mode, directives);
  simdjson::dom::element said;
  if (cache["max_age"].get(said) != simdjson::SUCCESS) return;
  std::int64_t age = 0;
  if (said.get(age) != simdjson::SUCCESS || age <= 0) return note(directives, std::string(kMaxAge), kNotRead);
  const seconds wanted(std::min(age, kMaxSeconds));
  Strictest(directives, kMaxAge).max_age(std::min(wanted, kLongest));
  Strictest(directives, kMaxAge).ttl(wanted, kLongest);
}

void read_cloudflare(std::string_view name, std::string_view value, CacheDirectives& directives) {
  constexpr std::string_view kSkip = "cf-aig-skip-cache", kTtl = "cf-aig-cache-ttl", kKey = "cf-aig-cache-key";
  constexpr seconds kLongest{30 * 86'400};
  if (same_word(name, kSkip)) {
    const bool skip = read_true(kSkip, value, directives);
    directives.no_cache = directives.no_cache || skip;
    directives.no_store = directives.no_store || skip;
  } else if (same_word(name, kTtl)) {
    const auto ttl = read_seconds(value);
    if (!ttl || ttl->count() == 0) return note(directives, std::string(kTtl) + quoted(value), kNotRead);
    Strictest(directives, kTtl).ttl(*ttl, kLongest);
    directives.opted_in = true;
  } else if (same_word(name, kKey) && !value.empty()) {
    Strictest(directives, kKey).partition(value);
    directives.opted_in = true;
  }
}

void read_bifrost(std::string_view name, std::string_view value, CacheDirectives& directives) {
  constexpr std::string_view kKey = "x-bf-cache-key", kVirtualKey = "x-bf-vk", kTtl = "x-bf-cache-ttl", kThreshold = "x-bf-cache-threshold",
                             kType = "x-bf-cache-type", kNoStore = "x-bf-cache-no-store";
  if (same_word(name, kKey) && !value.empty()) {
    Strictest(directives, kKey).partition(value);
    directives.opted_in = true;
  } else if (same_word(name, kVirtualKey) && !value.empty()) {
    Strictest(directives, kVirtualKey).partition(value);
  } else if (same_word(name, kTtl)) {
    auto ttl = read_go_duration(value);
    if (const auto whole = read_seconds(value)) ttl = *whole;
    if (!ttl || ttl->count() <= 0) return note(directives, std::string(kTtl) + quoted(value), kNotRead);
    Strictest(directives, kTtl).ttl(*ttl);
  } else if (same_word(name, kThreshold)) {
    const auto number = read_fraction(value);
    if (!number || *number < 0 || *number > 1) note(directives, std::string(kThreshold) + quoted(value), "it is no number from 0 to 1");
    if (number) Strictest(directives, kThreshold).threshold(std::clamp(*number, 0.0, 1.0));
  } else if (same_word(name, kType)) {
    directives.exact_only = directives.exact_only || value == "direct";
    if (value != "direct" && value != "semantic" && !value.empty()) note(directives, std::string(kType) + quoted(value), "the types are direct and semantic");
  } else if (same_word(name, kNoStore)) {
    directives.no_store = directives.no_store || value == "true";
    if (value != "true" && value != "false" && !value.empty()) note(directives, std::string(kNoStore) + quoted(value), kNotRead);
  }
}

/// What Helicone's headers say together: a `max-age` is the life of an entry there, where its cache is asked for.
struct Helicone {
  bool enabled = false;
  std::optional<seconds> max_age;

  void read(std::string_view name, std::string_view value, CacheDirectives& directives) {
    constexpr std::string_view kEnabled = "helicone-cache-enabled", kSeed = "helicone-cache-seed", kBucket = "helicone-cache-bucket-max-size";
    if (same_word(name, kEnabled)) {
      const bool on = read_true(kEnabled, value, directives), off = same_word(value, "false");
      enabled = enabled || on;
      directives.opted_in = directives.opted_in || on;
      directives.no_cache = directives.no_cache || off;
      directives.no_store = directives.no_store || off;
    } else if (same_word(name, kSeed) && !value.empty()) {
      Strictest(directives, kSeed).partition(value);
    } else if (same_word(name, kBucket) && value != "1") {
      note(directives, std::string(kBucket) + quoted(value), "a question has one answer here");
    }
  }
  void apply(CacheDirectives& directives) const {
    constexpr seconds kLongest{365 * 86'400};
    if (enabled && max_age) Strictest(directives, "Cache-Control max-age").ttl(*max_age, kLongest);
  }
};

void read_cache_control(std::string_view value, const Compat& compat, CacheDirectives& directives, Helicone& helicone) {
  constexpr std::string_view kMaxAge = "Cache-Control max-age", kSharedMaxAge = "Cache-Control s-maxage";
  for_each_directive(value, [&](std::string_view name, std::string_view argument, bool has_argument) {
    if (read_common_directive(name, has_argument, directives)) return true;
    const bool is_max_age = same_word(name, "max-age"), is_shared = same_word(name, "s-maxage");
    const auto number = read_seconds(argument);
    if (is_max_age && number) {
      Strictest(directives, kMaxAge).max_age(*number);
      helicone.max_age = *number;
    } else if (compat.litellm && is_shared && number) {
      Strictest(directives, kSharedMaxAge).ttl(*number);
    } else {
      note(directives, "Cache-Control" + quoted(name), is_max_age || (is_shared && compat.litellm) ? kNotRead : "it has no effect here");
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

std::variant<CacheDirectives, BadRequest> read_directives(const net::HeaderList& headers, const Compat& compat) {
  CacheDirectives directives;
  Helicone helicone;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (is_ours(name)) {
      if (auto bad = read_native(name, value, directives)) return std::move(*bad);
    } else if (same_word(name, "cache-control")) {
      read_cache_control(value, compat, directives, helicone);
    } else if (compat.portkey && same_word(name, "x-portkey-config")) {
      read_portkey_config(value, directives);
    } else if (const std::string_view dialect = dialect_of_wish(name); !dialect.empty()) {
      if (!is_wish_header(name, compat)) {
        note(directives, std::string(name), "[gateway] compat does not name " + std::string(dialect));
        continue;
      }
      // A name belongs to one dialect only.
      read_portkey(name, value, directives);
      helicone.read(name, value, directives);
      read_cloudflare(name, value, directives);
      read_bifrost(name, value, directives);
    }
  }
  helicone.apply(directives);
  return directives;
}

std::optional<BadRequest> read_cache_member(simdjson::dom::element cache, CacheDirectives& directives) {
  simdjson::dom::object object;
  if (cache.get_object().get(object) != simdjson::SUCCESS) return wrong("", "an object");
  if (protocol::has_duplicate_keys(object)) return BadRequest{"'cache' repeats a key", "cache"};
  for (const auto& [key, value] : object) {
    if (value.is_null()) continue;
    bool* flag = key == "no-cache"    ? &directives.no_cache
                 : key == "no-store"  ? &directives.no_store
                 : key == "use-cache" ? &directives.opted_in
                                      : nullptr;
    if (flag != nullptr) {
      bool said = false;
      if (value.get_bool().get(said) != simdjson::SUCCESS) return wrong(key, "true or false");
      *flag = *flag || said;
    } else if (key == "ttl") {
      const auto length = read_length(value);
      if (!length || length->count() == 0) return wrong(key, "a number of seconds above 0");
      Strictest(directives, "cache.ttl").ttl(*length);
    } else if (key == "s-maxage" || key == "s-max-age") {
      const auto length = read_length(value);
      if (!length) return wrong(key, "a number of seconds, 0 or more");
      Strictest(directives, "cache.s-maxage").max_age(*length);
    } else if (key == "namespace") {
      std::string_view name;
      if (value.get_string().get(name) != simdjson::SUCCESS || name.size() > kMaxNamespace)
        return wrong(key, "a string of up to 256 bytes");
      if (!name.empty()) Strictest(directives, "cache.namespace").partition(name);
    } else {
      note(directives, "cache" + (quoted(key).empty() ? std::string() : "." + std::string(key)), "it has no effect here");
    }
  }
  return std::nullopt;
}

void apply_limits(CacheDirectives& directives, bool may_loosen, Similarity threshold, std::optional<milliseconds> ttl) {
  if (may_loosen) return;
  constexpr std::string_view kOnlyListed = ", and [tenant] may_loosen does not list this key";
  if (directives.threshold && *directives.threshold < threshold) {
    note(directives, std::string(directives.threshold_by) + in_digits(directives.threshold->value),
         "lower than the server's" + in_digits(threshold.value) + std::string(kOnlyListed));
    directives.threshold.reset();
  }
  if (directives.ttl && ttl && *directives.ttl > *ttl) {
    note(directives, std::string(directives.ttl_by) + in_seconds(*directives.ttl), "longer than the server's" + in_seconds(*ttl) + std::string(kOnlyListed));
    directives.ttl.reset();
  }
}

}  // namespace sosie::gateway
