// answer_route.h: a request of any API whose answers are kept: from the cache, else from a call that is under way, else from the
// upstream and into the cache.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/asking.h"
#include "gateway/flights.h"
#include "gateway/pass_through.h"
#include "gateway/shared.h"
#include "gateway/upstreams.h"
#include "net/http_server.h"

namespace sosie::gateway {

/// One an I/O thread. Each task answers the exchange and returns the status it answered with.
class AnswerRoute {
 public:
  AnswerRoute(Shared& shared, protocol::JsonReader& reader, Upstreams& upstreams, PassThrough& pass_through,
              boost::asio::any_io_executor executor);

  net::Task<int> handle(net::Exchange& exchange, const protocol::Protocol& api);

 private:
  using AskingPtr = std::shared_ptr<Asking>;

  // Looking for an answer; without one the asking's outcome says why.
  net::Task<std::optional<Hit>> find(AskingPtr asking);
  net::Task<Result<Lookup>> look_up_exactly(AskingPtr asking);
  net::Task<Result<Lookup>> look_up_by_meaning(AskingPtr asking);
  net::Task<Result<Lookup>> compare(AskingPtr asking, std::shared_ptr<const Embedding> embedding);
  void note_fault(Asking& asking, const Error& error);
  bool is_new_scope(const Asking& asking) const;

  // Answering.
  std::optional<net::Reply> say(const Asking& asking, std::string_view kept);
  /// `kept` outlives the task. Unset: it cannot be said in the asker's API.
  net::Task<std::optional<int>> serve(net::Exchange& exchange, AskingPtr asking, std::string_view kept);
  net::Task<std::optional<int>> serve_hit(net::Exchange& exchange, AskingPtr asking, Hit hit);
  net::Task<std::optional<int>> serve_landed(net::Exchange& exchange, AskingPtr asking, Flights::Match match, Flight::Answered answered,
                                             Fate fate);
  net::Task<int> serve_paced(net::Exchange& exchange, net::Reply reply);
  net::Task<int> serve_uncached(net::Exchange& exchange, AskingPtr asking);
  net::Task<std::optional<int>> follow(net::Exchange& exchange, AskingPtr asking, Flights::Match match);
  net::Task<std::optional<int>> follow_stream(net::Exchange& exchange, AskingPtr asking, Flight::Reader& reader);
  net::Task<int> lead(net::Exchange& exchange, AskingPtr asking, FlightOwner owner);
  net::Task<int> deliver(net::Exchange& exchange, AskingPtr asking, std::shared_ptr<Flight> flight);
  net::Task<bool> relay(net::Exchange& exchange, const protocol::Protocol& api, Flight::Reader& reader, bool events);
  net::Task<int> refuse(net::Exchange& exchange, AskingPtr asking, int status, std::string_view message, std::string_view code,
                        std::string_view headers = {});

  // The pilot of a flight.
  net::Task<void> fly(AskingPtr asking, FlightOwner owner, Upstream* upstream, net::ClientRequest call);
  net::Task<void> fly_whole(AskingPtr asking, std::shared_ptr<Flight> flight, net::ClientResponse response, std::string body,
                            bool readable);
  net::Task<void> fly_stream(AskingPtr asking, std::shared_ptr<Flight> flight, net::ClientResponse response);
  net::Task<void> fly_endless(AskingPtr asking, std::shared_ptr<Flight> flight, net::ClientResponse response, std::string begun,
                              std::string_view why);
  /// The longest answer that is collected to be kept, now.
  std::uint64_t longest() const;
  net::Task<void> land(AskingPtr asking, std::shared_ptr<Flight> flight, std::string last,
                       std::variant<protocol::Kept, protocol::NotKept> kept);
  void crash(Asking& asking, const std::shared_ptr<Flight>& flight, net::ClientError failure);
  net::Task<void> store(AskingPtr asking, std::shared_ptr<Flight> flight, Flight::Answered answered);

  /// What is known now of the storing of the answer; also of one that was concluded before.
  void settle(Asking& asking, Storing storing);

  /// The headers that say what happened; counts it and remembers it, too.
  std::string conclude(const Asking& asking);

  Shared& shared_;
  protocol::JsonReader& reader_;
  protocol::Scope scope_;  ///< Of the request being read; the next one's after a wait.
  Upstreams& upstreams_;
  PassThrough& pass_through_;
  const boost::asio::any_io_executor executor_;
};

}  // namespace sosie::gateway
