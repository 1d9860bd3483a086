// chat_handler.h: a request of any API whose answers are kept: from the cache, else from a call that is under way, else from the
// upstream and into the cache.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/inflight/shared_calls.h"
#include "gateway/request/request_context.h"
#include "gateway/state.h"
#include "gateway/upstream/pass_through.h"
#include "gateway/upstream/upstreams.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// One an I/O thread. Each task answers the exchange and returns the status it answered with.
class ChatHandler {
 public:
  ChatHandler(GatewayState& state, protocol::JsonReader& reader, Upstreams& upstreams, PassThrough& pass_through,
              boost::asio::any_io_executor executor);

  net::Task<int> handle(net::Exchange& exchange, const protocol::Protocol& api);

 private:
  using RequestContextPtr = std::shared_ptr<RequestContext>;

  // Looking for an answer; without one the context's outcome says why.
  net::Task<std::optional<Hit>> find(RequestContextPtr context);
  net::Task<Result<Lookup>> look_up_exactly(RequestContextPtr context);
  net::Task<Result<Lookup>> look_up_by_meaning(RequestContextPtr context);
  net::Task<Result<Lookup>> compare(RequestContextPtr context, std::shared_ptr<const Embedding> embedding);
  void note_fault(RequestContext& context, const Error& error);
  bool is_new_scope(const RequestContext& context) const;

  // Answering.
  std::optional<net::Reply> render(const RequestContext& context, std::string_view kept);
  /// `kept` outlives the task. Unset: it cannot be said in the asker's API.
  net::Task<std::optional<int>> serve(net::Exchange& exchange, RequestContextPtr context, std::string_view kept);
  net::Task<std::optional<int>> serve_hit(net::Exchange& exchange, RequestContextPtr context, Hit hit);
  net::Task<std::optional<int>> serve_finished(net::Exchange& exchange, RequestContextPtr context, SharedCalls::Match match, SharedCall::Answered answered,
                                             CacheStatus cache_status);
  net::Task<int> serve_paced(net::Exchange& exchange, net::Reply reply);
  net::Task<int> serve_uncached(net::Exchange& exchange, RequestContextPtr context);
  net::Task<std::optional<int>> join(net::Exchange& exchange, RequestContextPtr context, SharedCalls::Match match);
  net::Task<std::optional<int>> join_stream(net::Exchange& exchange, RequestContextPtr context, SharedCall::Subscriber& subscriber);
  net::Task<int> call_upstream(net::Exchange& exchange, RequestContextPtr context, SharedCallOwner owner);
  net::Task<int> deliver(net::Exchange& exchange, RequestContextPtr context, std::shared_ptr<SharedCall> shared_call);
  net::Task<bool> relay(net::Exchange& exchange, const protocol::Protocol& api, SharedCall::Subscriber& subscriber, bool events);
  net::Task<int> refuse(net::Exchange& exchange, RequestContextPtr context, int status, std::string_view message, std::string_view code,
                        std::string_view headers = {});

  // Forwarding a call: forward_call.cc.
  net::Task<void> forward(RequestContextPtr context, SharedCallOwner owner, Upstream* upstream, net::ClientRequest call);
  net::Task<void> forward_whole(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, net::ClientResponse response, std::string body,
                            bool readable);
  net::Task<void> forward_stream(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, net::ClientResponse response);
  net::Task<void> forward_unretained(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, net::ClientResponse response, std::string begun,
                              Reason why);
  /// The longest answer that is collected to be kept, now.
  std::uint64_t longest() const;
  net::Task<void> finish_call(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, std::string last,
                       std::variant<protocol::Kept, protocol::NotKept> kept);
  void abort_call(RequestContext& context, const std::shared_ptr<SharedCall>& shared_call, net::ClientError failure);
  net::Task<void> store(RequestContextPtr context, std::shared_ptr<SharedCall> shared_call, SharedCall::Answered answered);

  /// What is known now of the storing of the answer; also of one that was concluded before.
  void settle(RequestContext& context, Storing storing);

  /// The headers that say what happened; counts it and remembers it, too.
  std::string conclude(const RequestContext& context);

  GatewayState& state_;
  protocol::JsonReader& reader_;
  protocol::Scope scope_;  ///< Of the request being read; the next one's after a wait.
  Upstreams& upstreams_;
  PassThrough& pass_through_;
  const boost::asio::any_io_executor executor_;
};

}  // namespace sosie::gateway
