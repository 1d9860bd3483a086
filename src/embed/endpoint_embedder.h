// endpoint_embedder.h: an embedding model behind an OpenAI-compatible endpoint, for callers that block.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "embed/remote_embedder.h"
#include "net/lanes.h"
#include "sosie/embedder.h"

namespace sosie::embed {

/// See `open_remote_embedder`. Thread-safety: every method may be called concurrently.
class EndpointEmbedder final : public Embedder {
 public:
  static Result<std::shared_ptr<EndpointEmbedder>> open(const RemoteEmbedderOptions& options);

  std::size_t dimension() const noexcept override { return dimension_; }
  std::string_view fingerprint() const noexcept override { return fingerprint_; }
  std::size_t max_tokens() const noexcept override { return window_; }

  /// What lies beyond as many bytes as the window has tokens, for an endpoint does not say where it cuts, and no token is shorter.
  std::string unseen(std::string_view text) const override;

  /// Errors: those of `RemoteEmbedder::embed`; unavailable (vectors of another length than before: another model answers).
  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override;

  /// "text-embedding-3-small at https://api.openai.com/v1".
  std::string describe() const;

 private:
  EndpointEmbedder(std::shared_ptr<const RemoteModel> model, const RemoteEmbedderOptions& options);
  Result<RemoteEmbedder::Vectors> ask(std::vector<std::string> texts) const;

  const std::shared_ptr<const RemoteModel> model_;
  const std::string prefix_;
  const std::size_t window_;
  std::size_t dimension_ = 0;
  std::string fingerprint_;
  mutable net::Lanes<RemoteEmbedder> lanes_;
};

}  // namespace sosie::embed
