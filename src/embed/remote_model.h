// remote_model.h: which embedding model, at which endpoint.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "net/task.h"
#include "net/url.h"
#include "sosie/result.h"

namespace sosie::embed {

struct RemoteModel {
  net::BaseUrl base;                 ///< e.g. https://api.openai.com/v1; calls go to {base}/embeddings.
  std::string api_key;               ///< Sent as a bearer token where not empty; never logged.
  std::string organization;          ///< OpenAI-Organization, where not empty.
  std::string model;                 ///< As the endpoint calls it, e.g. "text-embedding-ada-002".
  net::Milliseconds timeout{5'000};  ///< Of a whole call.
};

/// The model's base URL, key and organisation: those given, else $OPENAI_BASE_URL (or $OPENAI_API_BASE), $OPENAI_API_KEY,
/// $OPENAI_ORGANIZATION; without a base URL, https://api.openai.com/v1, which is not told a prefix "openai/".
///
/// Errors: invalid_argument (the URL, no model, a control character in key or organisation).
Result<RemoteModel> find_remote_model(std::string model, std::string base_url, std::string api_key,
                                      std::string organization);

/// Whether this is OpenAI itself, which the environment's key belongs to.
bool is_openai(const net::BaseUrl& base) noexcept;

/// Floats in the vectors of models that everybody uses, with or without a provider's prefix ("openai/…", "BAAI/…"); 0: not
/// known. An Azure deployment may have any name, so none is known.
std::size_t known_dimension(std::string_view model) noexcept;

}  // namespace sosie::embed
