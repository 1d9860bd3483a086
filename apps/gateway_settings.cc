#include "gateway_settings.h"

#include <algorithm>
#include <map>
#include <utility>

#include "toml_section.h"

namespace sosie::app {
namespace {

using decide::Reuse;
using gateway::Compat;
using gateway::TenantBy;
using std::chrono::milliseconds;

constexpr milliseconds kShortestWait{1}, kLongestWait{3'600'000};

const std::map<std::string, Reuse>& reuse_names() {
  static const std::map<std::string, Reuse> kNames{
      {"semantic", Reuse::by_meaning}, {"exact", Reuse::exact}, {"bypass", Reuse::never}};
  return kNames;
}

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
}

/// A name of a header, in lower case; empty: it is none.
std::string header_name(std::string text) {
  constexpr const char* kToken = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text.find_first_not_of(kToken) == std::string::npos ? text : "";
}

}  // namespace

std::optional<Compat> parse_compat(const std::vector<std::string>& names) {
  static const std::map<std::string, bool Compat::*> kNames{{"litellm", &Compat::litellm},
                                                            {"portkey", &Compat::portkey},
                                                            {"helicone", &Compat::helicone},
                                                            {"cloudflare", &Compat::cloudflare},
                                                            {"bifrost", &Compat::bifrost}};
  Compat compat{.litellm = false};
  for (const std::string& name : names) {
    const auto found = kNames.find(name);
    if (found == kNames.end()) return std::nullopt;
    compat.*found->second = true;
  }
  return compat;
}

void read_gateway(TomlSection section, gateway::ServerOptions& server) {
  std::vector<std::string> dialects;
  section.texts("compat", dialects);
  if (section.has("compat")) {
    if (const auto compat = parse_compat(dialects)) {
      server.compat = *compat;
    } else {
      section.fault("compat", std::string("must be a list ") + kCompatWanted);
    }
  }
  section.flag("opt_in", server.opt_in);
  section.flag("cross_protocol", server.cross_protocol);
  section.texts("ignored_headers", server.ignored_headers);
  for (std::string& header : server.ignored_headers) {
    header = header_name(header);
    if (header.empty()) section.fault("ignored_headers", "must be a list of names of headers");
  }
  section.texts("ignored_fields", server.ignored_fields);
  section.duration("replay_pace", kShortestWait, kLongestPace, server.replay_pace);
  section.duration("follow_timeout", kShortestWait, kLongestWait, server.follow_timeout);
  section.bytes("max_kept", server.max_kept_bytes);
  if (server.max_kept_bytes == 0) section.fault("max_kept", "must not be 0");
  section.finish();
}

void read_tenant(TomlSection section, gateway::TenantOptions& tenant) {
  section.choice<TenantBy>(
      "by", {{"credentials", TenantBy::credentials}, {"header", TenantBy::header}, {"everyone", TenantBy::everyone}}, tenant.by);
  std::string header;
  section.text("header", header);
  tenant.header = header_name(header);
  if (section.has("header") && tenant.header.empty()) section.fault("header", "must be the name of a header");
  if (tenant.by == TenantBy::header && !section.has("header")) section.fault("by", "is \"header\": say which by \"header\"");
  if (tenant.by != TenantBy::header && section.has("header")) section.fault("header", "counts only with by = \"header\"");
  section.texts("may_loosen", tenant.may_loosen);
  if (!std::all_of(tenant.may_loosen.begin(), tenant.may_loosen.end(), is_sha256))
    section.fault("may_loosen", "must be a list of API keys' SHA-256, 64 hexadecimal digits each: printf %s KEY | sha256sum");
  section.finish();
}

void read_reuse(TomlSection section, decide::ReusePolicy& reuse, Faults& faults) {
  const std::pair<const char*, Reuse*> of_requests[] = {
      {"several_choices", &reuse.several_choices}, {"logprobs", &reuse.logprobs},         {"seed", &reuse.seed},
      {"high_temperature", &reuse.high_temperature}, {"hosted_tools", &reuse.hosted_tools}, {"open_turn", &reuse.open_turn},
      {"completions", &reuse.completions},         {"time_bound", &reuse.time_bound}};
  for (const auto& [key, into] : of_requests) section.choice(key, reuse_names(), *into);
  section.number("high_temperature_above", 0, 2, reuse.high_temperature_above);

  TomlSection tools(section.file(), "reuse.tools", section.table("tools"), faults);
  tools.texts("pure", reuse.tools.pure);
  tools.texts("read", reuse.tools.read);
  tools.texts("write", reuse.tools.write);
  tools.choice("pure_call", reuse_names(), reuse.pure_tool_call);
  tools.choice("read_call", reuse_names(), reuse.read_tool_call);
  tools.choice("write_call", reuse_names(), reuse.write_tool_call);
  tools.finish();
  section.finish();
}

}  // namespace sosie::app
