// values.h: how people write durations, sizes and addresses, on the command line, in the configuration file and in the environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace sosie::app {

/// "500ms", "30s", "5m", "2h", "7d"; 100 years at most.
std::optional<std::chrono::milliseconds> parse_duration(const std::string& text);
inline constexpr const char* kDurationWanted =
    "a whole number and a unit (ms, s, m, h, d), more than 0 and 100 years at most, e.g. 90s";

/// "512MB", "1GB", "65536"; a KB is 1024 bytes.
std::optional<std::uint64_t> parse_bytes(const std::string& text);
inline constexpr const char* kBytesWanted = "a size, e.g. 512MB or 1GB";

struct ListenAddress {
  std::string address;  ///< Without brackets.
  std::uint16_t port = 0;
};

/// "127.0.0.1:8080", "[::1]:8080"; "localhost:8080" is 127.0.0.1.
std::optional<ListenAddress> parse_listen(const std::string& text);
inline constexpr const char* kListenWanted = "an IP address, or localhost (127.0.0.1), and a port, e.g. 127.0.0.1:8080 or [::1]:8080";

/// The value of an environment variable; empty where it is not set.
std::string environment(const char* name);

}  // namespace sosie::app
