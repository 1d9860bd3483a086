// embeddings.h: the bodies of POST /v1/embeddings.
#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "gateway/json.h"
#include "protocol/question.h"
#include "sosie/embedder.h"

namespace sosie::gateway {

using protocol::BadRequest;

inline constexpr std::size_t kMaxEmbeddingInputs = 2'048;

struct EmbeddingsRequest {
  std::vector<std::string> inputs;
  bool base64 = false;
};

/// `dimension`: what the encoder has; another is refused.
std::variant<EmbeddingsRequest, protocol::BadRequest> read_embeddings_request(JsonReader& reader, const std::string& body, std::size_t dimension);

std::string render_embeddings(std::span<const Embedding> embeddings, bool base64, std::string_view model);

}  // namespace sosie::gateway
