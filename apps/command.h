// command.h: what every subcommand of the one binary shares.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Option.hpp>
#include <CLI/Validators.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "settings.h"
#include "sosie/cache.h"

namespace sosie::app {

/// Exit codes of the binary. A miss is not a failure, but scripts want to branch on it.
inline constexpr int kOk = 0, kMiss = 1, kFailed = 2;

/// Set by the subcommand that the command line names; main runs it after parsing.
using Run = std::function<int()>;

// Each adds its subcommand(s) to `app`, with what the configuration file says as defaults, and sets `run` when chosen.
void add_serve(CLI::App& app, const Settings& settings, Run& run);
void add_entry_commands(CLI::App& app, const Settings& settings, Run& run);  ///< set, get, stats
void add_move_commands(CLI::App& app, const Settings& settings, Run& run);   ///< export, import
void add_embed(CLI::App& app, const Settings& settings, Run& run);
void add_bench(CLI::App& app, const Settings& settings, Run& run);
void add_replay(CLI::App& app, const Settings& settings, Run& run);
void add_doctor(CLI::App& app, const Settings& settings, Run& run);

/// The cache as the configuration file and the flags describe it.
struct CacheChoice {
  CacheOptions options;  ///< Where entries are kept is not final: see `choose_cache`.
  bool use_redis = false;
  RedisSettings redis;
  std::optional<EndpointSettings> endpoint;
  std::optional<std::string> store, data;  ///< The flags --store and --data.
};

/// Flags that say where entries are: --store, --data.
void add_store_options(CLI::App& command, const Settings& settings, CacheChoice& choice);
/// These, and --threshold, --ttl, --max-bytes, --model, --precision.
void add_cache_options(CLI::App& command, const Settings& settings, CacheChoice& choice);
/// --max-bytes.
void add_bound_option(CLI::App& command, const Settings& settings, CacheOptions& options);
void add_encoder_options(CLI::App& command, const Settings& settings, LocalEncoderOptions& options);

/// The options with the store and the embedder that were chosen, and with their password and key. A flag wins over the file; --data alone
/// means the embedded store, --model the encoder in this process. Errors: invalid_argument (flags that contradict each other, the URL),
/// not_found (no password or key where it should be).
Result<CacheOptions> choose_cache(const CacheChoice& choice);

/// SemanticCache::open of it.
Result<SemanticCache> open_cache(const CacheChoice& choice);

/// Whether there is a store: who only reads makes none. Errors: not_found (no such folder, or no store in it); of a Redis server, why
/// it cannot be asked.
Result<void> check_store(const CacheOptions& options);

/// "./data", "memory only", "redis://127.0.0.1:6379/0, index sosie": without user and password.
std::string describe_store(const CacheOptions& options);

/// Wants a number from `low` to `high`. (CLI::Range lets "nan" pass.)
CLI::Validator number_within(double low, double high);

/// A flag that takes "512MB" or a number of bytes.
CLI::Option* add_bytes(CLI::App& command, const std::string& flag, std::uint64_t& into, const std::string& help);

/// A flag that takes "500ms", "30s", "5m", "2h" or "7d", `least` or more.
CLI::Option* add_duration(CLI::App& command, const std::string& flag, std::optional<std::chrono::milliseconds>& into,
                          const std::string& help, std::chrono::milliseconds least = std::chrono::milliseconds{1});

/// Says what failed on standard error; returns kFailed.
int fail(const Error& error);

}  // namespace sosie::app
