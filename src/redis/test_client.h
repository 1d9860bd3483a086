// test_client.h: a Client for tests that block: a lane with one connection.
#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "net/lanes.h"
#include "redis/client.h"

namespace sosie::redis {

class TestClient {
 public:
  using Replies = Result<std::vector<Reply>>;

  explicit TestClient(const RedisOptions& options,
                      std::shared_ptr<net::Backoff> backoff = std::make_shared<net::Backoff>())
      : lanes_(1, [endpoint = read_endpoint(options), backoff](boost::asio::any_io_executor executor) {
          return std::make_unique<Client>(executor, *endpoint, backoff);
        }) {}

  Replies run(Pipeline commands, std::chrono::milliseconds patience = std::chrono::milliseconds(5'000)) {
    const auto deadline = net::after(patience);
    return lanes_.run<std::vector<Reply>>([&](Client& client) { return client.run(std::move(commands), deadline); },
                                          deadline);
  }
  /// One command; a reply that is an error is one.
  Result<Reply> ask(std::initializer_list<std::string_view> words,
                    std::chrono::milliseconds patience = std::chrono::milliseconds(5'000)) {
    Pipeline commands;
    commands.add(words);
    auto replies = run(std::move(commands), patience);
    if (!replies) return replies.error();
    if (replies->front().is_error()) return to_error(replies->front());
    return std::move(replies->front());
  }

 private:
  net::Lanes<Client> lanes_;
};

}  // namespace sosie::redis
