// command.h: what every subcommand of the one binary shares.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "sosie/cache.h"

namespace sosie::app {

/// Exit codes of the binary. A miss is not a failure, but scripts want to branch on it.
inline constexpr int kOk = 0, kMiss = 1, kFailed = 2;

/// Set by the subcommand that the command line names; main runs it after parsing.
using Run = std::function<int()>;

// Each adds its subcommand(s) to `app` and sets `run` when chosen.
void add_serve(CLI::App& app, Run& run);
void add_entry_commands(CLI::App& app, Run& run);  ///< set, get, stats
void add_embed(CLI::App& app, Run& run);
void add_bench(CLI::App& app, Run& run);
void add_replay(CLI::App& app, Run& run);
void add_doctor(CLI::App& app, Run& run);

/// Options of the cache as flags: --data, --model, --precision, --threshold, --ttl, --max-bytes.
void add_cache_options(CLI::App& command, CacheOptions& options);
void add_encoder_options(CLI::App& command, LocalEncoderOptions& options);

/// A flag that takes "500ms", "30s", "5m", "2h" or "7d".
CLI::Option* add_duration(CLI::App& command, const std::string& flag, std::optional<std::chrono::milliseconds>& into,
                          const std::string& help);

/// Says what failed on standard error; returns kFailed.
int fail(const Error& error);

}  // namespace sosie::app
