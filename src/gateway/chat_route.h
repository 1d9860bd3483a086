// chat_route.h: POST /v1/chat/completions: from the cache, else from the upstream and into the cache.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <variant>

#include "gateway/cache_control.h"
#include "gateway/chat_assembler.h"
#include "gateway/chat_request.h"
#include "gateway/shared.h"
#include "net/http_server.h"
#include "net/sse.h"

namespace sosie::gateway {

/// One an I/O thread. Each task answers the exchange and returns the status it answered with.
class ChatRoute {
 public:
  /// `upstream` may be null.
  ChatRoute(Shared& shared, JsonReader& reader, net::HttpClient* upstream, boost::asio::any_io_executor executor);

  net::Task<int> handle(net::Exchange& exchange);

 private:
  /// How far the cache got with a request that it did not answer.
  struct Uncertain {
    std::string_view cache = "miss";  ///< Or "bypass", "error".
    Uncached why = Uncached::empty_scope;
    bool may_store = false;
    std::shared_ptr<const Embedding> embedding;

    std::string_view reason() const { return kUncachedNames[static_cast<std::size_t>(why)]; }
  };
  using Found = std::variant<Hit, Uncertain>;

  net::Task<Found> find(const ChatRequest& request, CacheControl control);
  net::Task<Result<Lookup>> look_up_exactly(const ChatRequest& request, CacheControl control);
  static Uncertain not_looked_up(const Error& error, CacheControl control);
  net::Task<Found> find_by_meaning(const ChatRequest& request, CacheControl control);
  net::Task<bool> store(const ChatRequest& request, std::string answer, std::shared_ptr<const Embedding> embedding);

  /// Unset: the entry cannot be read.
  std::optional<net::Reply> replay(const ChatRequest& request, const Hit& hit);

  net::Task<int> ask_upstream(net::Exchange& exchange, const ChatRequest& request, Uncertain uncertain);
  net::Task<int> relay_whole(net::Exchange& exchange, const ChatRequest& request, Uncertain uncertain,
                              net::ClientResponse response);
  net::Task<int> relay_stream(net::Exchange& exchange, const ChatRequest& request, Uncertain uncertain,
                              net::ClientResponse response);
  net::Task<bool> keep_stream(const ChatRequest& request, Uncertain uncertain, const ChatAssembler& assembler);
  net::Task<int> fail(net::Exchange& exchange, const Uncertain& uncertain, const net::ClientError& failure);

  Shared& shared_;
  JsonReader& reader_;
  net::HttpClient* const upstream_;
  const boost::asio::any_io_executor executor_;
};

}  // namespace sosie::gateway
