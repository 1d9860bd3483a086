#include "ask_redis.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <vector>

#include "net/lanes.h"
#include "redis/client.h"
#include "redis/endpoint.h"
#include "redis/pipeline.h"

namespace sosie::app {
namespace {

using redis::Reply;
using Replies = std::vector<Reply>;

constexpr int kOldestRedis = 7;  // knows EVALSHA_RO

/// The value of "name:value" in INFO's lines; empty: not there.
std::string_view info_value(std::string_view info, std::string_view name) {
  for (std::size_t at = 0; at < info.size();) {
    const auto end = std::min(info.find('\n', at), info.size());
    std::string_view line = info.substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':')
      return line.substr(name.size() + 1);
  }
  return {};
}

Result<std::string> software_of(const Reply& info) {
  if (info.is_error()) return std::string("a server whose version this user may not ask for");
  const auto valkey = info_value(info.text, "valkey_version");  // its redis_version is one that it is compatible with
  if (!valkey.empty()) return "Valkey " + std::string(valkey);
  const std::string version(info_value(info.text, "redis_version"));
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  if (major < kOldestRedis)
    return Error{ErrorCode::unsupported, "Redis " + version + " is too old: use Redis 7 or newer, or Valkey, with search"};
  return "Redis " + version;
}

/// RediSearch numbers its versions 21005 for 2.10.5, Valkey's module 10000 for 1.0.0, alike.
std::string search_of(const Reply& modules) {
  for (const Reply& module : modules.items) {
    const Reply *name = module.find("name"), *version = module.find("ver");
    if (!name || name->text != "search") continue;
    const auto number = version ? version->integer : 0;
    return "search " + std::to_string(number / 10'000) + "." + std::to_string(number / 100 % 100) + "." +
           std::to_string(number % 100);
  }
  return "search, of unknown version";  // MODULE LIST may be forbidden, or search built in
}

bool has_index(const Reply& list, const std::string& name) {
  return std::any_of(list.items.begin(), list.items.end(),
                     [&](const Reply& each) { return each.text.starts_with(name + ":"); });
}

}  // namespace

Result<RedisServer> ask_redis(const RedisStoreOptions& options) {
  auto endpoint = redis::read_endpoint(options.connection);
  if (!endpoint) return endpoint.error();
  const auto wait = endpoint->connect_timeout + endpoint->command_timeout;
  net::Lanes<redis::Client> lane(1, [&](net::Executor executor) {
    return std::make_unique<redis::Client>(std::move(executor), *endpoint, std::make_shared<net::Backoff>());
  });
  redis::Pipeline questions;
  questions.add({"INFO", "server"}).add({"MODULE", "LIST"}).add({"FT._LIST"});
  const auto deadline = net::after(wait);
  auto replies = lane.run<Replies>([&](redis::Client& client) { return client.run(questions, deadline); }, deadline);
  if (!replies) return replies.error();
  const Reply &info = (*replies)[0], &modules = (*replies)[1], &list = (*replies)[2];
  RedisServer server{software_of(info), search_of(modules), has_index(list, options.name)};
  if (list.is_error()) server.search = redis::to_error(list);
  return server;
}

}  // namespace sosie::app
