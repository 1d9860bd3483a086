#include "values.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <limits>
#include <map>

namespace sosie::app {
namespace {

// 100 years: what the cache itself takes at most.
constexpr std::int64_t kLongestMs = std::int64_t{36'525} * 86'400'000;
constexpr std::size_t kMostDigits = 18;  // fit an int64

/// The number at the front, and the unit behind it in lower case. Unset: there is no number, or it is too long.
std::optional<std::pair<std::int64_t, std::string>> split_number(const std::string& text) {
  const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
  if (digits == 0 || digits > kMostDigits) return std::nullopt;
  std::string unit = text.substr(digits);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::pair{std::int64_t{std::stoll(text.substr(0, digits))}, unit};
}

bool is_ip_address(const std::string& text) {
  const std::string without_zone = text.substr(0, text.find('%'));
  in6_addr ignored;
  return ::inet_pton(AF_INET, text.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, without_zone.c_str(), &ignored) == 1;
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(const std::string& text) {
  static const std::map<std::string, std::int64_t> kUnits{
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const auto split = split_number(text);
  if (!split) return std::nullopt;
  const auto unit = kUnits.find(split->second);
  if (unit == kUnits.end() || split->first > kLongestMs / unit->second) return std::nullopt;
  return std::chrono::milliseconds(split->first * unit->second);
}

std::optional<std::uint64_t> parse_bytes(const std::string& text) {
  static const std::map<std::string, int> kShifts{{"", 0},     {"b", 0},   {"k", 10},   {"kb", 10}, {"kib", 10},
                                                  {"m", 20},   {"mb", 20}, {"mib", 20}, {"g", 30},  {"gb", 30},
                                                  {"gib", 30}, {"t", 40},  {"tb", 40},  {"tib", 40}};
  const auto split = split_number(text);
  if (!split) return std::nullopt;
  const auto shift = kShifts.find(split->second);
  if (shift == kShifts.end() || split->first > std::numeric_limits<std::int64_t>::max() >> shift->second)
    return std::nullopt;
  return static_cast<std::uint64_t>(split->first) << shift->second;
}

std::optional<ListenAddress> parse_listen(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size() || text.size() - colon > 6)
    return std::nullopt;
  std::string address = text.substr(0, colon);
  if (address.front() == '[' && address.back() == ']') address = address.substr(1, address.size() - 2);
  const std::string port = text.substr(colon + 1);
  if (port.find_first_not_of("0123456789") != std::string::npos || std::stoul(port) > 65535) return std::nullopt;
  if (address == "localhost") address = "127.0.0.1";
  if (!is_ip_address(address)) return std::nullopt;
  return ListenAddress{std::move(address), static_cast<std::uint16_t>(std::stoul(port))};
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace sosie::app
