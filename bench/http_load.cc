// http_load: asks an HTTP server on loopback over keep-alive connections, one thread, and prints what it saw as a line of JSON.
//
//   http_load --port PORT [--path PATH] [--header 'NAME: VALUE']... (--body TEXT | --bodies FILE) [--connections N] [--rate PER_SECOND]
//             (--seconds S | --requests N) [--first N]
//
// {n} in path, headers and bodies becomes the request's number, eight digits, from --first on. --bodies: one a line, in turns. Without --rate
// each connection asks again as soon as it has its answer; with it requests are due at fixed times, and time counts from then, so that a slow
// server cannot hide its delay. The longest silence within an answer is told, for streams.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  std::string path = "/v1/chat/completions", body, bodies;
  std::vector<std::string> headers;
  std::size_t connections = 16;
  double seconds = 0, rate = 0;
  std::uint64_t requests = 0, first = 0;
};

struct Connection {
  int fd = -1;
  std::string received;
  Clock::time_point due, last_bytes;
  std::size_t head_end = 0, length = 0;  // of the answer; head_end 0: the head is not whole
  int status = 0;
  bool chunked = false, asking = false;
};

struct Seen {
  std::vector<double> latencies_us, gaps_us;
  std::uint64_t sent = 0, errors = 0, broken = 0, bytes = 0;
  int first_error = 0;
};

std::string with_number(std::string text, std::uint64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%08llu", static_cast<unsigned long long>(number));
  for (auto at = text.find("{n}"); at != std::string::npos; at = text.find("{n}", at)) text.replace(at, 3, digits);
  return text;
}

std::string make_request(const Options& options, const std::string& body) {
  std::string request = "POST " + options.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n";
  for (const auto& header : options.headers) request += header + "\r\n";
  const std::size_t length = with_number(body, 0).size();
  return request + "Content-Length: " + std::to_string(length) + "\r\n\r\n" + body;
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
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

/// Value of a header of a head, whose names may be in any case; empty: it has none.
std::string_view header(std::string_view head, std::string_view name) {
  for (auto at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const auto line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); })) continue;
    auto value = line.substr(name.size() + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return value;
  }
  return {};
}

/// Whether the answer is whole.
bool whole(Connection& connection) {
  const std::string_view all = connection.received;
  if (connection.head_end == 0) {
    const auto end = all.find("\r\n\r\n");
    if (end == std::string_view::npos) return false;
    const auto head = all.substr(0, end + 2);
    connection.head_end = end + 4;
    connection.status = std::atoi(connection.received.c_str() + 9);
    connection.chunked = header(head, "transfer-encoding") == "chunked";
    connection.length = std::strtoull(std::string(header(head, "content-length")).c_str(), nullptr, 10);
  }
  if (connection.chunked) return all.size() >= connection.head_end + 5 && all.ends_with("0\r\n\r\n");
  return all.size() >= connection.head_end + connection.length;
}

class Load {
 public:
  Load(const Options& options, std::vector<std::string> templates) : options_(options), templates_(std::move(templates)) {}

  /// False: cannot connect.
  bool run(Seen& seen) {
    poll_ = ::epoll_create1(EPOLL_CLOEXEC);
    timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(timer_, options_.connections, EPOLL_CTL_ADD, EPOLLIN);
    connections_.resize(options_.connections);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (!open(i)) return false;
    }
    begin_ = Clock::now();
    end_ = begin_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.seconds));
    for (std::size_t i = 0; i < connections_.size(); ++i) free_.push_back(i);
    std::vector<epoll_event> events(1024);
    for (;;) {
      send_due(seen);
      if (free_.size() == connections_.size() && finished(seen)) return true;
      const int n = ::epoll_wait(poll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < n; ++i) {
        const std::size_t which = events[static_cast<std::size_t>(i)].data.u64;
        if (which == connections_.size()) {
          std::uint64_t ignored = 0;
          (void)!::read(timer_, &ignored, sizeof ignored);
        } else if (!receive(which, seen)) {
          return false;
        }
      }
    }
  }

  double seconds() const { return std::chrono::duration<double>(last_ - begin_).count(); }

 private:
  void watch(int fd, std::size_t number, int operation, std::uint32_t what) const {
    epoll_event event{};
    event.events = what;
    event.data.u64 = number;
    ::epoll_ctl(poll_, operation, fd, &event);
  }

  bool open(std::size_t i) {
    connections_[i].fd = connect_to(options_.port);
    if (connections_[i].fd >= 0) watch(connections_[i].fd, i, EPOLL_CTL_ADD, EPOLLIN);
    return connections_[i].fd >= 0;
  }

  bool finished(const Seen& seen) const { return options_.requests > 0 ? seen.sent >= options_.requests : Clock::now() >= end_; }

  void send_due(Seen& seen) {
    while (!free_.empty() && !finished(seen)) {
      Clock::time_point due = Clock::now();
      if (options_.rate > 0) {
        due = begin_ + std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 * static_cast<double>(seen.sent) / options_.rate));
        if (due > Clock::now()) return wake_at(due);
      }
      Connection& connection = connections_[free_.front()];
      free_.pop_front();
      const std::string request = with_number(templates_[seen.sent % templates_.size()], options_.first + seen.sent);
      ++seen.sent;
      connection.received.clear();
      connection.head_end = 0;
      connection.due = due;
      connection.asking = true;
      // A few hundred bytes to loopback: they fit the socket's buffer.
      if (::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) ::shutdown(connection.fd, SHUT_RDWR);
    }
  }

  void wake_at(Clock::time_point when) const {
    const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
    itimerspec at{};
    at.it_value = {.tv_sec = since / 1'000'000'000, .tv_nsec = since % 1'000'000'000};
    ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr);
  }

  bool receive(std::size_t which, Seen& seen) {
    Connection& connection = connections_[which];
    char buffer[65536];
    const ssize_t n = ::recv(connection.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return true;
    const auto now = Clock::now();
    const auto us = [](Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); };
    if (n <= 0) {  // The server hung up.
      ::close(connection.fd);
      if (connection.asking) {
        ++seen.broken;
        free_.push_back(which);
      }
      connection.asking = false;
      return open(which);
    }
    if (!connection.asking) return true;
    if (!connection.received.empty()) seen.gaps_us.push_back(us(now - connection.last_bytes));
    connection.last_bytes = now;
    connection.received.append(buffer, static_cast<std::size_t>(n));
    if (!whole(connection)) return true;
    connection.asking = false;
    last_ = now;
    if (connection.status == 200) {
      seen.latencies_us.push_back(us(now - connection.due));
    } else {
      if (seen.errors++ == 0) seen.first_error = connection.status;
    }
    seen.bytes = connection.received.size();
    free_.push_back(which);
    return true;
  }

  const Options& options_;
  std::vector<std::string> templates_;  // whole requests
  std::vector<Connection> connections_;
  std::deque<std::size_t> free_;
  int poll_ = -1, timer_ = -1;
  Clock::time_point begin_, end_, last_;
};

double at(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  const auto nth = values.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Asks an HTTP server on loopback and prints what it saw as a line of JSON");
  app.add_option("--port", options.port)->required();
  app.add_option("--path", options.path);
  app.add_option("--header", options.headers)->allow_extra_args(false);
  auto* body = app.add_option("--body", options.body);
  app.add_option("--bodies", options.bodies, "A file, one body a line")->excludes(body);
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 60'000));
  app.add_option("--seconds", options.seconds);
  app.add_option("--requests", options.requests, "Ends after so many, whatever --seconds");
  app.add_option("--rate", options.rate, "Requests a second in all; 0: as fast as they are answered");
  app.add_option("--first", options.first, "Number of the first request");
  CLI11_PARSE(app, argc, argv);

  std::vector<std::string> templates;
  if (options.bodies.empty()) {
    templates.push_back(make_request(options, options.body));
  } else {
    std::ifstream file(options.bodies);
    for (std::string line; std::getline(file, line);) templates.push_back(make_request(options, line));
  }
  if (templates.empty() || (options.seconds <= 0 && options.requests == 0)) {
    std::fputs("http_load: wants bodies, and --seconds or --requests\n", stderr);
    return 2;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  Load load(options, std::move(templates));
  Seen seen;
  if (!load.run(seen)) {
    std::fputs("http_load: cannot connect\n", stderr);
    return 1;
  }
  const double answered = static_cast<double>(seen.latencies_us.size());
  std::printf("{\"answered\": %.0f, \"errors\": %llu, \"first_error\": %d, \"broken\": %llu, \"seconds\": %.4f, \"rate\": %.1f, ", answered,
              static_cast<unsigned long long>(seen.errors), seen.first_error, static_cast<unsigned long long>(seen.broken), load.seconds(), answered / load.seconds());
  std::printf("\"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"answer_bytes\": %llu, \"gap_p50_us\": %.1f, \"gap_max_us\": %.1f}\n",
              at(seen.latencies_us, 0.5), at(seen.latencies_us, 0.9), at(seen.latencies_us, 0.99), at(seen.latencies_us, 1),
              static_cast<unsigned long long>(seen.bytes), at(seen.gaps_us, 0.5), at(seen.gaps_us, 1));
}
