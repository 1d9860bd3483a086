#include "embed/remote_model.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace sosie::embed {
namespace {

constexpr std::string_view kOpenAiUrl = "https://api.openai.com/v1";
constexpr std::string_view kOpenAiHost = "api.openai.com";
constexpr std::string_view kOpenAiPrefix = "openai/";

struct Known {
  std::string_view model;  // lower case
  std::size_t dimension;
};

// What each model gives where nobody asks for fewer.
constexpr Known kKnown[] = {
    {"text-embedding-ada-002", 1536},
    {"text-embedding-3-small", 1536},
    {"text-embedding-3-large", 3072},
    // Cohere
    {"embed-english-v3.0", 1024},
    {"embed-multilingual-v3.0", 1024},
    {"embed-english-light-v3.0", 384},
    {"embed-multilingual-light-v3.0", 384},
    {"embed-v4.0", 1536},
    // Voyage
    {"voyage-3", 1024},
    {"voyage-3-large", 1024},
    {"voyage-3-lite", 512},
    {"voyage-3.5", 1024},
    {"voyage-3.5-lite", 1024},
    {"voyage-code-3", 1024},
    // Bedrock
    {"amazon.titan-embed-text-v1", 1536},
    {"amazon.titan-embed-text-v2:0", 1024},
    {"cohere.embed-english-v3", 1024},
    {"cohere.embed-multilingual-v3", 1024},
    // Google
    {"gemini-embedding-001", 3072},
    {"text-embedding-004", 768},
    {"text-embedding-005", 768},
    {"text-multilingual-embedding-002", 768},
    {"mistral-embed", 1024},
    // open weights
    {"bge-small-en-v1.5", 384},
    {"bge-base-en-v1.5", 768},
    {"bge-large-en-v1.5", 1024},
    {"bge-m3", 1024},
    {"e5-small-v2", 384},
    {"e5-base-v2", 768},
    {"e5-large-v2", 1024},
    {"multilingual-e5-small", 384},
    {"multilingual-e5-base", 768},
    {"multilingual-e5-large", 1024},
    {"multilingual-e5-large-instruct", 1024},
    {"gte-small", 384},
    {"gte-base", 768},
    {"gte-large", 1024},
    {"nomic-embed-text", 768},
    {"nomic-embed-text-v1", 768},
    {"nomic-embed-text-v1.5", 768},
    {"mxbai-embed-large", 1024},
    {"mxbai-embed-large-v1", 1024},
    {"all-minilm", 384},
    {"all-minilm-l6-v2", 384},
    {"all-minilm-l12-v2", 384},
    {"all-mpnet-base-v2", 768},
    {"paraphrase-multilingual-minilm-l12-v2", 384},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal(std::string_view text, std::string_view lower_case) {
  return std::equal(text.begin(), text.end(), lower_case.begin(), lower_case.end(),
                    [](char a, char b) { return lower(a) == b; });
}

std::string or_environment(std::string given, const char* name) {
  if (!given.empty()) return given;
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

bool fits_a_header(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

}  // namespace

Result<RemoteModel> find_remote_model(std::string model, std::string base_url, std::string api_key,
                                      std::string organization) {
  RemoteModel found;
  std::string url = or_environment(or_environment(std::move(base_url), "OPENAI_BASE_URL"), "OPENAI_API_BASE");
  auto base = net::parse_base_url(url.empty() ? kOpenAiUrl : url);
  if (!base) return Error{base.error().code, "the embedding endpoint: " + base.error().message};
  found.base = std::move(*base);
  found.api_key = or_environment(std::move(api_key), "OPENAI_API_KEY");
  found.organization = or_environment(std::move(organization), "OPENAI_ORGANIZATION");
  if (!fits_a_header(found.api_key) || !fits_a_header(found.organization))
    return Error{
        ErrorCode::invalid_argument,
        "the embedding endpoint's key or organisation holds a control character, perhaps a line's end: remove it"};
  if (is_openai(found.base) && model.starts_with(kOpenAiPrefix)) model.erase(0, kOpenAiPrefix.size());
  if (model.empty())
    return Error{ErrorCode::invalid_argument, "the embedding model has no name: give one, e.g. text-embedding-3-small"};
  found.model = std::move(model);
  return found;
}

bool is_openai(const net::BaseUrl& base) noexcept { return base.host == kOpenAiHost; }

std::size_t known_dimension(std::string_view model) noexcept {
  if (model.starts_with("azure/")) return 0;
  model.remove_prefix(model.rfind('/') + 1);  // all of it where there is none
  const auto* known =
      std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& each) { return equal(model, each.model); });
  return known == std::end(kKnown) ? 0 : known->dimension;
}

}  // namespace sosie::embed
