// settings.h: the configuration file (docs/configuration.md). Flags win over it, it over the defaults.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "gateway/options.h"
#include "sosie/cache.h"
#include "sosie/result.h"
#include "upstream_settings.h"

namespace sosie::app {

/// Where the Redis server is and where its password is to be found, which need not stand in the file.
struct RedisSettings {
  RedisStoreOptions store;              ///< `connection.url` empty: $REDIS_URL, else this machine's.
  std::string password_env;             ///< Name of an environment variable.
  std::filesystem::path password_file;  ///< Its first line.
};

/// An embedding endpoint; its key need not stand in the file.
struct EndpointSettings {
  RemoteEmbedderOptions options;
  std::string key_env;  ///< Name of an environment variable; empty: see `RemoteEmbedderOptions::api_key`.
};

struct Settings {
  std::filesystem::path file;  ///< Empty: there is none, these are the defaults.

  CacheOptions cache;  ///< Its `redis` is unset: see `use_redis`.
  bool use_redis = false;
  RedisSettings redis;
  std::optional<EndpointSettings> endpoint;  ///< Of [embedder] url. Unset: the encoder in this process.

  gateway::ServerOptions server;  ///< `listen` and the upstreams are apart.
  std::string listen = "127.0.0.1:8080";

  std::vector<UpstreamSettings> upstreams;

  Settings() { cache.data = "./data"; }
};

/// The flag's file, else $SOSIE_CONFIG's, else ./sosie.toml where it exists; empty: none.
std::filesystem::path find_settings_file(const std::string& flag);

/// Reads and checks every value.
/// Errors: not_found, permission_denied, invalid_argument (every mistake with file and line; never a value).
Result<Settings> load_settings(const std::filesystem::path& file);

}  // namespace sosie::app
