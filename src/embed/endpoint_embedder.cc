#include "embed/endpoint_embedder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/digest.h"
#include "text/utf8.h"

namespace sosie::embed {
namespace {

// Endpoints bound the texts of a call, or all their tokens; few of them gain from more.
constexpr std::size_t kTextsACall = 64;

// The smallest window of the models that people run. A window larger than the real one would let two texts meet that differ only where
// the endpoint has cut both.
constexpr std::size_t kSmallWindow = 256;
constexpr std::size_t kOpenAiWindow = 8'191;

std::size_t window_of(const RemoteEmbedderOptions& options) {
  if (options.max_tokens != 0) return options.max_tokens;
  const std::string_view name = std::string_view(options.model).substr(options.model.rfind('/') + 1);
  return name.starts_with("text-embedding-3-") || name == "text-embedding-ada-002" ? kOpenAiWindow : kSmallWindow;
}

std::string url_of(const net::BaseUrl& base) { return (base.tls ? "https://" : "http://") + base.authority() + base.path; }

std::string with_replacements(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const text::Decoded next = text::decode_at(text, at);
    text::append_utf8(next.point, out);
    at += next.bytes;
  }
  return out;
}

// To length 1.
void normalize(std::vector<float>& vector) {
  double squares = 0;
  for (const float v : vector) squares += static_cast<double>(v) * static_cast<double>(v);
  const double inverse = 1 / std::sqrt(squares);
  for (float& v : vector) v = static_cast<float>(static_cast<double>(v) * inverse);
}

}  // namespace

EndpointEmbedder::EndpointEmbedder(std::shared_ptr<const RemoteModel> model, const RemoteEmbedderOptions& options)
    : model_(std::move(model)), prefix_(options.prefix), window_(window_of(options)),
      lanes_(options.max_connections, [model = model_, breaker = std::make_shared<net::Backoff>()](net::Executor executor) {
        return std::make_unique<RemoteEmbedder>(std::move(executor), model, breaker);
      }) {}

Result<std::shared_ptr<EndpointEmbedder>> EndpointEmbedder::open(const RemoteEmbedderOptions& options) {
  if (options.max_connections == 0) return Error{ErrorCode::invalid_argument, "the embedding endpoint: max_connections is 0; it must be at least 1"};
  if (options.timeout.count() <= 0) return Error{ErrorCode::invalid_argument, "the embedding endpoint: timeout must be positive"};
  auto model = find_remote_model(options.model, options.url, options.api_key, "");
  if (!model) return model.error();
  model->timeout = options.timeout;
  if (!options.url.empty() && !is_openai(model->base)) {
    // The environment's key and organisation belong to another endpoint.
    model->api_key = options.api_key;
    model->organization.clear();
  }
  std::shared_ptr<EndpointEmbedder> embedder(new EndpointEmbedder(std::make_shared<const RemoteModel>(std::move(*model)), options));
  embedder->dimension_ = options.dimension != 0 ? options.dimension : known_dimension(options.model);
  if (embedder->dimension_ == 0) {
    auto tried = embedder->ask({"a"});
    if (!tried) {
      return Error{tried.error().code, tried.error().message + "; it was asked how long its vectors are: say so (dimension) to start without it"};
    }
    embedder->dimension_ = tried->front().size();
  }
  base::DigestBuilder digest;
  digest.add("sosie embedding endpoint 1").add(url_of(embedder->model_->base)).add(embedder->model_->model);
  digest.add(static_cast<std::uint64_t>(embedder->dimension_)).add(static_cast<std::uint64_t>(embedder->window_));
  if (!options.prefix.empty()) digest.add(options.prefix);
  embedder->fingerprint_ = base::to_hex(digest.finish()).substr(0, 32);
  return embedder;
}

std::string EndpointEmbedder::describe() const { return model_->model + " at " + url_of(model_->base); }

std::string EndpointEmbedder::unseen(std::string_view text) const {
  const std::size_t room = window_ - std::min(window_, prefix_.size());
  return std::string(text.substr(text::prefix_of(text, room).size()));
}

Result<RemoteEmbedder::Vectors> EndpointEmbedder::ask(std::vector<std::string> texts) const {
  const auto deadline = net::after(model_->timeout);
  return lanes_.run<RemoteEmbedder::Vectors>(
      [&](RemoteEmbedder& remote) -> net::Task<Result<RemoteEmbedder::Vectors>> { co_return co_await remote.embed(std::move(texts), "", deadline); },
      deadline);
}

Result<std::vector<Embedding>> EndpointEmbedder::embed(std::span<const std::string_view> texts) const {
  std::vector<Embedding> out;
  for (std::size_t first = 0; first < texts.size(); first += kTextsACall) {
    std::vector<std::string> some;
    for (const std::string_view text : texts.subspan(first, std::min(kTextsACall, texts.size() - first))) some.push_back(prefix_ + with_replacements(text));
    auto vectors = ask(some);
    if (!vectors) return vectors.error();
    for (std::size_t i = 0; i < vectors->size(); ++i) {
      std::vector<float>& vector = (*vectors)[i];
      if (vector.size() != dimension_) {
        return Error{ErrorCode::unavailable, "the embedding endpoint's vectors have " + std::to_string(vector.size()) + " floats, not " +
                                                 std::to_string(dimension_) + ": another model answers, or the dimension given is wrong"};
      }
      normalize(vector);
      Embedding embedding;
      embedding.vector = std::move(vector);
      embedding.unseen = unseen(texts[first + i]);
      out.push_back(std::move(embedding));
    }
  }
  return out;
}

}  // namespace sosie::embed

namespace sosie {

Result<std::shared_ptr<Embedder>> open_remote_embedder(const RemoteEmbedderOptions& options) {
  auto embedder = embed::EndpointEmbedder::open(options);
  if (!embedder) return embedder.error();
  return std::shared_ptr<Embedder>(std::move(*embedder));
}

}  // namespace sosie
