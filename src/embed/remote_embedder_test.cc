#include "embed/remote_embedder.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <thread>

#include "net/lanes.h"

namespace sosie::embed {
namespace {

using testing::HasSubstr;
using testing::Not;
using Vectors = RemoteEmbedder::Vectors;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kKey = "sk-s3cret";
constexpr const char* kText = "How do I reset my passphrase?";

int listen_on_loopback(int backlog) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(listener, backlog), 0);
  return listener;
}

sockaddr_in address_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  EXPECT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return address;
}

/// What an endpoint does with a request: sends bytes, then goes on, closes, says nothing more, or never stops sending.
struct Answer {
  enum Then { keep, close, hang, flood };
  std::string bytes;
  Then then = keep;
};

Answer http(int status, const std::string& body) {
  return {"HTTP/1.1 " + std::to_string(status) + " Whatever\r\nContent-Length: " + std::to_string(body.size()) +
          "\r\n\r\n" + body};
}

const std::string kOne =
    R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[3,-4]}],"model":"m","usage":{}})";

/// An HTTP endpoint on loopback that answers by script.
class Endpoint {
 public:
  explicit Endpoint(Answer answer = http(200, kOne))
      : answer_(std::move(answer)), listener_(listen_on_loopback(16)), accepting_([this] { accept(); }) {}
  ~Endpoint() {
    {
      std::lock_guard lock(mutex_);
      ::shutdown(listener_, SHUT_RDWR);
      for (const int each : sockets_) ::shutdown(each, SHUT_RDWR);
    }
    accepting_.join();
    for (auto& each : serving_) each.join();
    for (const int each : sockets_) ::close(each);
    ::close(listener_);
  }

  void answer(Answer answer) {
    std::lock_guard lock(mutex_);
    answer_ = std::move(answer);
  }

  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t connections() {
    std::lock_guard lock(mutex_);
    return sockets_.size();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(ntohs(address_of(listener_).sin_port)); }

 private:
  void accept() {
    for (;;) {
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) return;
      std::lock_guard lock(mutex_);
      sockets_.push_back(socket);
      serving_.emplace_back([this, socket] { serve(socket); });
    }
  }

  void serve(int socket) {
    while (const auto request = read_request(socket)) {
      Answer answer;
      {
        std::lock_guard lock(mutex_);
        requests_.push_back(*request);
        answer = answer_;
      }
      send(socket, answer.bytes);
      while (answer.then == Answer::flood && send(socket, "10000\r\n" + std::string(0x10000, '1') + "\r\n")) {}
      if (answer.then == Answer::close) ::shutdown(socket, SHUT_RDWR);
      if (answer.then == Answer::hang) {
        char byte;
        while (::recv(socket, &byte, 1, 0) > 0) {}
      }
    }
  }

  static bool send(int socket, const std::string& bytes) {
    return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }

  static std::optional<std::string> read_request(int socket) {
    std::string request;
    char bytes[4096];
    for (;;) {
      const auto end = request.find("\r\n\r\n");
      const auto length = request.find("Content-Length: ");
      if (end != std::string::npos && length < end &&
          request.size() >= end + 4 + std::stoul(request.substr(length + 16)))
        return request;
      const ssize_t count = ::recv(socket, bytes, sizeof bytes, 0);
      if (count <= 0) return std::nullopt;
      request.append(bytes, static_cast<std::size_t>(count));
    }
  }

  std::mutex mutex_;
  Answer answer_;
  std::vector<std::string> requests_;
  std::vector<int> sockets_;
  std::list<std::thread> serving_;
  const int listener_;
  std::thread accepting_;
};

/// The embedder as callers that block use it.
class Caller {
 public:
  explicit Caller(const std::string& url, milliseconds backoff = milliseconds{1},
                  milliseconds timeout = milliseconds{20'000}) {
    auto model = find_remote_model("text-embedding-ada-002", url, kKey, "org-1");
    EXPECT_TRUE(model);
    model->timeout = timeout;
    const auto shared = std::make_shared<const RemoteModel>(std::move(*model));
    const auto breaker = std::make_shared<net::Backoff>(backoff, backoff);
    lanes_.emplace(1, [shared, breaker](net::Executor executor) {
      return std::make_unique<RemoteEmbedder>(std::move(executor), shared, breaker);
    });
  }

  Result<Vectors> embed(std::vector<std::string> texts = {kText}, std::string metadata = "",
                        milliseconds deadline = milliseconds{20'000}) {
    const auto until = steady_clock::now() + deadline;
    return lanes_->run<Vectors>([&](RemoteEmbedder& embedder) { return embedder.embed(texts, metadata, until); },
                                until + deadline);
  }

 private:
  std::optional<net::Lanes<RemoteEmbedder>> lanes_;
};

void expect_error(const Result<Vectors>& result, ErrorCode code, const std::string& what = "") {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_THAT(result.error().message, HasSubstr(what));
  EXPECT_THAT(result.error().message, HasSubstr("127.0.0.1"));
  EXPECT_THAT(result.error().message, Not(HasSubstr("s3cret")));
  EXPECT_THAT(result.error().message, Not(HasSubstr("passphrase")));
}

TEST(RemoteEmbedder, AsksAsOpenAisClientDoes) {
  Endpoint endpoint;
  Caller caller(endpoint.url() + "/v1");
  const auto vectors = caller.embed();
  ASSERT_TRUE(vectors) << vectors.error().message;
  EXPECT_EQ(*vectors, (Vectors{{3, -4}}));
  const auto requests = endpoint.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_TRUE(requests[0].starts_with("POST /v1/embeddings HTTP/1.1\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("\r\nAuthorization: Bearer sk-s3cret\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("\r\nOpenAI-Organization: org-1\r\n"));
  EXPECT_THAT(requests[0], HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_TRUE(requests[0].ends_with(
      "\r\n\r\n{\"model\":\"text-embedding-ada-002\",\"input\":[\"How do I reset my passphrase?\"],\"encoding_format\":\"float\"}"));
}

TEST(RemoteEmbedder, PassesMetadataOn) {
  Endpoint endpoint;
  ASSERT_TRUE(Caller(endpoint.url()).embed({kText}, R"({"user_api_key":"hash"})"));
  EXPECT_TRUE(
      endpoint.requests().at(0).ends_with(R"("metadata":{"user_api_key":"hash","semantic-cache-embedding":true}})"));
}

TEST(RemoteEmbedder, TakesTheBaseUrlAsItIs) {
  const std::pair<const char*, const char*> paths[] = {{"", "/embeddings"},
                                                       {"/", "/embeddings"},
                                                       {"/v1", "/v1/embeddings"},
                                                       {"/v1/", "/v1/embeddings"},
                                                       {"/a/b/v1", "/a/b/v1/embeddings"}};
  for (const auto& [path, target] : paths) {
    Endpoint endpoint;
    ASSERT_TRUE(Caller(endpoint.url() + path).embed());
    EXPECT_TRUE(endpoint.requests().at(0).starts_with("POST " + std::string(target) + " HTTP/1.1\r\n")) << path;
  }
}

TEST(RemoteEmbedder, PutsVectorsIntoTheOrderOfTheTexts) {
  Endpoint endpoint(http(200, R"({"data":[{"index":1,"embedding":"AACAPwAAAMA="},{"index":0,"embedding":[5,6]}]})"));
  const auto vectors = Caller(endpoint.url()).embed({"a", "b"});
  ASSERT_TRUE(vectors) << vectors.error().message;
  EXPECT_EQ(*vectors, (Vectors{{5, 6}, {1, -2}}));
}

TEST(RemoteEmbedder, KeepsItsConnection) {
  Endpoint endpoint;
  Caller caller(endpoint.url());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(caller.embed());
  EXPECT_EQ(endpoint.connections(), 1U);
  EXPECT_EQ(endpoint.requests().size(), 3U);
}

TEST(RemoteEmbedder, AsksNobodyForNothing) {
  Caller caller("http://127.0.0.1:1");
  const auto vectors = caller.embed({});
  ASSERT_TRUE(vectors);
  EXPECT_TRUE(vectors->empty());
}

TEST(RemoteEmbedder, SaysWhatAStatusMeans) {
  const std::pair<int, ErrorCode> meanings[] = {
      {400, ErrorCode::invalid_argument},  {404, ErrorCode::invalid_argument},   {413, ErrorCode::invalid_argument},
      {422, ErrorCode::invalid_argument},  {401, ErrorCode::permission_denied},  {402, ErrorCode::permission_denied},
      {403, ErrorCode::permission_denied}, {429, ErrorCode::resource_exhausted}, {307, ErrorCode::unavailable},
      {500, ErrorCode::unavailable},       {503, ErrorCode::unavailable}};
  for (const auto& [status, code] : meanings) {
    Endpoint endpoint(
        http(status, R"({"error":{"message":"Incorrect key sk-s3cret for: How do I reset my passphrase?"}})"));
    expect_error(Caller(endpoint.url()).embed(), code, std::to_string(status));
    EXPECT_EQ(endpoint.requests().size(), 1U) << "one attempt";
  }
}

TEST(RemoteEmbedder, TrustsNoAnswer) {
  const std::string begin = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + kOne;
  const std::string flood = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::pair<Answer, ErrorCode> bad[] = {
      {http(200, ""), ErrorCode::unavailable},
      {http(200, "<html>How do I reset my passphrase?</html>"), ErrorCode::unavailable},
      {http(200, R"({"data":[]})"), ErrorCode::unavailable},
      {http(200, R"({"error":"How do I reset my passphrase?"})"), ErrorCode::unavailable},
      {{"SSH-2.0-OpenSSH_9.2\r\n"}, ErrorCode::unavailable},
      {{"", Answer::close}, ErrorCode::unavailable},
      {{begin, Answer::close}, ErrorCode::unavailable},
      {{flood, Answer::flood}, ErrorCode::resource_exhausted},
  };
  for (const auto& [answer, code] : bad) {
    Endpoint endpoint(answer);
    expect_error(Caller(endpoint.url()).embed(), code);
    EXPECT_EQ(endpoint.requests().size(), 1U) << "one attempt";
  }
}

TEST(RemoteEmbedder, RefusesBadMetadataWithoutAsking) {
  Endpoint endpoint;
  const auto refused = Caller(endpoint.url()).embed({kText}, "[]");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_TRUE(endpoint.requests().empty());
}

TEST(RemoteEmbedder, NeverWaitsLongerThanItsDeadline) {
  const Answer hangs[] = {{"", Answer::hang},
                          {"HTTP/1.1 200 OK\r\n", Answer::hang},
                          {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{", Answer::hang}};
  for (const Answer& hang : hangs) {
    Endpoint endpoint(hang);
    const auto start = steady_clock::now();
    expect_error(Caller(endpoint.url()).embed({kText}, "", milliseconds{50}),
                 ErrorCode::deadline_exceeded);  // the caller's
    expect_error(Caller(endpoint.url(), milliseconds{1}, milliseconds{50}).embed(),
                 ErrorCode::deadline_exceeded);  // the model's
    EXPECT_LT(steady_clock::now() - start, milliseconds{5'000});
  }
}

TEST(RemoteEmbedder, NeverWaitsLongerForAConnectionEither) {
  const int listener = listen_on_loopback(0);
  const sockaddr_in address = address_of(listener);
  std::vector<int> crowd;  // fills the queue of connections that nobody accepts
  for (int i = 0; i < 8; ++i) {
    crowd.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    ::connect(crowd.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  const auto start = steady_clock::now();
  Caller caller("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  expect_error(caller.embed({kText}, "", milliseconds{50}), ErrorCode::deadline_exceeded);
  EXPECT_LT(steady_clock::now() - start, milliseconds{5'000});
  for (const int each : crowd) ::close(each);
  ::close(listener);
}

TEST(RemoteEmbedder, AsksNobodyWithoutTimeLeft) {
  Endpoint endpoint;
  Caller caller(endpoint.url(), milliseconds{600'000});
  expect_error(caller.embed({kText}, "", milliseconds{0}), ErrorCode::deadline_exceeded);
  EXPECT_TRUE(endpoint.requests().empty());
  EXPECT_TRUE(caller.embed()) << "that was not the endpoint's fault";
}

TEST(RemoteEmbedder, LeavesAFailingEndpointAlone) {
  const Answer failures[] = {http(500, ""), http(429, ""), http(200, "{}"), {"", Answer::close}};
  for (const Answer& failure : failures) {
    Endpoint endpoint(failure);
    Caller caller(endpoint.url(), milliseconds{600'000});
    ASSERT_FALSE(caller.embed());
    endpoint.answer(http(200, kOne));
    for (int i = 0; i < 3; ++i) expect_error(caller.embed(), ErrorCode::unavailable, "left alone");
    EXPECT_EQ(endpoint.requests().size(), 1U);
  }
}

TEST(RemoteEmbedder, LeavesADeadEndpointAlone) {
  const int closed = listen_on_loopback(1);
  const auto port = std::to_string(ntohs(address_of(closed).sin_port));
  ::close(closed);
  Caller caller("http://127.0.0.1:" + port, milliseconds{600'000});
  expect_error(caller.embed(), ErrorCode::unavailable, "refused");
  expect_error(caller.embed(), ErrorCode::unavailable, "left alone");
}

TEST(RemoteEmbedder, GoesOnAskingWhereOnlyATextOrAKeyIsRefused) {
  Endpoint endpoint;
  Caller caller(endpoint.url(), milliseconds{600'000});
  for (const int status : {400, 401, 404, 413, 422}) {
    endpoint.answer(http(status, ""));
    EXPECT_FALSE(caller.embed());
  }
  endpoint.answer(http(200, kOne));
  EXPECT_TRUE(caller.embed());
}

TEST(RemoteEmbedder, ComesBackByItself) {
  Endpoint endpoint(http(503, ""));
  Caller caller(endpoint.url(), milliseconds{20});
  ASSERT_FALSE(caller.embed());
  endpoint.answer(http(200, kOne));
  const auto until = steady_clock::now() + milliseconds{10'000};
  bool back = false;
  while (!back && steady_clock::now() < until) back = caller.embed().has_value();
  EXPECT_TRUE(back);
  EXPECT_TRUE(caller.embed());
}

}  // namespace
}  // namespace sosie::embed
