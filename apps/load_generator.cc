#include "load_generator.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "interrupt.h"

namespace sosie::app {
namespace {

using Clock = std::chrono::steady_clock;

class Connection {
 public:
  explicit Connection(int fd) : fd_(fd) {}
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)), sent_(other.sent_) {}
  Connection(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }
  Clock::time_point sent() const { return sent_; }

  /// The request is a few hundred bytes to loopback: it fits the socket's buffer.
  bool send(const std::string& request) {
    received_.clear();
    sent_ = Clock::now();
    return ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size());
  }

  /// Reads what is there. 0: the answer is not whole yet; else its status; -1: hung up or not understood.
  int receive() {
    char buffer[16384];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) return -1;
    received_.append(buffer, static_cast<std::size_t>(n));
    const std::string_view all = received_;
    const auto head_end = all.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return 0;
    const auto name = all.substr(0, head_end).find("Content-Length: ");
    if (name == std::string_view::npos) return -1;
    std::size_t length = 0;
    std::from_chars(all.data() + name + 16, all.data() + head_end, length);
    if (all.size() < head_end + 4 + length) return 0;
    int status = -1;
    std::from_chars(all.data() + 9, all.data() + 12, status);
    return status;
  }

 private:
  int fd_;
  std::string received_;
  Clock::time_point sent_;
};

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

Result<LoadResult> generate_load(std::uint16_t port, const std::string& request, std::size_t connections, std::chrono::milliseconds duration) {
  const Error lost{ErrorCode::unavailable, "the server closed a connection or sent an answer without Content-Length"};
  std::vector<Connection> all;
  std::vector<pollfd> polls;
  for (std::size_t i = 0; i < connections; ++i) {
    const int fd = connect_to(port);
    if (fd < 0) return Error{ErrorCode::unavailable, "cannot connect to 127.0.0.1:" + std::to_string(port)};
    all.emplace_back(fd);
    polls.push_back({fd, POLLIN, 0});
  }
  LoadResult result;
  const auto begin = Clock::now(), end = begin + duration;
  for (auto& connection : all) {
    if (!connection.send(request)) return lost;
  }
  while (Clock::now() < end && !interrupted()) {
    if (::poll(polls.data(), polls.size(), 1000) < 0) {
      if (errno == EINTR) continue;
      return lost;
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (polls[i].revents == 0) continue;
      const int status = all[i].receive();
      if (status < 0) return lost;
      if (status == 0) continue;
      result.latencies_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - all[i].sent()).count());
      if (status != 200) ++result.errors;
      if (!all[i].send(request)) return lost;
    }
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return result;
}

}  // namespace sosie::app
