// options.h: the settings of a gateway.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "decide/reuse.h"
#include "gateway/request/cache_directives.h"
#include "gateway/request/tenant.h"

namespace sosie::gateway {

/// How an upstream wants its key.
enum class KeyHeader { authorization, x_api_key, api_key };  ///< "Authorization: Bearer K", "x-api-key: K", "api-key: K"

/// An API that answers what the cache cannot.
struct UpstreamOptions {
  std::string name = "upstream";             ///< In logs and metrics.
  std::string base_url;                      ///< As OpenAI's clients take it, e.g. "https://api.openai.com/v1"; http or https.
  std::vector<std::string> models = {"*"};   ///< Names, or patterns with '*' for any run of characters.
  std::string api_key;                       ///< Replaces the caller's credentials. Empty: the caller's are passed on.
  KeyHeader key_header = KeyHeader::authorization;

  std::chrono::milliseconds connect_timeout{5'000};      ///< Name, TCP and TLS together.
  std::chrono::milliseconds first_byte_timeout{600'000};  ///< From the request sent to the answer's headers.
  std::chrono::milliseconds idle_timeout{60'000};        ///< Between two pieces of an answer.
  std::chrono::milliseconds total_timeout{900'000};      ///< The whole call.
};

struct ServerOptions {
  std::string address = "127.0.0.1";  ///< An IP address, v4 or v6.
  std::uint16_t port = 8080;          ///< 0: any free one, see `Server::port`.
  std::vector<UpstreamOptions> upstreams;  ///< The first that has the model is asked. None: hits are answered, and 503 on a miss.
  std::string embedding_model = "all-MiniLM-L6-v2";  ///< The name /v1/embeddings and /v1/models give the local encoder.
                                                     ///< Empty: there is none, and upstreams alone are asked for embeddings.

  TenantOptions tenant;
  Compat compat;
  decide::ReusePolicy reuse;
  bool opt_in = false;          ///< Only requests that ask for the cache use it.
  bool cross_protocol = true;   ///< An answer of one chat API serves the same question by another one.
  std::vector<std::string> ignored_headers;  ///< In lower case: are passed on, and change no answer, e.g. a tracer's.
  std::vector<std::string> ignored_fields;  ///< Fields of a body that change no answer, e.g. "user", "metadata.user_id".
  std::chrono::milliseconds replay_pace{0};  ///< Between two events of a replayed stream. 0: at once.
  std::chrono::milliseconds follow_timeout{10'000};  ///< How long a request waits for the first byte of another's call before it makes its own.
  std::uint64_t max_kept_bytes = std::uint64_t{4} << 20;  ///< Longer answers are passed on piece by piece, and not kept.

  std::size_t io_threads = 1;       ///< Run sockets; never compute.
  std::size_t encoder_threads = 1;  ///< Texts encoded and scopes scanned at a time.
  std::size_t max_queued = 256;     ///< Waiting lookups; beyond, a lookup counts as a miss and is forwarded.
  std::chrono::milliseconds lookup_timeout{2'000};  ///< A lookup or store that takes longer is left behind.

  std::size_t max_header_bytes = 16 << 10;
  std::uint64_t max_body_bytes = std::uint64_t{32} << 20;  ///< Larger bodies get 413 and are not read.
  std::size_t max_connections = 4'096;
  std::size_t max_upstream_calls = 2'048;  ///< Fewer than connections, so that hits and health have room. Beyond: 503.
  std::chrono::milliseconds header_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};   ///< Between two requests of a connection.
  std::chrono::milliseconds write_timeout{30'000};  ///< For a client that does not read.
  std::chrono::milliseconds shutdown_grace{25'000};  ///< What requests in flight have to finish in.

  std::size_t langcache_max_prompt = 1'024;  ///< Characters, as Redis LangCache allows.
};

}  // namespace sosie::gateway
