#include "net/http_session.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <exception>

#include "base/fenced.h"
#include "base/log.h"

namespace sosie::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kFirstBuffer = 8 << 10;
// After a refusal the client may still be sending; reading on for a while lets it see the answer instead of a reset.
constexpr std::size_t kLingerBytes = 16 << 20;
constexpr Milliseconds kLingerTime{2'000};

// A client that has ended its stream while it is being answered, and to whom nothing was sent for so long, counts as gone.
constexpr Milliseconds kDoubtTime{5'000};

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

void append_number(std::string& out, std::uint64_t number, int base) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  out.append(digits.data(), end);
}

int refusal_status(Parse state) {
  switch (state) {
    case Parse::header_too_large: return 431;
    case Parse::body_too_large: return 413;
    default: return 400;
  }
}

}  // namespace

HttpSession::HttpSession(asio::ip::tcp::socket socket, const HttpServerOptions& options, Handler& handler,
                         const std::string& date_line)
    : socket_(std::move(socket)),
      options_(options),
      handler_(handler),
      date_line_(date_line),
      parser_(options.max_header_bytes, options.max_body_bytes),
      buffer_(kFirstBuffer) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
}

void HttpSession::enter(Phase phase, Milliseconds allowed) {
  phase_ = phase;
  deadline_ = after(allowed);
}

void HttpSession::expire(SteadyTime now) {
  if (now < deadline_) return;
  deadline_ = SteadyTime::max();
  error_code ignored;
  socket_.cancel(ignored);
}

void HttpSession::drain() {
  draining_ = true;
  if (phase_ == Phase::idle && begin_ == end_) cancel();
}

void HttpSession::cancel() {
  broken_ = true;
  error_code ignored;
  socket_.close(ignored);
  gone_.request_stop();
}

std::stop_token HttpSession::gone() {
  if (!gone_.stop_possible()) {
    gone_ = std::stop_source();
    if (broken_) gone_.request_stop();
  }
  return gone_.get_token();
}

int HttpSession::watched() { return gone_.stop_possible() && !broken_ ? socket_.native_handle() : -1; }

void HttpSession::notice(short events, SteadyTime now) {
  if (broken_) return;
  const bool ended = (events & POLLRDHUP) != 0;
  if ((events & (POLLHUP | POLLERR)) != 0 || (ended && !request_.http11) || now >= doubted_until_) {
    cancel();
  } else if (ended && !half_closed_) {
    half_closed_ = answered_ || ask_whether_there();
    if (answered_) doubted_until_ = now + kDoubtTime;
  }
}

bool HttpSession::ask_whether_there() {
  const auto sent = ::send(socket_.native_handle(), kContinue.data(), kContinue.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
  if (sent != static_cast<ssize_t>(kContinue.size())) cancel();
  return true;
}

std::optional<std::pair<bool, SteadyTime>> HttpSession::spare() const noexcept {
  if (broken_ || (phase_ != Phase::idle && phase_ != Phase::header)) return std::nullopt;
  return std::pair(phase_ == Phase::header, deadline_);
}

Task<void> HttpSession::run() {
  std::exception_ptr thrown;
  try {
    do {
      answered_ = begun_ = false;
      const bool complete = co_await read_request();
      if (!complete) break;
      phase_ = Phase::handling;
      deadline_ = SteadyTime::max();
      co_await handler_.handle(*this);
      gone_ = std::stop_source(std::nostopstate);
    } while (!broken_ && answered_ && !begun_ && request_.keep_alive && !draining_);
  } catch (...) {
    thrown = std::current_exception();
  }
  try {
    if (thrown) co_await excuse(base::error_of(std::exchange(thrown, nullptr)));
  } catch (...) {
    // Not even memory to say so.
  }
  gone_ = std::stop_source(std::nostopstate);
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  socket_.close(ignored);
}

Task<void> HttpSession::excuse(Error error) {
  std::string().swap(request_.body);
  base::log_error("a request failed: " + error.message);
  if (!broken_ && !answered_) co_await refuse(error.code == ErrorCode::resource_exhausted ? 503 : 500);
}

Task<bool> HttpSession::read_request() {
  parser_.start(request_);
  enter(Phase::idle, options_.idle_timeout);
  bool told_to_continue = false;
  for (;;) {
    if (begin_ != end_) {
      if (phase_ == Phase::idle) enter(Phase::header, options_.header_timeout);
      const Fed fed = parser_.feed({buffer_.data() + begin_, end_ - begin_});
      begin_ += fed.consumed;
      if (fed.state == Parse::done) co_return true;
      if (fed.state != Parse::need_more) {
        co_await refuse(refusal_status(fed.state));
        co_return false;
      }
      if (parser_.header_done() && phase_ == Phase::header) enter(Phase::body, options_.body_timeout);
    }
    if (phase_ == Phase::body && !told_to_continue && parser_.expects_continue()) {
      told_to_continue = true;
      const bool sent = co_await send(kContinue, {}, {});
      if (!sent) co_return false;
      enter(Phase::body, options_.body_timeout);
    }
    if (begin_ == end_) {
      begin_ = end_ = 0;
    } else if (begin_ != 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    // Bounded: the parser refuses longer headers.
    if (end_ == buffer_.size()) buffer_.resize(std::max(kFirstBuffer, buffer_.size() * 2));
    auto [failure, count] =
        co_await socket_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_), as_values);
    end_ += count;
    if (!failure) continue;
    const bool late = failure == asio::error::operation_aborted && !broken_ && phase_ != Phase::idle;
    if (late) co_await refuse(408);
    co_return false;
  }
}

Task<void> HttpSession::refuse(int status) {
  request_.keep_alive = false;
  answered_ = begun_ = false;
  Reply reply = handler_.refusal(status, request_.target);
  const bool sent = co_await respond(std::move(reply));
  if (sent) co_await linger();
}

Task<void> HttpSession::linger() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  enter(Phase::closing, kLingerTime);
  buffer_.resize(std::max<std::size_t>(buffer_.size(), 64 << 10));
  std::size_t seen = 0;
  while (seen < kLingerBytes) {
    auto [failure, count] = co_await socket_.async_read_some(asio::buffer(buffer_), as_values);
    if (failure) break;
    seen += count;
  }
}

Task<bool> HttpSession::respond(Reply reply) {
  if (broken_ || answered_) co_return false;
  render_head(reply, reply.status == 304 ? reply.length : reply.body.size() + reply.tail.size(), false);
  answered_ = true;
  if (!has_body(reply.status)) {
    const bool sent = co_await send(head_, {}, {});
    co_return sent;
  }
  const bool sent = co_await send(head_, reply.body, reply.tail);
  co_return sent;
}

Task<bool> HttpSession::begin(Reply head) {
  if (broken_ || answered_) co_return false;
  framing_ = !has_body(head.status) ? Framing::bodiless
             : head.length          ? Framing::counted
             : request_.http11      ? Framing::chunks
                                    : Framing::until_close;
  if (framing_ == Framing::until_close) request_.keep_alive = false;
  left_ = head.length.value_or(0);
  render_head(head, head.length, framing_ == Framing::chunks);
  // An answer that takes long is no time to hold room for the next request.
  if (begin_ == end_) {
    std::vector<char>().swap(buffer_);
    begin_ = end_ = 0;
  }
  const std::size_t size = head.body.size() + head.tail.size();
  const bool fits = frame(size);
  if (!fits) co_return false;
  if (size != 0 && framing_ != Framing::bodiless) {
    if (framing_ == Framing::chunks) append_number(head_, size, 16), head_.append("\r\n");
    head_.append(head.body).append(head.tail);
    if (framing_ == Framing::chunks) head_.append("\r\n");
  }
  answered_ = begun_ = true;
  const bool sent = co_await send(head_, {}, {});
  std::string().swap(head_);
  co_return sent;
}

bool HttpSession::frame(std::size_t size) {
  if (framing_ != Framing::counted) return true;
  if (size > left_) broken_ = true;  // What follows would be taken for the next answer.
  left_ -= std::min<std::uint64_t>(size, left_);
  return !broken_;
}

Task<bool> HttpSession::write(std::string_view bytes) {
  if (broken_ || !begun_) co_return false;
  if (bytes.empty() || framing_ == Framing::bodiless) co_return true;  // An empty chunk would be the end.
  const bool fits = frame(bytes.size());
  if (!fits) co_return false;
  if (framing_ != Framing::chunks) {
    const bool sent = co_await send(bytes, {}, {});
    co_return sent;
  }
  head_.clear();
  append_number(head_, bytes.size(), 16);
  head_.append("\r\n");
  const bool sent = co_await send(head_, bytes, "\r\n");
  co_return sent;
}

Task<bool> HttpSession::finish() {
  if (broken_ || !begun_) co_return false;
  if (framing_ == Framing::counted && left_ != 0) co_return false;  // `begun_` stays: the connection ends before the answer.
  begun_ = false;
  const bool sent = co_await send(framing_ == Framing::chunks ? "0\r\n\r\n" : "", {}, {});
  co_return sent;
}

void HttpSession::render_head(const Reply& reply, std::optional<std::uint64_t> length, bool chunked) {
  head_.clear();
  head_.append("HTTP/1.1 ");
  append_number(head_, static_cast<std::uint64_t>(reply.status), 10);
  head_.append(" ").append(reason_phrase(reply.status)).append("\r\n");
  if (!reply.content_type.empty()) head_.append("Content-Type: ").append(reply.content_type).append("\r\n");
  if (chunked) {
    head_.append("Transfer-Encoding: chunked\r\n");
  } else if (length && reply.status != 204) {
    head_.append("Content-Length: ");
    append_number(head_, *length, 10);
    head_.append("\r\n");
  }
  if (!reply.dated) head_.append(date_line_);
  head_.append(reply.headers);
  if (!request_.keep_alive || draining_) head_.append("Connection: close\r\n");
  head_.append("\r\n");
}

Task<bool> HttpSession::send(std::string_view a, std::string_view b, std::string_view c) {
  std::array<asio::const_buffer, 3> buffers{asio::buffer(a), asio::buffer(b), asio::buffer(c)};
  const Phase before = phase_;
  const std::size_t size = a.size() + b.size() + c.size();
  std::size_t left = size;
  std::size_t first = 0;
  std::optional<HeldBytes::Waiting> waiting;
  while (left != 0 && !broken_) {
    // Nearly always the kernel takes everything at once, and then there is nothing to wait for.
    error_code failure;
    std::size_t sent = socket_.write_some(buffers, failure);
    left -= sent;
    if (waiting && sent != 0) waiting->took();
    for (; sent != 0 && first < buffers.size(); ++first) {
      const std::size_t part = std::min(sent, buffers[first].size());
      buffers[first] += part;
      sent -= part;
      if (buffers[first].size() != 0) break;
    }
    if (failure && failure != asio::error::would_block && failure != asio::error::try_again) cancel();
    doubted_until_ = SteadyTime::max();  // Who has left will answer this with a reset.
    if (left == 0 || broken_) break;
    if (!waiting && options_.held != nullptr)
      waiting.emplace(*options_.held, size, socket_.get_executor(), [this] { cancel(); });
    enter(Phase::writing, options_.write_timeout);
    auto [waited] = co_await socket_.async_wait(asio::ip::tcp::socket::wait_write, as_values);
    if (waited) cancel();
  }
  phase_ = before;
  deadline_ = SteadyTime::max();
  co_return !broken_;
}

}  // namespace sosie::net
