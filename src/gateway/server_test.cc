// With real sockets, and the real cache behind them.
#include "gateway/server.h"

#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <future>

namespace sosie::gateway {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr std::string_view kBody = R"({"model":"m","messages":[{"role":"user","content":"Is it?"}]})";

class NoEmbeddings final : public Embedder {
 public:
  explicit NoEmbeddings(std::size_t window = 256) : window_(window) {}
  std::size_t dimension() const noexcept override { return 3; }
  std::string_view fingerprint() const noexcept override { return "none"; }
  std::size_t max_tokens() const noexcept override { return window_; }
  Result<std::vector<Embedding>> embed(std::span<const std::string_view>) const override {
    return Error{ErrorCode::unavailable, "no embeddings today"};
  }

 private:
  std::size_t window_;
};

class ServerTest : public testing::Test {
 protected:
  Server start(const std::string& upstream) {
    ServerOptions options;
    options.port = 0;
    options.upstreams.push_back({.base_url = upstream});
    auto server = Server::start(cache, std::move(options));
    if (!server) throw std::runtime_error(server.error().message);
    return std::move(*server);
  }

  tcp::socket connect(std::uint16_t port) {
    tcp::socket socket(context);
    socket.connect({asio::ip::make_address("127.0.0.1"), port});
    return socket;
  }

  /// A caller's socket, its question sent.
  tcp::socket ask(std::uint16_t port, std::string_view body = kBody, std::string_view path = "/v1/chat/completions") {
    tcp::socket caller = connect(port);
    asio::write(caller, asio::buffer("POST " + std::string(path) +
                                     " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\nConnection: close\r\nContent-Length: " +
                                     std::to_string(body.size()) + "\r\n\r\n" + std::string(body)));
    return caller;
  }

  // The upstream's side of a call.
  static void hear(tcp::socket& call) {
    std::string asked;
    asio::read_until(call, asio::dynamic_buffer(asked), "Is it?");
  }
  static void say_yes(tcp::socket& call) {
    const std::string answer =
        R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Yes."},"finish_reason":"stop"}]})";
    asio::write(call, asio::buffer("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(answer.size()) +
                                   "\r\n\r\n" + answer));
  }

  bool listens(std::uint16_t port) {
    tcp::socket socket(context);
    boost::system::error_code failure;
    socket.connect({asio::ip::make_address("127.0.0.1"), port}, failure);
    return !failure;
  }

  static std::string read_all(tcp::socket& socket) {
    std::string said;
    boost::system::error_code end;
    asio::read(socket, asio::dynamic_buffer(said), end);
    return said;
  }

  asio::io_context context;
  std::shared_ptr<SemanticCache> cache = std::make_shared<SemanticCache>(*SemanticCache::open({}));
};

TEST_F(ServerTest, OneThatIsAssignedOverLetsItsRequestsFinish) {
  tcp::acceptor upstream(context, {asio::ip::make_address("127.0.0.1"), 0});
  const std::string url = "http://127.0.0.1:" + std::to_string(upstream.local_endpoint().port()) + "/v1";
  Server server = start(url), other = start(url);
  const std::uint16_t first = server.port(), second = other.port();

  tcp::socket caller = ask(first);
  tcp::socket call = upstream.accept();
  hear(call);

  auto assigned = std::async(std::launch::async, [&] { server = std::move(other); });
  while (listens(first)) std::this_thread::yield();  // It has begun to stop.
  say_yes(call);
  const std::string said = read_all(caller);
  EXPECT_TRUE(said.starts_with("HTTP/1.1 200 ")) << said;
  EXPECT_NE(said.find("Yes."), std::string::npos);
  assigned.get();
  EXPECT_EQ(server.port(), second);
  EXPECT_TRUE(listens(second));
}

TEST_F(ServerTest, WithoutAnEmbeddingTheVerySameTextIsAnsweredAgain) {
  cache = std::make_shared<SemanticCache>(*SemanticCache::open({.embedder = std::make_shared<NoEmbeddings>()}));
  tcp::acceptor upstream(context, {asio::ip::make_address("127.0.0.1"), 0});
  {
    const Server server = start("http://127.0.0.1:" + std::to_string(upstream.local_endpoint().port()) + "/v1");
    tcp::socket caller = ask(server.port());
    tcp::socket call = upstream.accept();
    hear(call);
    say_yes(call);
    EXPECT_NE(read_all(caller).find("x-sosie-cache: miss"), std::string::npos);
  }  // What is to be stored is stored.
  EXPECT_EQ(cache->stats().entries, 1u);
  const Server server = start("http://127.0.0.1:1/v1");
  tcp::socket caller = ask(server.port());
  const std::string said = read_all(caller);
  EXPECT_NE(said.find("x-sosie-cache: hit"), std::string::npos) << said;
  EXPECT_NE(said.find("Yes."), std::string::npos);
}

TEST_F(ServerTest, ALongTextOfLangCacheIsFoundByEachStrategyWithoutAnEmbedding) {
  cache = std::make_shared<SemanticCache>(*SemanticCache::open({.embedder = std::make_shared<NoEmbeddings>(4)}));
  const Server server = start("http://127.0.0.1:1/v1");
  const std::string prompt = R"({"prompt":")" + std::string(4 * Embedder::kLongBytes, 'x') + '"';
  const auto said = [&](std::string_view path, std::string_view more) {
    tcp::socket caller = ask(server.port(), prompt + std::string(more), path);
    return read_all(caller);
  };
  const std::string written = said("/v1/caches/c/entries", R"(,"response":"Yes."})");
  EXPECT_TRUE(written.starts_with("HTTP/1.1 201 ")) << written;
  for (const char* strategies : {"}", R"(,"searchStrategies":["exact"]})", R"(,"searchStrategies":["semantic"]})", R"(,"searchStrategies":["semantic","exact"]})"}) {
    const std::string found = said("/v1/caches/c/entries/search", strategies);
    EXPECT_NE(found.find("Yes."), std::string::npos) << found;
  }
}

}  // namespace
}  // namespace sosie::gateway
