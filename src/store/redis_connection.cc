#include "store/redis_connection.h"

#include <utility>

#include "net/backoff.h"
#include "store/redis_put.h"

namespace sosie::store {
namespace {

bool is_unknown_script(const redis::Reply& reply) { return reply.is_error() && reply.text.starts_with("NOSCRIPT"); }

void add_call(redis::Pipeline& commands, std::string_view command, std::string_view script, RedisConnection::Words keys,
              RedisConnection::Words arguments) {
  const std::string key_count = std::to_string(keys.size());
  std::vector<std::string_view> words{command, script, key_count};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  commands.add(words);
}

}  // namespace

Result<RedisConnection> RedisConnection::make(const RedisOptions& options, RedisKeys keys) {
  auto endpoint = redis::read_endpoint(options);
  if (!endpoint) return std::move(endpoint).error();
  return RedisConnection(*std::move(endpoint), options.pool_size, std::move(keys));
}

RedisConnection::RedisConnection(redis::Endpoint endpoint, std::size_t pool_size, RedisKeys keys)
    : where_(endpoint.unix_socket.empty() ? endpoint.host + ":" + std::to_string(endpoint.port) : endpoint.unix_socket),
      command_timeout_(endpoint.command_timeout),
      keys_(std::move(keys)) {
  // One for all connections: a server that hangs is found out once.
  const auto backoff = std::make_shared<net::Backoff>();
  lanes_ = std::make_unique<net::Lanes<redis::Client>>(
      pool_size, [endpoint = std::move(endpoint), backoff](boost::asio::any_io_executor executor) {
        return std::make_unique<redis::Client>(std::move(executor), endpoint, backoff);
      });
}

Result<std::vector<redis::Reply>> RedisConnection::run(redis::Pipeline commands) {
  const auto until = deadline();
  const std::function<net::Task<Result<std::vector<redis::Reply>>>(redis::Client&)> job = [&](redis::Client& client) {
    return client.run(std::move(commands), until);
  };
  return lanes_->run(job, until);
}

Result<std::vector<redis::Reply>> RedisConnection::send(redis::Pipeline commands) {
  std::vector<std::string> touches = touches_->take();
  if (touches.empty()) return run(std::move(commands));
  touches.insert(touches.begin(), {keys_.prefix, std::to_string(kAfterlifeMs)});
  const RedisScript& script = redis_scripts().touch;
  // By its text the first time: ahead of what follows, they must not fail for want of it.
  const bool is_known = touches_->script_is_known;
  redis::Pipeline all;
  add_call(all, is_known ? "EVALSHA" : "EVAL", is_known ? script.sha : script.text, keys_.written(), touches);
  auto replies = run(std::move(all.add(commands)));
  if (!replies) return replies;
  const bool was_forgotten = is_unknown_script(replies->front());
  touches_->script_is_known = !was_forgotten && !replies->front().is_error();
  replies->erase(replies->begin());
  if (was_forgotten) {
    redis::Pipeline again;
    add_call(again, "EVAL", script.text, keys_.written(), touches);
    (void)run(std::move(again));
  }
  return replies;
}

void RedisConnection::flush_touches() {
  while (touches_->any()) (void)send(redis::Pipeline());
}

Result<redis::Reply> RedisConnection::write(const RedisScript& script, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), keys_.prefix);
  return call(script, keys_.written(), arguments);
}

Result<std::vector<redis::Reply>> RedisConnection::send_all(redis::Pipeline commands) {
  auto replies = send(std::move(commands));
  if (!replies) return replies;
  for (const redis::Reply& reply : *replies) {
    if (reply.is_error()) return redis::to_error(reply);
  }
  return replies;
}

Result<redis::Reply> RedisConnection::call(std::string_view by_sha, std::string_view by_text, const RedisScript& script,
                                           Words keys, Words arguments) {
  redis::Pipeline known;
  add_call(known, by_sha, script.sha, keys, arguments);
  auto replies = send(std::move(known));
  if (replies && is_unknown_script(replies->front())) {
    redis::Pipeline told;
    add_call(told, by_text, script.text, keys, arguments);
    replies = send(std::move(told));
  }
  if (!replies) return std::move(replies).error();
  if (replies->front().is_error()) return redis::to_error(replies->front());
  return std::move(replies->front());
}

Error RedisConnection::cannot_search(const redis::Reply& reply) const {
  constexpr const char* kWayOut = "use Redis 8 or redis-stack, or keep the store on disk (store = \"embedded\")";
  if (reply.text.starts_with("ERR unknown command")) {
    return {ErrorCode::unavailable, "Redis at " + where_ + " has no search module: " + kWayOut};
  }
  Error error = redis::to_error(reply);
  if (error.code != ErrorCode::internal) return error;
  return {ErrorCode::unavailable,
          "the search module of Redis at " + where_ + " is too old (RediSearch 2.6 is needed): " + kWayOut};
}

}  // namespace sosie::store
