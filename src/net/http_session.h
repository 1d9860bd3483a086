// http_session.h: one client connection of the server, from accept to close.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "net/http_parser.h"
#include "net/http_server.h"

namespace sosie::net {

/// Runs on one I/O thread. Deadlines are checked from outside (`expire`), so that the hot path sets no timer.
class HttpSession final : public Exchange {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, const HttpServerOptions& options, Handler& handler,
              const std::string& date_line);

  /// Serves requests until the connection ends. What is thrown meanwhile goes no further.
  Task<void> run();

  /// Cancels the await under way when its deadline is past. A handler at work has no deadline here but its own.
  void expire(SteadyTime now);

  /// The socket, where a handler at work wants to know whether its client is still there; else -1.
  int watched();

  /// What `poll` has seen on the watched socket, of POLLRDHUP, POLLHUP and POLLERR.
  void notice(short events, SteadyTime now);

  /// How gladly this connection gives way to a new one, the least first: idle ones before those whose request is arriving, and the
  /// longest waiting first. Unset: it has a request.
  std::optional<std::pair<bool, SteadyTime>> spare() const noexcept;

  /// No further request after the one under way; an idle connection ends now.
  void drain();

  /// Ends the connection now.
  void cancel();

  const Request& request() const noexcept override { return request_; }
  std::string take_body() noexcept override { return std::move(request_.body); }
  void set_decoded_body(std::string body) noexcept override {
    request_.body = std::move(body);
    request_.headers.remove("content-encoding");
  }
  std::stop_token gone() override;
  Task<bool> respond(Reply reply) override;
  Task<bool> begin(Reply head) override;
  Task<bool> write(std::string_view bytes) override;
  Task<bool> finish() override;

 private:
  enum class Phase { idle, header, body, handling, writing, closing };

  Task<bool> read_request();
  Task<void> refuse(int status);
  /// Says that the request failed, where an answer is still possible.
  Task<void> excuse(Error error);
  Task<void> linger();
  Task<bool> send(std::string_view a, std::string_view b, std::string_view c);
  /// Takes `size` bytes off what a counted answer has left. False: they are too many.
  bool frame(std::size_t size);
  void render_head(const Reply& reply, std::optional<std::uint64_t> length, bool chunked);
  /// Sends what a client that is there skips and one that has left refuses. False: not now.
  bool ask_whether_there();
  void enter(Phase phase, Milliseconds allowed);
  bool has_body(int status) const noexcept { return request_.method != "HEAD" && status != 204 && status != 304; }

  boost::asio::ip::tcp::socket socket_;
  const HttpServerOptions& options_;
  Handler& handler_;
  const std::string& date_line_;

  RequestParser parser_;
  Request request_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // bytes read and not yet parsed
  std::string head_;

  Phase phase_ = Phase::idle;
  SteadyTime deadline_ = SteadyTime::max();
  /// How the pieces of an answer that was begun are told apart from what follows it.
  enum class Framing { bodiless, counted, chunks, until_close };
  Framing framing_ = Framing::bodiless;
  std::uint64_t left_ = 0;  // of a counted answer, still to be sent
  bool answered_ = false;
  bool begun_ = false;    // an answer is under way, piece by piece
  bool broken_ = false;   // nothing can be sent any more
  bool draining_ = false;
  bool half_closed_ = false;  // the client sends nothing any more, but may be reading
  SteadyTime doubted_until_ = SteadyTime::max();
  std::stop_source gone_{std::nostopstate};  // of the request under way, once the handler has asked for it
};

}  // namespace sosie::net
