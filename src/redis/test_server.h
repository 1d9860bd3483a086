// test_server.h: a real Redis server with the search module, for tests.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sosie/redis.h"

/// Skips the test where no server can be started.
#define SOSIE_NEEDS_REDIS() \
  if (const std::string why = ::sosie::redis::TestServer::missing(); !why.empty()) GTEST_SKIP() << why

namespace sosie::redis {

/// On a free port of 127.0.0.1, with a folder of its own; nothing is kept on disk unless `arguments` say so. Dies with
/// the thread that started it. Throws std::runtime_error where a server cannot be started: the test ends there.
/// Thread-safety: none.
class TestServer {
 public:
  struct Options {
    std::vector<std::string> arguments;    ///< For redis-server, behind ours: {"--requirepass", "secret"}.
    std::filesystem::path tls_folder;      ///< With ca.crt, server.crt, server.key: speaks TLS only.
    bool asks_client_certificate = false;  ///< With tls_folder.
    bool with_search = true;
  };

  /// Why there is no server to start; empty: there is.
  static std::string missing() {
    if (std::filesystem::exists(home() / "bin/redis-server") && std::filesystem::exists(home() / "lib/redisearch.so"))
      return {};
    return "no Redis to test against: run script/bootstrap --with-tests, or let SOSIE_REDIS_HOME name a folder with "
           "bin/redis-server and "
           "lib/redisearch.so";
  }

  TestServer() : TestServer(Options{}) {}
  explicit TestServer(Options options) : options_(std::move(options)) {
    std::string name = (std::filesystem::temp_directory_path() / "sosie-redis-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    folder_ = name;
    for (int i = 0; i < 5 && pid_ < 0; ++i) {  // a port that was free may be taken meanwhile
      port_ = free_port();
      try_start();
    }
    if (pid_ > 0) return;
    const std::string said = log();
    remove_folder();
    throw std::runtime_error("redis-server does not start: " + said);
  }
  ~TestServer() {
    kill();
    remove_folder();
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  std::string url() const {
    return (options_.tls_folder.empty() ? "redis://127.0.0.1:" : "rediss://127.0.0.1:") + std::to_string(port_);
  }
  /// How to reach it; no password, and with tls_folder its authority.
  RedisOptions options() const {
    RedisOptions out;
    out.url = url();
    if (!options_.tls_folder.empty()) out.tls.ca_file = options_.tls_folder / "ca.crt";
    return out;
  }
  const std::filesystem::path& folder() const noexcept { return folder_; }

  /// On the same port. REQUIRES: it does not run.
  void start() {
    try_start();
    if (pid_ < 0) throw std::runtime_error("redis-server does not start again: " + log());
  }
  /// As an administrator stops it.
  void stop() { end(SIGTERM); }
  /// As a crash does.
  void kill() { end(SIGKILL); }
  void restart() {
    stop();
    start();
  }
  /// Connections are still accepted, by the system; nothing is answered.
  void stop_answering() { signal_and(SIGSTOP); }
  void answer_again() { signal_and(SIGCONT); }

  /// What redis-cli prints for one command, without the last newline. Words hold no quotes.
  std::string command(const std::vector<std::string>& words) const {
    std::string line = "'" + (home() / "bin/redis-cli").string() + "' -h 127.0.0.1 -p " + std::to_string(port_);
    if (!options_.tls_folder.empty()) line += " --tls --cacert '" + (options_.tls_folder / "ca.crt").string() + "'";
    for (const std::string& word : words) line += " '" + word + "'";
    std::string out;
    FILE* const pipe = ::popen((line + " 2>&1").c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("redis-cli does not start");
    std::array<char, 4096> buffer;
    while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe))
      out.append(buffer.data(), count);
    ::pclose(pipe);
    while (out.ends_with('\n')) out.pop_back();
    return out;
  }

 private:
  static std::filesystem::path home() {
    if (const char* const named = std::getenv("SOSIE_REDIS_HOME"); named && *named) return named;
    if (const char* const cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
      return std::filesystem::path(cache) / "sosie/redis-7.4";
    const char* const user = std::getenv("HOME");
    return std::filesystem::path(user ? user : "") / ".cache/sosie/redis-7.4";
  }

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  static std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(fd);
    if (!bound) throw std::runtime_error("no free port on 127.0.0.1");
    return ntohs(address.sin_port);
  }

  std::vector<std::string> command_line() const {
    std::vector<std::string> words{
        (home() / "bin/redis-server").string(), "--bind", "127.0.0.1", "--save", "", "--dir", folder_.string()};
    const auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
    const std::string port = std::to_string(port_);
    if (options_.tls_folder.empty()) {
      add({"--port", port});
    } else {
      const auto& folder = options_.tls_folder;
      add({"--port", "0", "--tls-port", port, "--tls-cert-file", (folder / "server.crt").string(), "--tls-key-file",
           (folder / "server.key").string(), "--tls-ca-cert-file", (folder / "ca.crt").string(), "--tls-auth-clients",
           options_.asks_client_certificate ? "yes" : "no"});
    }
    if (options_.with_search) add({"--loadmodule", (home() / "lib/redisearch.so").string()});
    words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
    return words;
  }

  void try_start() {
    const std::vector<std::string> words = command_line();
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const std::string log_file = (folder_ / "log").string();
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int out = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(out, STDOUT_FILENO);
      ::dup2(out, STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!answers()) {
      const bool ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
      if (ended) pid_ = -1;
      if (ended) return;
      if (std::chrono::steady_clock::now() > until) return end(SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  /// With TLS: whether it accepts.
  bool answers() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port_);
    const timeval patience{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool good = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (good && options_.tls_folder.empty()) {
      constexpr std::string_view kPing = "PING\r\n";
      std::array<char, 64> buffer;
      const auto count =
          ::send(fd, kPing.data(), kPing.size(), MSG_NOSIGNAL) > 0 ? ::recv(fd, buffer.data(), buffer.size(), 0) : 0;
      const std::string_view reply(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
      good = reply.starts_with("+PONG") || reply.starts_with("-NOAUTH");
    }
    ::close(fd);
    return good;
  }

  void signal_and(int signal) const {
    if (pid_ > 0) ::kill(pid_, signal);
  }

  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  void remove_folder() const {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string log() const {
    std::ifstream file(folder_ / "log");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  const Options options_;
  std::filesystem::path folder_;
  std::uint16_t port_ = 0;
  ::pid_t pid_ = -1;
};

}  // namespace sosie::redis
