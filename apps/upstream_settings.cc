#include "upstream_settings.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "net/url.h"
#include "toml_section.h"
#include "values.h"

namespace sosie::app {
namespace {

using gateway::KeyHeader;
using gateway::UpstreamOptions;
using std::chrono::milliseconds;

constexpr const char* kOpenAiUrl = "https://api.openai.com/v1";
constexpr const char* kAnthropicUrl = "https://api.anthropic.com";
constexpr milliseconds kShortestTimeout{1}, kLongestTimeout{86'400'000};
constexpr milliseconds kBesidesSilence{300'000};  // what a whole call has beyond its longest silence, at least

/// The URL under which the API is, where its host tells: the APIs of OpenAI and Anthropic are under /v1, and their clients differ in
/// whether the URL that they are given says so.
std::string completed(std::string url) {
  const auto base = net::parse_base_url(url);
  if (!base || !base->path.empty()) return url;
  const std::string_view host = base->host;
  const bool known = host == "api.openai.com" || host.ends_with(".api.openai.com") || host == "api.anthropic.com";
  if (!known) return url;
  while (url.ends_with('/')) url.pop_back();
  return url + "/v1";
}

/// Where a URL names one call instead of all: what it must be. Empty: it does not.
std::string names_one_call(const std::string& url) {
  const auto base = net::parse_base_url(url);
  if (!base) return "";
  for (const std::string_view call : {"/chat/completions", "/completions", "/responses", "/messages", "/embeddings"}) {
    if (!base->path.ends_with(call)) continue;
    return "ends with " + std::string(call) + ", which is one call of the API: leave that out";
  }
  return "";
}

void fit_total(UpstreamOptions& options) {
  options.total_timeout = std::max(options.total_timeout, std::max(options.first_byte_timeout, options.idle_timeout) + kBesidesSilence);
}

/// The old name of a key, or its new one.
const char* either(TomlSection& section, const char* name, const char* old_name, std::string& into) {
  section.text(name, into);
  section.text(old_name, into);
  if (section.has(name) && section.has(old_name)) section.fault(old_name, std::string("and \"") + name + "\" are the same: say it once");
  return section.has(name) ? name : old_name;
}

void read_times(TomlSection& section, UpstreamOptions& options) {
  section.duration("connect_timeout", kShortestTimeout, kLongestTimeout, options.connect_timeout);
  milliseconds silence{0};
  section.duration("timeout", kShortestTimeout, kLongestTimeout, silence);
  if (silence.count() != 0) options.first_byte_timeout = options.idle_timeout = silence;
  section.duration("first_byte_timeout", kShortestTimeout, kLongestTimeout, options.first_byte_timeout);
  section.duration("idle_timeout", kShortestTimeout, kLongestTimeout, options.idle_timeout);
  section.duration("total_timeout", kShortestTimeout, kLongestTimeout, options.total_timeout);
  if (!section.has("total_timeout")) return fit_total(options);
  const bool headers = (section.has("first_byte_timeout") || section.has("timeout")) && options.first_byte_timeout > options.total_timeout;
  const bool pieces = (section.has("idle_timeout") || section.has("timeout")) && options.idle_timeout > options.total_timeout;
  if (headers || pieces) section.fault("total_timeout", "is the whole call's, and must not be shorter than its other timeouts");
}

UpstreamSettings read_upstream(TomlSection section, bool only) {
  UpstreamSettings upstream;
  upstream.only = only;
  UpstreamOptions& options = upstream.options;
  const char* url_key = either(section, "url", "base_url", options.base_url);
  either(section, "key_env", "api_key_env", upstream.key_env);
  section.choice<KeyHeader>(
      "key_header",
      {{"authorization", KeyHeader::authorization}, {"x-api-key", KeyHeader::x_api_key}, {"api-key", KeyHeader::api_key}},
      options.key_header);
  section.texts("models", options.models);
  if (section.has("models") && options.models.empty()) section.fault("models", "must name at least one, or \"*\" for all");
  read_times(section, options);

  if (section.has(url_key)) {
    options.base_url = completed(std::move(options.base_url));
    if (const std::string why = names_one_call(options.base_url); !why.empty()) section.fault(url_key, why);
    if (const auto url = net::parse_base_url(options.base_url)) {
      options.name = url->host;
    } else {
      section.fault(url_key, "is wrong: " + url.error().message);
    }
  } else if (!only) {
    section.missing("url");
  }
  section.text("name", options.name);
  if (section.has("name") && options.name.empty()) section.fault("name", "must not be empty");
  section.finish();
  return upstream;
}

/// The key of one of the file.
Result<std::string> find_key(const UpstreamSettings& upstream) {
  if (upstream.key_env.empty()) return upstream.only ? environment("OPENAI_API_KEY") : std::string();
  std::string key = environment(upstream.key_env.c_str());
  if (key.empty())
    return Error{ErrorCode::invalid_argument, "the environment variable " + upstream.key_env +
                                                  ", which the configuration file names for the key of the upstream, is not set"};
  return key;
}

UpstreamOptions made(std::string name, std::string url, std::string key) {
  UpstreamOptions options;
  options.name = std::move(name);
  options.base_url = std::move(url);
  options.api_key = std::move(key);
  return options;
}

/// Unset: the environment says nothing of it.
std::optional<UpstreamOptions> find_openai() {
  std::string url = environment("OPENAI_BASE_URL"), key = environment("OPENAI_API_KEY");
  if (url.empty() && key.empty()) return std::nullopt;
  return made("openai", url.empty() ? kOpenAiUrl : completed(std::move(url)), std::move(key));
}

std::optional<UpstreamOptions> find_anthropic() {
  std::string url = environment("ANTHROPIC_BASE_URL"), key = environment("ANTHROPIC_API_KEY");
  if (url.empty() && key.empty()) return std::nullopt;
  if (url.empty()) url = kAnthropicUrl;
  while (url.ends_with('/')) url.pop_back();
  if (!url.ends_with("/v1")) url += "/v1";  // Its clients take the URL without.
  UpstreamOptions options = made("anthropic", std::move(url), std::move(key));
  options.models = {"claude-*"};
  options.key_header = KeyHeader::x_api_key;
  return options;
}

/// The flag's URL; what the file says of that URL holds for it, and of its only upstream the times whatever the URL.
Result<UpstreamOptions> find_flagged(const std::vector<UpstreamSettings>& settings, const std::string& url) {
  for (const UpstreamSettings& each : settings) {
    if (each.options.base_url != url) continue;
    auto key = find_key(each);
    if (!key) return key.error();
    UpstreamOptions options = each.options;
    options.api_key = std::move(*key);
    options.models = {"*"};
    return options;
  }
  UpstreamOptions options = made("upstream", url, environment("OPENAI_API_KEY"));
  if (settings.size() != 1) return options;
  const UpstreamOptions& times = settings.front().options;
  options.connect_timeout = times.connect_timeout;
  options.first_byte_timeout = times.first_byte_timeout;
  options.idle_timeout = times.idle_timeout;
  options.total_timeout = times.total_timeout;
  return options;
}

/// As they are, unless one's URL cannot be meant.
Result<std::vector<UpstreamOptions>> check(std::vector<UpstreamOptions> upstreams) {
  for (const UpstreamOptions& upstream : upstreams) {
    if (const std::string why = names_one_call(upstream.base_url); !why.empty()) 
      return Error{ErrorCode::invalid_argument, "the upstream URL " + upstream.base_url + " " + why};
  }
  return upstreams;
}

}  // namespace

std::vector<UpstreamSettings> read_upstreams(TomlSection& file, Faults& faults) {
  std::vector<UpstreamSettings> upstreams;
  bool only = false;
  for (const toml::table* table : file.tables("upstream", only))
    upstreams.push_back(read_upstream({file.file(), "upstream", table, faults}, only));
  return upstreams;
}

Result<std::vector<UpstreamOptions>> find_upstreams(const std::vector<UpstreamSettings>& settings, const std::string& flag) {
  std::vector<UpstreamOptions> upstreams;
  if (!flag.empty()) {
    auto flagged = find_flagged(settings, completed(flag));
    if (!flagged) return flagged.error();
    upstreams.push_back(std::move(*flagged));
    return check(std::move(upstreams));
  }
  if (settings.empty()) {
    if (auto anthropic = find_anthropic()) upstreams.push_back(std::move(*anthropic));
    if (auto openai = find_openai()) upstreams.push_back(std::move(*openai));
    return check(std::move(upstreams));
  }
  for (const UpstreamSettings& each : settings) {
    auto key = find_key(each);
    if (!key) return key.error();
    UpstreamOptions options = each.options;
    options.api_key = std::move(*key);
    if (options.base_url.empty()) {
      options.base_url = completed(environment("OPENAI_BASE_URL"));
      if (options.base_url.empty() && options.api_key.empty()) continue;
      if (options.base_url.empty()) options.base_url = kOpenAiUrl;
    }
    upstreams.push_back(std::move(options));
  }
  return check(std::move(upstreams));
}

void allow_silence(UpstreamOptions& upstream, milliseconds silence) {
  upstream.first_byte_timeout = upstream.idle_timeout = silence;
  fit_total(upstream);
}

std::string doubt_upstream(const UpstreamOptions& upstream) {
  const auto base = net::parse_base_url(upstream.base_url);
  if (!base || !base->path.empty()) return "";
  return "the URL " + upstream.base_url + " has no path, so that a chat is asked of " + upstream.base_url +
         "/chat/completions: most APIs (Ollama, vLLM, LM Studio) want /v1 at its end";
}

std::string describe_upstream(const UpstreamOptions& upstream) {
  std::string text = upstream.base_url;
  if (upstream.models != std::vector<std::string>{"*"}) {
    const char* before = " for ";
    for (const std::string& model : upstream.models) text += std::exchange(before, ", ") + model;
  }
  return text + (upstream.api_key.empty() ? ", no key: the caller's is passed on" : ", key set");
}

}  // namespace sosie::app
