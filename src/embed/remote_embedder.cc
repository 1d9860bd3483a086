#include "embed/remote_embedder.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "net/http_message.h"
#include "text/embeddings_json.h"

namespace sosie::embed {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t kMaxAnswerBytes = 64 << 20;
constexpr std::size_t kAnswerBytesOfAText = 1 << 20;  // kMaxDimension numbers as they are written
constexpr std::size_t kAnswerBytesBesides = 64 << 10;

net::HttpClientOptions client_options(const RemoteModel& model) {
  net::HttpClientOptions options;
  // A call's deadline bounds it as a whole: none of its parts has one of its own.
  options.connect_timeout = options.first_byte_timeout = options.idle_timeout = options.total_timeout = model.timeout;
  options.max_response_bytes = kMaxAnswerBytes;
  return options;
}

/// What a status other than 200 means.
Error status_error(int status) {
  const std::string answered = "it answered " + std::to_string(status) + ": ";
  switch (status) {
    case 400:
    case 422: return {ErrorCode::invalid_argument, answered + "it does not take this text or this model"};
    case 404: return {ErrorCode::invalid_argument, answered + "check base URL (does it end in /v1?) and model"};
    case 413: return {ErrorCode::invalid_argument, answered + "the text is too long; limit its tokens"};
    case 401:
    case 403: return {ErrorCode::permission_denied, answered + "check the API key"};
    case 402: return {ErrorCode::permission_denied, answered + "the account has no credit"};
    case 429: return {ErrorCode::resource_exhausted, answered + "too many calls; it is left alone for a moment"};
    default: return {ErrorCode::unavailable, answered + "it is left alone for a moment"};
  }
}

/// Tells the breaker how an attempt ended; one that was abandoned counts as failed, so that the next caller may try.
class Attempt {
 public:
  explicit Attempt(net::Backoff& breaker) : breaker_(breaker) {}
  ~Attempt() { good_ ? breaker_.succeeded() : breaker_.failed(steady_clock::now()); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void succeeded() { good_ = true; }

 private:
  net::Backoff& breaker_;
  bool good_ = false;
};

}  // namespace

RemoteEmbedder::RemoteEmbedder(net::Executor executor, std::shared_ptr<const RemoteModel> model, Breaker breaker)
    : model_(std::move(model)),
      breaker_(std::move(breaker)),
      client_(std::move(executor), model_->base, client_options(*model_)) {}
RemoteEmbedder::~RemoteEmbedder() = default;

net::Task<Result<RemoteEmbedder::Vectors>> RemoteEmbedder::embed(std::vector<std::string> texts, std::string metadata,
                                                                 net::SteadyTime deadline) {
  if (texts.empty()) co_return Vectors();
  auto body = text::write_embeddings_request(model_->model, texts, metadata);
  if (!body) co_return body.error();
  const auto now = steady_clock::now();
  deadline = std::min(deadline, now + model_->timeout);
  if (deadline <= now) co_return fail(ErrorCode::deadline_exceeded, "there was no time left to ask it");
  if (!breaker_->allows(now))
    co_return fail(ErrorCode::unavailable, "it failed a moment ago and is left alone for now");
  Attempt attempt(*breaker_);
  auto vectors = co_await ask(std::move(*body), texts.size(), deadline);
  if (vectors) {
    attempt.succeeded();
    co_return std::move(vectors);
  }
  const ErrorCode code = vectors.error().code;
  if (code == ErrorCode::invalid_argument || code == ErrorCode::permission_denied) attempt.succeeded();  // it is up
  co_return fail(code, vectors.error().message);
}

net::Task<Result<RemoteEmbedder::Vectors>> RemoteEmbedder::ask(std::string body, std::size_t texts,
                                                               net::SteadyTime deadline) {
  net::ClientRequest request;
  request.method = "POST";
  request.target = "/embeddings";
  request.headers = "Content-Type: application/json\r\nAccept: application/json\r\nUser-Agent: sosie\r\n";
  if (!model_->api_key.empty()) net::append_header(request.headers, "Authorization", "Bearer " + model_->api_key);
  if (!model_->organization.empty()) net::append_header(request.headers, "OpenAI-Organization", model_->organization);
  request.body = std::move(body);
  request.deadline = deadline;
  auto sent = co_await client_.send(std::move(request));
  if (auto* failure = std::get_if<net::ClientError>(&sent)) co_return std::move(failure->error);
  auto& response = std::get<net::ClientResponse>(sent);
  if (response.status() != 200) co_return status_error(response.status());

  const std::size_t limit = std::min(kMaxAnswerBytes, kAnswerBytesBesides + texts * kAnswerBytesOfAText);
  std::string answer;
  for (;;) {
    auto read = co_await response.read();
    if (auto* failure = std::get_if<net::ClientError>(&read)) co_return std::move(failure->error);
    const auto& piece = std::get<std::string>(read);
    if (piece.empty()) break;
    if (answer.size() + piece.size() > limit)
      co_return Error{ErrorCode::resource_exhausted, "its answer is larger than any vectors are"};
    answer += piece;
  }
  co_return text::read_embeddings_answer(answer, texts);
}

Error RemoteEmbedder::fail(ErrorCode code, std::string_view what) const {
  return {code, "the embedding endpoint " + model_->base.authority() + ": " + std::string(what)};
}

}  // namespace sosie::embed
