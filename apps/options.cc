#include <cstdio>
#include <map>

#include "command.h"

namespace sosie::app {
namespace {

// 100 years: what the cache itself takes at most.
constexpr std::int64_t kLongestMs = std::int64_t{36'525} * 86'400'000;

std::optional<std::chrono::milliseconds> parse_duration(const std::string& text) {
  static const std::map<std::string, std::int64_t> kUnits{{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const auto digits = text.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos || digits > 12) return std::nullopt;
  const auto unit = kUnits.find(text.substr(digits));
  if (unit == kUnits.end()) return std::nullopt;
  const std::int64_t count = std::stoll(text.substr(0, digits));
  if (count > kLongestMs / unit->second) return std::nullopt;
  return std::chrono::milliseconds(count * unit->second);
}

}  // namespace

int fail(const Error& error) {
  std::fprintf(stderr, "sosie: %s\n", error.message.c_str());
  return kFailed;
}

CLI::Option* add_duration(CLI::App& command, const std::string& flag, std::optional<std::chrono::milliseconds>& into,
                          const std::string& help) {
  return command
      .add_option_function<std::string>(
          flag,
          [&into, flag](const std::string& text) {
            into = parse_duration(text);
            if (!into) throw CLI::ValidationError(flag, "wants a whole number and a unit (ms, s, m, h, d), 100 years at most, e.g. 90s, not " + text);
          },
          help)
      ->type_name("DURATION");
}

void add_encoder_options(CLI::App& command, LocalEncoderOptions& options) {
  static const std::map<std::string, Precision> kPrecisions{
      {"auto", Precision::automatic}, {"f32", Precision::f32}, {"bf16", Precision::bf16}, {"int8", Precision::int8}};
  command.add_option("--model", options.model, "Folder of a BERT-family sentence encoder (default: all-MiniLM-L6-v2)");
  command
      .add_option_function<std::string>(
          "--precision", [&options](const std::string& name) { options.precision = kPrecisions.at(name); },
          "Arithmetic of the encoder: auto, f32, bf16 or int8")
      ->check(CLI::IsMember({"auto", "f32", "bf16", "int8"}))
      ->type_name("NAME");
}

void add_cache_options(CLI::App& command, CacheOptions& options) {
  options.data = "./data";
  command.add_option("--data", options.data, "Folder where entries are kept")->capture_default_str();
  command.add_option("--threshold", options.threshold.value, "Least cosine similarity of a hit, 0 to 1; 1: only the same text")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  add_duration(command, "--ttl", options.ttl, "How long entries live unless they say otherwise (default: for ever)");
  command.add_option("--max-bytes", options.max_bytes, "Bound on all entries, e.g. 512MB; the least valuable leave first; 0: none")
      ->transform(CLI::AsSizeValue(false))
      ->default_str("1GB");
  add_encoder_options(command, options.encoder);
}

}  // namespace sosie::app
