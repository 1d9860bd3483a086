// redis_connection.h: commands and scripts sent to the Redis server of one store by callers that wait for the replies.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/lanes.h"
#include "redis/client.h"
#include "store/redis_schema.h"
#include "store/redis_scripts.h"
#include "store/redis_touches.h"

namespace sosie::store {

/// Thread-safety: every method may be called concurrently.
/// Errors of all: those of redis::Client; resource_exhausted (all connections are busy for too long).
class RedisConnection {
 public:
  using Words = std::span<const std::string>;

  /// Does not connect. Errors: invalid_argument.
  static Result<RedisConnection> make(const RedisOptions& options, RedisKeys keys);

  const RedisKeys& keys() const noexcept { return keys_; }

  /// When a call that begins now must have ended.
  net::SteadyTime deadline() const { return net::after(command_timeout_); }

  /// The replies, one a command; a server's error is a reply like any other.
  Result<std::vector<redis::Reply>> send(redis::Pipeline commands);
  /// The same, where no command may fail.
  Result<std::vector<redis::Reply>> send_all(redis::Pipeline commands);

  /// Runs a script that writes.
  Result<redis::Reply> write(const RedisScript& script, std::vector<std::string> arguments);

  /// An entry was returned to somebody at this time. Sent ahead of what is sent next, without a round trip of its own: whoever
  /// looks here afterwards sees it, other processes a little later. Where that fails, it is a hit less.
  void touch(std::string_view id, std::int64_t now_ms) { touches_->add(id, now_ms); }

  /// Sends what is still to be said of touches.
  void flush_touches();

  /// Runs a script, which the server may have to be told first. A server's error is an error.
  Result<redis::Reply> call(const RedisScript& script, Words keys, Words arguments) {
    return call("EVALSHA", "EVAL", script, keys, arguments);
  }
  /// One that only reads.
  Result<redis::Reply> call_reading(const RedisScript& script, Words keys, Words arguments) {
    return call("EVALSHA_RO", "EVAL_RO", script, keys, arguments);
  }

  /// What a search command's error means: perhaps that the search module is missing or too old.
  Error cannot_search(const redis::Reply& reply) const;

 private:
  RedisConnection(redis::Endpoint endpoint, std::size_t pool_size, RedisKeys keys);
  Result<std::vector<redis::Reply>> run(redis::Pipeline commands);
  Result<redis::Reply> call(std::string_view by_sha, std::string_view by_text, const RedisScript& script, Words keys,
                            Words arguments);

  std::string where_;
  std::chrono::milliseconds command_timeout_;
  RedisKeys keys_;
  std::unique_ptr<RedisTouches> touches_ = std::make_unique<RedisTouches>();
  std::unique_ptr<net::Lanes<redis::Client>> lanes_;
};

}  // namespace sosie::store
