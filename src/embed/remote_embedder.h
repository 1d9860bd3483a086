// remote_embedder.h: an embedding model behind an OpenAI-compatible endpoint (POST {base}/embeddings).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "embed/remote_model.h"
#include "net/backoff.h"
#include "net/http_client.h"
#include "net/task.h"
#include "sosie/result.h"

namespace sosie::embed {

/// What clients of one endpoint on any threads share: the circuit breaker.
using Breaker = std::shared_ptr<net::Backoff>;

/// Thread-safety: none; lives on its executor's thread and outlives its tasks.
class RemoteEmbedder {
 public:
  using Vectors = std::vector<std::vector<float>>;

  RemoteEmbedder(net::Executor executor, std::shared_ptr<const RemoteModel> model, Breaker breaker);
  ~RemoteEmbedder();

  /// One vector a text, in order, as the endpoint gave them (not normalised, none all 0). One attempt; but where a kept
  /// connection proves dead before any byte of the answer, the call is sent once more. `metadata` is a JSON object passed
  /// along in the body, as LiteLLM's Router path does; empty: none. The earlier of `deadline` and the model's timeout
  /// counts.
  ///
  /// Errors: invalid_argument (refused: 400, 404, 413, 422; the metadata), permission_denied (401, 402, 403),
  /// resource_exhausted (429; an answer too large), deadline_exceeded, unavailable (any other status, no connection, a
  /// malformed answer; or the breaker is open: then at once). All but the first two open the breaker. No text, key or
  /// word of the answer is part of an error.
  net::Task<Result<Vectors>> embed(std::vector<std::string> texts, std::string metadata, net::SteadyTime deadline);

 private:
  net::Task<Result<Vectors>> ask(std::string body, std::size_t texts, net::SteadyTime deadline);
  Error fail(ErrorCode code, std::string_view what) const;

  std::shared_ptr<const RemoteModel> model_;
  Breaker breaker_;
  net::HttpClient client_;
};

}  // namespace sosie::embed
