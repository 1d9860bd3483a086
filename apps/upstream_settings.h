// upstream_settings.h: which upstreams are asked, from the configuration file, the flag --upstream, and the environment.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "gateway/options.h"
#include "sosie/result.h"

namespace sosie::app {

class TomlSection;
struct Fault;

/// One of the file.
struct UpstreamSettings {
  gateway::UpstreamOptions options;  ///< Without its key.
  std::string key_env;               ///< The variable with its key; empty: none.
  bool only = false;                 ///< The one [upstream]: $OPENAI_BASE_URL and $OPENAI_API_KEY say what it does not.
};

/// [upstream], or any number of [[upstream]].
std::vector<UpstreamSettings> read_upstreams(TomlSection& file, std::vector<Fault>& faults);

/// That of the flag (empty: none) for all models; else those of the file; else of the environment: Anthropic's for its models where
/// $ANTHROPIC_BASE_URL or $ANTHROPIC_API_KEY is set, and OpenAI's for all where $OPENAI_BASE_URL or $OPENAI_API_KEY is. With their keys,
/// each of which goes to the URL it belongs to and to no other.
/// Errors: invalid_argument (the file names a variable that is not set).
Result<std::vector<gateway::UpstreamOptions>> find_upstreams(const std::vector<UpstreamSettings>& settings, const std::string& flag);

/// Sets the longest silence, to the answer's headers and between its pieces, and gives the whole call time for it.
void allow_silence(gateway::UpstreamOptions& upstream, std::chrono::milliseconds silence);

/// What is odd about its URL: one without any path, which few APIs have. Empty: nothing.
std::string doubt_upstream(const gateway::UpstreamOptions& upstream);

/// "https://api.anthropic.com/v1 for claude-*, key set"
std::string describe_upstream(const gateway::UpstreamOptions& upstream);

}  // namespace sosie::app
