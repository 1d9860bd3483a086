// client.h: one multiplexed connection to a Redis server, made when it is needed and made again when it breaks.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <vector>

#include "net/backoff.h"
#include "net/task.h"
#include "redis/endpoint.h"
#include "redis/pipeline.h"
#include "redis/reply.h"
#include "sosie/result.h"

namespace sosie::redis {

/// Thread-safety: none; lives on its executor's thread and outlives its tasks. `backoff` may be shared by clients of
/// one server on any threads.
class Client {
 public:
  Client(boost::asio::any_io_executor executor, Endpoint endpoint, std::shared_ptr<net::Backoff> backoff);
  ~Client();

  /// Sends all commands in one write and waits for all their replies, in order. Any number of calls may be under way;
  /// their commands go out in the order of the calls. A server's error is a Reply like any other.
  ///
  /// Connects first where there is no connection. A connection that was idle and turns out dead before any byte of a
  /// reply is replaced once and the commands are sent again: use it for commands that may be repeated.
  /// Errors: unavailable (cannot connect, connection lost, or backing off: then at once), deadline_exceeded (a
  /// connection on which nothing has come meanwhile is closed; other calls on it end with unavailable),
  /// permission_denied and whatever else to_error makes of a refused login or database, invalid_argument (a TLS file
  /// cannot be read), cancelled.
  net::Task<Result<std::vector<Reply>>> run(Pipeline commands, net::SteadyTime deadline);

  /// Closes the connection; calls under way end with cancelled.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sosie::redis
