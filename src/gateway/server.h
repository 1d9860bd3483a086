// server.h: the gateway as an object: listens, answers, drains.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "sosie/cache.h"
#include "sosie/result.h"

namespace sosie::gateway {

/// An OpenAI-compatible API that answers what the cache cannot.
struct UpstreamOptions {
  std::string base_url;  ///< As OpenAI's clients take it, e.g. "https://api.openai.com/v1"; http or https.
  std::string api_key;   ///< Replaces the caller's Authorization. Empty: the caller's is passed on.

  std::chrono::milliseconds connect_timeout{5'000};      ///< Name, TCP and TLS together.
  std::chrono::milliseconds first_byte_timeout{600'000};  ///< From the request sent to the answer's headers.
  std::chrono::milliseconds idle_timeout{60'000};        ///< Between two pieces of an answer.
  std::chrono::milliseconds total_timeout{900'000};      ///< The whole call.
  std::uint64_t max_response_bytes = std::uint64_t{32} << 20;  ///< Longer answers are cut with an error.
};

struct ServerOptions {
  std::string address = "127.0.0.1";  ///< An IP address, v4 or v6.
  std::uint16_t port = 8080;          ///< 0: any free one, see `Server::port`.
  std::optional<UpstreamOptions> upstream;  ///< Unset: chat answers hits, and 503 on a miss.
  std::string embedding_model = "all-MiniLM-L6-v2";  ///< The name /v1/embeddings and /v1/models give the local encoder.

  std::size_t io_threads = 1;       ///< Run sockets; never compute.
  std::size_t encoder_threads = 1;  ///< Texts encoded and scopes scanned at a time.
  std::size_t max_queued = 256;     ///< Waiting lookups; beyond, a lookup counts as a miss and is forwarded.
  std::chrono::milliseconds lookup_timeout{2'000};  ///< A lookup or store that takes longer is left behind.

  std::size_t max_header_bytes = 16 << 10;
  std::uint64_t max_body_bytes = std::uint64_t{8} << 20;  ///< Larger bodies get 413 and are not read.
  std::size_t max_connections = 4'096;
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};   ///< Between two requests of a connection.
  std::chrono::milliseconds write_timeout{30'000};  ///< For a client that does not read.
  std::chrono::milliseconds shutdown_grace{25'000};  ///< What requests in flight have to finish in.

  std::size_t langcache_max_prompt = 1'024;  ///< Characters, as Redis LangCache allows.
};

/// A running gateway. Thread-safety: `stop` from any thread; else one thread at a time.
class Server {
 public:
  /// Binds, listens and starts the threads.
  ///
  /// Errors: invalid_argument (address, upstream URL, a limit of 0), unavailable (port in use), permission_denied.
  static Result<Server> start(std::shared_ptr<SemanticCache> cache, ServerOptions options);

  Server(Server&&) noexcept;
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
