#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "ask_redis.h"
#include "command.h"
#include "redis/endpoint.h"
#include "values.h"

namespace sosie::app {
namespace {

constexpr const char *kEmbedded = "embedded", *kRedis = "redis";
constexpr const char* kLocalRedis = "redis://127.0.0.1:6379";

bool is_store(const std::string& text) {
  return text == kEmbedded || text == kRedis || text.starts_with("redis://") || text.starts_with("rediss://") ||
         text.starts_with("unix://");
}

/// Where the settings say, else $REDIS_PASSWORD.
Result<std::string> find_password(const RedisSettings& redis) {
  if (!redis.password_env.empty()) {
    std::string password = environment(redis.password_env.c_str());
    if (password.empty())
      return Error{ErrorCode::invalid_argument,
                   "the environment variable " + redis.password_env +
                       ", which the configuration file names for the password of Redis, is not set"};
    return password;
  }
  if (redis.password_file.empty()) return environment("REDIS_PASSWORD");
  std::ifstream file(redis.password_file);
  std::string password;
  if (!std::getline(file, password) || password.empty())
    return Error{ErrorCode::not_found, "no password of Redis can be read from " + redis.password_file.string()};
  if (password.back() == '\r') password.pop_back();
  return password;
}

Result<RedisStoreOptions> find_redis(RedisSettings redis) {
  RedisStoreOptions store = std::move(redis.store);
  if (store.connection.url.empty()) store.connection.url = environment("REDIS_URL");
  if (store.connection.url.empty()) store.connection.url = kLocalRedis;
  auto endpoint = redis::read_endpoint(store.connection);
  if (!endpoint) return endpoint.error();
  if (endpoint->password.empty()) {
    auto password = find_password(redis);
    if (!password) return password.error();
    store.connection.password = std::move(*password);
  }
  return store;
}

}  // namespace

int fail(const Error& error) {
  std::fprintf(stderr, "sosie: %s\n", error.message.c_str());
  return kFailed;
}

CLI::Validator number_within(double low, double high) {
  return CLI::Validator(
      [low, high](std::string& text) -> std::string {
        double value = 0;
        const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool whole = failure == std::errc() && end == text.data() + text.size();
        if (whole && value >= low && value <= high) return "";
        std::ostringstream wanted;
        wanted << "wants a number from " << low << " to " << high << ", not " << text;
        return wanted.str();
      },
      "");
}

CLI::Option* add_bytes(CLI::App& command, const std::string& flag, std::uint64_t& into, const std::string& help) {
  return command
      .add_option_function<std::string>(
          flag,
          [&into, flag](const std::string& text) {
            const auto bytes = parse_bytes(text);
            if (!bytes) throw CLI::ValidationError(flag, std::string("wants ") + kBytesWanted + ", not " + text);
            into = *bytes;
          },
          help)
      ->type_name("SIZE");
}

CLI::Option* add_duration(CLI::App& command, const std::string& flag, std::optional<std::chrono::milliseconds>& into,
                          const std::string& help, std::chrono::milliseconds least) {
  return command
      .add_option_function<std::string>(
          flag,
          [&into, flag, least](const std::string& text) {
            into = parse_duration(text);
            if (!into || *into < least) throw CLI::ValidationError(flag, std::string("wants ") + kDurationWanted + ", not " + text);
          },
          help)
      ->type_name("DURATION");
}

void add_encoder_options(CLI::App& command, const Settings& settings, LocalEncoderOptions& options) {
  static const std::map<std::string, Precision> kPrecisions{
      {"auto", Precision::automatic}, {"f32", Precision::f32}, {"bf16", Precision::bf16}, {"int8", Precision::int8}};
  options.model = settings.cache.encoder.model;
  options.precision = settings.cache.encoder.precision;
  options.prefix = settings.cache.encoder.prefix;
  command.add_option("--model", options.model, "Folder of a sentence encoder, BERT or XLM-R (default: all-MiniLM-L6-v2)");
  command
      .add_option_function<std::string>(
          "--precision", [&options](const std::string& name) { options.precision = kPrecisions.at(name); },
          "Arithmetic of the encoder: auto, f32, bf16 or int8")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "int8"}))
      ->type_name("NAME");
}

void add_store_options(CLI::App& command, const Settings& settings, CacheChoice& choice) {
  choice.options = settings.cache;
  choice.use_redis = settings.use_redis;
  choice.redis = settings.redis;
  choice.endpoint = settings.endpoint;
  command.add_option("--data", choice.data, "Folder where entries are kept")
      ->type_name("DIR")
      ->default_str(settings.cache.data.string());
  command
      .add_option(
          "--store", choice.store,
          "What keeps the entries: embedded (files in --data), redis (the server of the configuration file, else of $REDIS_URL, "
          "else redis://127.0.0.1:6379), or the URL of a Redis server; $REDIS_PASSWORD is its password where the URL has none")
      ->check(
          [](const std::string& store) {
            return is_store(store) ? "" : "wants embedded, redis, or a URL like redis://127.0.0.1:6379";
          },
          "")
      ->type_name("WHERE")
      ->default_str(settings.use_redis ? "redis" : "embedded");
}

void add_cache_options(CLI::App& command, const Settings& settings, CacheChoice& choice) {
  add_store_options(command, settings, choice);
  CacheOptions& options = choice.options;
  command
      .add_option("--threshold", options.threshold.value,
                  "Least cosine similarity of a hit, 0 to 1; 1: only the same text")
      ->check(number_within(0, 1))
      ->capture_default_str();
  add_duration(command, "--ttl", options.ttl, "How long entries live unless they say otherwise (default: for ever)");
  add_bound_option(command, settings, options);
  add_encoder_options(command, settings, options.encoder);
}

void add_bound_option(CLI::App& command, const Settings& settings, CacheOptions& options) {
  add_bytes(command, "--max-bytes", options.max_bytes, "Bound on all entries, e.g. 512MB; the least valuable leave first; 0: none")
      ->default_str(settings.file.empty() ? "1GB" : std::to_string(options.max_bytes));
}

Result<CacheOptions> choose_cache(const CacheChoice& choice) {
  CacheOptions options = choice.options;
  if (choice.endpoint && options.encoder.model.empty()) {
    options.embedding_endpoint = choice.endpoint->options;
    if (const std::string& name = choice.endpoint->key_env; !name.empty()) {
      const char* key = std::getenv(name.c_str());
      if (key == nullptr || *key == '\0')
        return Error{ErrorCode::not_found, "the environment variable " + name + ", which [embedder] key_env names, is not set: set it to the key"};
      options.embedding_endpoint->api_key = key;
    }
  }
  if (choice.data) options.data = *choice.data;
  std::string where = choice.use_redis && !choice.data ? kRedis : kEmbedded;
  if (choice.store) where = *choice.store;
  if (where == kEmbedded) return options;
  if (choice.data)
    return Error{ErrorCode::invalid_argument, "--data names a folder, --store a Redis server: give one of them"};

  RedisSettings redis = choice.redis;
  if (where != kRedis) {
    // Another server than the file's: nothing that identifies us to that one may be sent to this one.
    redis.password_env.clear();
    redis.password_file.clear();
    const RedisOptions known = std::exchange(redis.store.connection, {.url = where});
    redis.store.connection.connect_timeout = known.connect_timeout;
    redis.store.connection.command_timeout = known.command_timeout;
    redis.store.connection.pool_size = known.pool_size;
  }
  auto found = find_redis(std::move(redis));
  if (!found) return found.error();
  options.redis = std::move(*found);
  return options;
}

Result<SemanticCache> open_cache(const CacheChoice& choice) {
  auto options = choose_cache(choice);
  if (!options) return options.error();
  return SemanticCache::open(std::move(*options));
}

Result<void> check_store(const CacheOptions& options) {
  if (options.redis) {
    // A store opens without its server.
    if (auto server = ask_redis(*options.redis); !server) return server.error();
    return {};
  }
  const std::string folder = options.data.string();
  std::error_code failed;
  if (!std::filesystem::is_directory(options.data, failed))
    return Error{ErrorCode::not_found, "there is no folder " + folder + ": name it with --data (what stores an entry makes it: set, import, serve)"};
  if (!std::filesystem::exists(options.data / "sosie.db", failed))
    return Error{ErrorCode::not_found, "the folder " + folder + " holds no entries of sosie (there is no sosie.db): name another with --data"};
  return {};
}

std::string describe_store(const CacheOptions& options) {
  if (!options.redis)
    return options.data.empty() ? "memory only" : std::filesystem::absolute(options.data).lexically_normal().string();
  const auto endpoint = redis::read_endpoint(options.redis->connection);
  if (!endpoint) return "redis";
  const std::string scheme = !endpoint->unix_socket.empty() ? "unix://"
                             : endpoint->tls.enabled        ? "rediss://"
                                                            : "redis://";
  const std::string host = endpoint->host.find(':') == std::string::npos ? endpoint->host : "[" + endpoint->host + "]";
  const std::string place =
      endpoint->unix_socket.empty() ? host + ":" + std::to_string(endpoint->port) : endpoint->unix_socket;
  return scheme + place + ", database " + std::to_string(endpoint->db) + ", index " + options.redis->name;
}

}  // namespace sosie::app
