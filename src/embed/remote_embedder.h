// remote_embedder.h: an embedding model behind an OpenAI-compatible endpoint (POST {base}/embeddings).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/backoff.h"
#include "net/http_client.h"
#include "net/task.h"
#include "net/url.h"
#include "sosie/result.h"

namespace sosie::embed {

struct RemoteModel {
  net::BaseUrl base;          ///< e.g. https://api.openai.com/v1
  std::string api_key;        ///< Sent as a bearer token where not empty; never logged.
  std::string organization;   ///< OpenAI-Organization, where not empty.
  std::string model;          ///< e.g. "text-embedding-ada-002".
  net::Milliseconds timeout{5'000};  ///< Of a whole call.
};

/// The model's base URL, key and organisation: those given, else $OPENAI_BASE_URL (or $OPENAI_API_BASE), $OPENAI_API_KEY, $OPENAI_ORGANIZATION; without a base
/// URL, https://api.openai.com/v1. Errors: invalid_argument (the URL).
Result<RemoteModel> find_remote_model(std::string model, std::string base_url, std::string api_key, std::string organization);

/// Floats in the vectors of the models that everybody uses ("text-embedding-ada-002": 1536, …), provider prefix or not; 0: not known.
std::size_t known_dimension(std::string_view model) noexcept;

/// What clients of one endpoint on any threads share: the circuit breaker.
using Breaker = std::shared_ptr<net::Backoff>;

/// Thread-safety: none; lives on its executor's thread and outlives its tasks.
class RemoteEmbedder {
 public:
  RemoteEmbedder(boost::asio::any_io_executor executor, std::shared_ptr<const RemoteModel> model, Breaker breaker);
  ~RemoteEmbedder();

  /// One vector a text, in order, as the endpoint gave them (not normalised). One attempt. `metadata` is a JSON object passed
  /// along in the body ("metadata"), as LiteLLM's Router path does; empty: none. `deadline`: the earlier of it and the model's timeout counts.
  ///
  /// Errors: invalid_argument (a text is refused: 400, 404, 413, 422), permission_denied (401, 403), resource_exhausted (429; an answer too large), unavailable
  /// (5xx, no connection, malformed answer, or the breaker is open: then at once), deadline_exceeded. Connection failures, timeouts, 429 and 5xx open the
  /// breaker; a text that is refused does not. Texts are never part of an error.
  net::Task<Result<std::vector<std::vector<float>>>> embed(std::vector<std::string> texts, std::string metadata, net::SteadyTime deadline);

 private:
  std::shared_ptr<const RemoteModel> model_;
  Breaker breaker_;
  net::HttpClient client_;
};

}  // namespace sosie::embed
