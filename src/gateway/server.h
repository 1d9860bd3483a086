// server.h: the gateway as an object: listens, answers, drains.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "gateway/options.h"
#include "sosie/cache.h"
#include "sosie/result.h"

namespace sosie::gateway {

/// A running gateway. Thread-safety: `stop` from any thread; else one thread at a time.
class Server {
 public:
  /// Binds, listens and starts the threads.
  ///
  /// Errors: invalid_argument (address, upstream URL, a limit of 0), unavailable (port in use), permission_denied, resource_exhausted
  /// (the process may open too few files).
  static Result<Server> start(std::shared_ptr<SemanticCache> cache, ServerOptions options);

  Server(Server&&) noexcept;
  /// Stops what was there, as `stop` does.
  Server& operator=(Server&&) noexcept;
  /// Stops as `stop` does.
  ~Server();

  std::uint16_t port() const noexcept;

  /// "http://127.0.0.1:8080"
  std::string url() const;

  /// Blocks until SIGINT or SIGTERM, sweeping the cache once a minute, then stops; a second signal ends the grace period.
  /// For the process's last act: both signals are ignored afterwards.
  void run_until_signal(const std::function<void()>& ready = {});

  /// Stops accepting, lets requests in flight finish within `shutdown_grace`, then cancels them. Blocks. Idempotent.
  void stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  static void wait_for_signal(Impl& impl, const std::function<void()>& ready);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::gateway
