// redis.h: how to reach a Redis server.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

namespace sosie {

/// TLS to the server: encrypted by a rediss:// URL, or by `enabled`. Verified unless told otherwise.
struct RedisTls {
  bool enabled = false;
  bool verify = true;                           ///< The server's certificate and its name.
  std::filesystem::path ca_file;                ///< PEM. Empty: the system's store.
  std::filesystem::path client_certificate;     ///< PEM chain, where the server asks for one; with `client_key`.
  std::filesystem::path client_key;             ///< PEM.
};

/// How to reach a Redis server (7.x with the search module, redis-stack, or Redis 8).
///
/// A password in a URL is percent-decoded. No member is ever logged or put into an error.
struct RedisOptions {
  /// redis://[[user]:password@]host[:port][/db], rediss://… (TLS), unix:///path/to/socket[?db=N].
  /// "?protocol=3" asks for RESP3.
  std::string url;

  std::string username;  ///< ACL user. Set here or in the URL; here it wins. So for the three below.
  std::string password;
  int db = -1;           ///< -1: the URL's, else 0.
  RedisTls tls;

  std::chrono::milliseconds connect_timeout{1'000};  ///< Resolving, connecting, TLS, authentication together.
  std::chrono::milliseconds command_timeout{1'000};  ///< From a command written to its reply.
  std::size_t pool_size = 16;  ///< Connections for callers that block, 1 to 1024; made as they are needed.
};

}  // namespace sosie
