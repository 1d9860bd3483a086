// http_session.h: one client connection of the server, from accept to close.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "net/http_parser.h"
#include "net/http_server.h"

namespace sosie::net {

/// Runs on one I/O thread. Deadlines are checked from outside (`expire`), so that the hot path sets no timer.
class HttpSession final : public Exchange {
 public:
  HttpSession(boost::asio::ip::tcp::socket socket, const HttpServerOptions& options, Handler& handler,
              const std::string& date_line);

  /// Serves requests until the connection ends. Throws only what the handler lets out against its promise.
  Task<void> run();

  /// Cancels the await under way when its deadline is past. A handler at work has no deadline here but its own.
  void expire(SteadyTime now);

  /// No further request after the one under way; an idle connection ends now.
  void drain();

  /// Ends the connection now.
  void cancel();

  const Request& request() const noexcept override { return request_; }
  std::string take_body() noexcept override { return std::move(request_.body); }
  Task<bool> respond(Reply reply) override;
  Task<bool> begin(Reply head) override;
  Task<bool> write(std::string_view bytes) override;
  Task<bool> finish() override;

 private:
  enum class Phase { idle, header, body, handling, writing, closing };

  Task<bool> read_request();
  Task<void> refuse(int status);
  Task<void> linger();
  Task<bool> send(std::string_view a, std::string_view b, std::string_view c);
  void render_head(const Reply& reply, bool chunked, std::size_t length);
  void enter(Phase phase, Milliseconds allowed);
  bool sends_body() const noexcept { return request_.method != "HEAD"; }

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
  bool answered_ = false;
  bool chunked_ = false;  // an answer of unknown length is under way
  bool broken_ = false;   // nothing can be sent any more
  bool draining_ = false;
};

}  // namespace sosie::net
