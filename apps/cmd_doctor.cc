// doctor: what this machine has, what is missing, and what to do about it.
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "command.h"
#include "embed/local_encoder.h"
#include "index/kernels.h"
#include "store/embedded_store.h"

namespace sosie::app {
namespace {

struct Arguments {
  CacheOptions cache;
};

class Findings {
 public:
  void good(const char* what, const std::string& detail) { std::printf("ok       %-9s %s\n", what, detail.c_str()); }
  void note(const char* what, const std::string& detail) { std::printf("note     %-9s %s\n", what, detail.c_str()); }
  void missing(const char* what, const std::string& detail) {
    std::printf("missing  %-9s %s\n", what, detail.c_str());
    healthy_ = false;
  }
  bool healthy() const { return healthy_; }

 private:
  bool healthy_ = true;
};

void look_at_cpu(Findings& findings) {
#if defined(__x86_64__)
  std::string features;
  if (__builtin_cpu_supports("avx2")) features += " AVX2";
  if (__builtin_cpu_supports("avx512f")) features += " AVX-512";
  if (__builtin_cpu_supports("avx512vnni")) features += " VNNI";
  if (__builtin_cpu_supports("avx512bf16")) features += " BF16";
  findings.good("cpu", features.empty() ? "x86-64 without vector extensions: slow, but correct" : "x86-64 with" + features);
#else
  findings.note("cpu", "not x86-64: the portable kernels are used");
#endif
  findings.good("search", "kernel " + std::string(index::to_string(index::kernels().isa)));
}

void look_at_encoder(const Arguments& arguments, Findings& findings) {
  auto encoder = embed::LocalEncoder::open(arguments.cache.encoder);
  if (!encoder) return findings.missing("encoder", encoder.error().message);
  findings.good("encoder", std::string((*encoder)->model_name()) + ", " + std::to_string((*encoder)->dimension()) + " dimensions, window " +
                               std::to_string((*encoder)->max_tokens()) + " tokens, " + (*encoder)->precision_name());
}

void look_at_data(const Arguments& arguments, Findings& findings) {
  const auto& folder = arguments.cache.data;
  if (!std::filesystem::exists(folder)) return findings.note("data", folder.string() + " does not exist yet: the first use makes it");
  auto store = store::open_embedded_store({.folder = folder});
  if (!store) return findings.missing("data", store.error().message);
  findings.good("data", folder.string() + ", " + std::to_string((*store)->stats().entries) + " entries");
}

void look_at_upstream(Findings& findings) {
  const char* url = std::getenv("OPENAI_BASE_URL");
  const char* key = std::getenv("OPENAI_API_KEY");
  if (url == nullptr && key == nullptr) {
    return findings.note("upstream", "neither OPENAI_BASE_URL nor OPENAI_API_KEY is set: give serve --upstream URL");
  }
  findings.good("upstream", std::string(url ? url : "https://api.openai.com/v1") + (key ? ", key set" : ", no key: the caller's is passed on"));
}

int run_doctor(const Arguments& arguments) {
  Findings findings;
  look_at_cpu(findings);
  look_at_encoder(arguments, findings);
  look_at_data(arguments, findings);
  look_at_upstream(findings);
  return findings.healthy() ? kOk : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app, Run& run) {
  static Arguments arguments;
  auto* command = app.add_subcommand("doctor", "What this machine has and what is missing; exit code 0: all that is needed is there");
  add_cache_options(*command, arguments.cache);
  command->footer("Example:\n  sosie doctor --data ./data");
  command->callback([&run] { run = [] { return run_doctor(arguments); }; });
}

}  // namespace sosie::app
