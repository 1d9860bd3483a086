#include "settings.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <utility>

#include "gateway_settings.h"
#include "net/url.h"
#include "redis/endpoint.h"
#include "toml_section.h"
#include "values.h"

namespace sosie::app {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortest{1}, kLongest{3'600'000};
constexpr std::int64_t kMany = 1 << 20;

void read_server(TomlSection section, Settings& settings) {
  section.text("listen", settings.listen);
  if (section.has("listen") && !parse_listen(settings.listen))
    section.fault("listen", std::string("must be ") + kListenWanted);
  auto& server = settings.server;
  section.integer("io_threads", 1, 256, server.io_threads);
  section.integer("encoder_threads", 1, 1024, server.encoder_threads);
  section.integer("max_queued", 1, kMany, server.max_queued);
  section.integer("max_connections", 1, kMany, server.max_connections);
  section.integer("max_upstream_calls", 1, kMany, server.max_upstream_calls);
  section.bytes("max_body_bytes", server.max_body_bytes);
  if (server.max_body_bytes == 0) section.fault("max_body_bytes", "must not be 0");
  section.duration("lookup_timeout", kShortest, kLongest, server.lookup_timeout);
  section.duration("shutdown_grace", kShortest, kLongest, server.shutdown_grace);
  section.finish();
}

void read_tls(TomlSection section, RedisTls& tls) {
  section.flag("enabled", tls.enabled);
  section.flag("verify", tls.verify);
  section.path("ca_file", tls.ca_file);
  section.path("client_certificate", tls.client_certificate);
  section.path("client_key", tls.client_key);
  section.finish();
}

bool is_store_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 &&
         name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.") ==
             std::string::npos;
}

void read_store(TomlSection section, Settings& settings, Faults& faults) {
  section.choice<bool>("type", {{"embedded", false}, {"redis", true}}, settings.use_redis);
  section.path("data", settings.cache.data);
  section.bytes("max_bytes", settings.cache.max_bytes);
  section.duration("ttl", settings.cache.ttl);
  section.choice<Expiry>("expiry", {{"absolute", Expiry::absolute}, {"sliding", Expiry::sliding}},
                         settings.cache.expiry);

  RedisSettings& redis = settings.redis;
  RedisOptions& connection = redis.store.connection;
  section.text("url", connection.url);
  section.text("username", connection.username);
  section.text("password_env", redis.password_env);
  section.path("password_file", redis.password_file);
  section.integer("db", 0, std::numeric_limits<int>::max(), connection.db);
  section.text("name", redis.store.name);
  section.duration("connect_timeout", kShortest, kLongest, connection.connect_timeout);
  section.duration("command_timeout", kShortest, kLongest, connection.command_timeout);
  section.integer("pool_size", 1, 1024, connection.pool_size);
  const toml::table* tls = section.table("tls");
  read_tls({section.file(), "store.tls", tls, faults}, connection.tls);

  if (section.has("url")) {
    if (auto endpoint = redis::read_endpoint({.url = connection.url}); !endpoint)
      section.fault("url", "is wrong: " + endpoint.error().message);
  }
  if (section.has("name") && !is_store_name(redis.store.name))
    section.fault("name", "must be 1 to 64 letters, digits, '_', '-' and '.'");
  if (section.has("password_env") && section.has("password_file"))
    section.fault("password_file", "and \"password_env\" exclude each other");
  if (connection.tls.client_certificate.empty() != connection.tls.client_key.empty())
    section.fault("tls", "needs both client_certificate and client_key, or none");
  section.finish();
}

void read_endpoint(TomlSection& section, EndpointSettings& endpoint) {
  RemoteEmbedderOptions& options = endpoint.options;
  section.text("url", options.url);
  section.text("model", options.model);
  section.text("key_env", endpoint.key_env);
  section.duration("timeout", kShortest, kLongest, options.timeout);
  section.integer("dimension", 1, 65'535, options.dimension);
  section.integer("max_tokens", 16, 1'000'000, options.max_tokens);
  section.text("prefix", options.prefix);
  section.integer("max_connections", 1, 1024, options.max_connections);
  if (auto base = net::parse_base_url(options.url); !base) section.fault("url", "is wrong: " + base.error().message);
  if (options.model.empty()) section.missing("model");
  if (section.has("precision")) section.fault("precision", "is of the encoder in this process; with \"url\" there is none");
  section.finish();
}

void read_embedder(TomlSection section, Settings& settings) {
  if (section.has("url")) return read_endpoint(section, settings.endpoint.emplace());
  LocalEncoderOptions& encoder = settings.cache.encoder;
  std::string url;  // Not there: but who misspells a key of an endpoint is to read that there is one.
  section.text("url", url);
  section.path("model", encoder.model);
  section.choice<Precision>(
      "precision",
      {{"auto", Precision::automatic}, {"f32", Precision::f32}, {"bf16", Precision::bf16}, {"int8", Precision::int8}},
      encoder.precision);
  section.text("prefix", encoder.prefix);
  section.finish();
}

void read_cache(TomlSection section, CacheOptions& cache) {
  section.number("threshold", 0, 1, cache.threshold.value);
  section.finish();
}

Result<std::string> read_file(const std::filesystem::path& file) {
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    return Error{ErrorCode::invalid_argument, file.string() + " is a folder, not a configuration file"};
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    const int why = errno;
    return Error{why == ENOENT ? ErrorCode::not_found : ErrorCode::permission_denied,
                 "the configuration file " + file.string() + " cannot be read: " + std::strerror(why) +
                     "; name one by --config FILE or in SOSIE_CONFIG"};
  }
  return std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
}

Error as_error(const std::filesystem::path& file, Faults faults) {
  std::sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) { return a.line < b.line; });
  std::string message;
  for (const Fault& fault : faults)
    message +=
        (message.empty() ? "" : "\n       ") + file.string() + ":" + std::to_string(fault.line) + ": " + fault.what;
  return {ErrorCode::invalid_argument, std::move(message)};
}

}  // namespace

std::filesystem::path find_settings_file(const std::string& flag) {
  if (!flag.empty()) return flag;
  if (const char* named = std::getenv("SOSIE_CONFIG"); named != nullptr && *named != '\0') return named;
  std::error_code ignored;
  return std::filesystem::exists("sosie.toml", ignored) ? "sosie.toml" : "";
}

Result<Settings> load_settings(const std::filesystem::path& file) {
  const auto text = read_file(file);
  if (!text) return text.error();
  toml::table root;
  try {
    root = toml::parse(*text, file.string());
  } catch (const toml::parse_error& error) {
    return Error{ErrorCode::invalid_argument, file.string() + ":" + std::to_string(error.source().begin.line) + ": " +
                                                  std::string(error.description())};
  }
  Settings settings;
  settings.file = file;
  Faults faults;
  TomlSection whole(file, "", &root, faults);
  read_server({file, "server", whole.table("server"), faults}, settings);
  read_store({file, "store", whole.table("store"), faults}, settings, faults);
  read_embedder({file, "embedder", whole.table("embedder"), faults}, settings);
  settings.upstreams = read_upstreams(whole, faults);
  read_gateway({file, "gateway", whole.table("gateway"), faults}, settings.server);
  read_tenant({file, "tenant", whole.table("tenant"), faults}, settings.server.tenant);
  read_reuse({file, "reuse", whole.table("reuse"), faults}, settings.server.reuse, faults);
  read_cache({file, "cache", whole.table("cache"), faults}, settings.cache);
  whole.finish();
  if (!faults.empty()) return as_error(file, std::move(faults));
  return settings;
}

}  // namespace sosie::app
