// endpoint.h: RedisOptions, read and checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "sosie/redis.h"
#include "sosie/result.h"

namespace sosie::redis {

/// A plain value. Never logged: it holds the password.
struct Endpoint {
  std::string host;  ///< A name or an address without brackets; empty with a unix socket.
  std::uint16_t port = 6379;
  std::string unix_socket;         ///< A path; empty: TCP.
  std::string username, password;  ///< Empty: none.
  int db = 0;
  int protocol = 2;  ///< 2 or 3.
  RedisTls tls;
  std::chrono::milliseconds connect_timeout{1'000}, command_timeout{1'000};
};

/// Errors: invalid_argument (not a Redis URL, a number out of range, a client certificate without its key); the text
/// holds no part of the URL but its scheme.
Result<Endpoint> read_endpoint(const RedisOptions& options);

}  // namespace sosie::redis
