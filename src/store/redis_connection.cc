#include "store/redis_connection.h"

#include <utility>

#include "net/backoff.h"

namespace sosie::store {

Result<RedisConnection> RedisConnection::make(const RedisOptions& options) {
  auto endpoint = redis::read_endpoint(options);
  if (!endpoint) return std::move(endpoint).error();
  return RedisConnection(*std::move(endpoint), options.pool_size);
}

RedisConnection::RedisConnection(redis::Endpoint endpoint, std::size_t pool_size)
    : where_(endpoint.unix_socket.empty() ? endpoint.host + ":" + std::to_string(endpoint.port) : endpoint.unix_socket),
      command_timeout_(endpoint.command_timeout) {
  // One for all connections: a server that hangs is found out once.
  const auto backoff = std::make_shared<net::Backoff>();
  lanes_ = std::make_unique<net::Lanes<redis::Client>>(
      pool_size, [endpoint = std::move(endpoint), backoff](boost::asio::any_io_executor executor) {
        return std::make_unique<redis::Client>(std::move(executor), endpoint, backoff);
      });
}

Result<std::vector<redis::Reply>> RedisConnection::send(redis::Pipeline commands) {
  const auto until = deadline();
  const std::function<net::Task<Result<std::vector<redis::Reply>>>(redis::Client&)> job = [&](redis::Client& client) {
    return client.run(std::move(commands), until);
  };
  return lanes_->run(job, until);
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
  const std::string key_count = std::to_string(keys.size());
  const auto run = [&](std::string_view command, std::string_view named) {
    std::vector<std::string_view> words{command, named, key_count};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    redis::Pipeline commands;
    commands.add(words);
    return send(std::move(commands));
  };
  auto replies = run(by_sha, script.sha);
  const bool unknown = replies && replies->front().is_error() && replies->front().text.starts_with("NOSCRIPT");
  if (unknown) replies = run(by_text, script.text);
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
