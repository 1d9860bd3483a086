// gateway_settings.h: the sections of the configuration file that say how the gateway behaves.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "gateway/options.h"

namespace sosie::app {

class TomlSection;
struct Fault;

void read_gateway(TomlSection section, gateway::ServerOptions& server);
void read_tenant(TomlSection section, gateway::TenantOptions& tenant);
void read_reuse(TomlSection section, decide::ReusePolicy& reuse, std::vector<Fault>& faults);

/// The dialects of these names and no others. Unset: there is no such dialect.
std::optional<gateway::Compat> parse_compat(const std::vector<std::string>& names);
inline constexpr const char* kCompatWanted = "of \"litellm\", \"portkey\", \"helicone\", \"cloudflare\", \"bifrost\"";

inline constexpr std::chrono::milliseconds kLongestPace{10'000};

}  // namespace sosie::app
