// doctor: what this machine has, what is missing, and what to do about it.
#include <cstdio>
#include <filesystem>

#include "ask_redis.h"
#include "base/isa.h"
#include "command.h"
#include "embed/endpoint_embedder.h"
#include "embed/kernels.h"
#include "embed/local_encoder.h"
#include "index/kernels.h"
#include "store/embedded_store.h"
#include "store/folder_lock.h"

namespace sosie::app {
namespace {

struct DoctorArguments {
  Settings settings;
  CacheChoice cache;
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
  if (__builtin_cpu_supports("avxvnni")) features += " AVX-VNNI";
  if (__builtin_cpu_supports("avx512f")) features += " AVX-512";
  if (__builtin_cpu_supports("avx512vnni")) features += " VNNI";
  if (__builtin_cpu_supports("avx512bf16")) features += " BF16";
  findings.good("cpu",
                features.empty() ? "x86-64 without vector extensions: slow, but correct" : "x86-64 with" + features);
#elif defined(__aarch64__)
  std::string features = "aarch64 with NEON";
  if (embed::kernels_for(base::Isa::neondot) != nullptr) features += ", dot products";
  if (embed::kernels_for(base::Isa::neoni8mm) != nullptr) features += ", I8MM";
  findings.good("cpu", features);
#else
  findings.note("cpu", "neither x86-64 nor aarch64: the portable kernels are used");
#endif
  findings.good("search", "kernel " + std::string(base::to_string(index::kernels().isa)));
}

void look_at_endpoint(const RemoteEmbedderOptions& options, Findings& findings) {
  auto endpoint = embed::EndpointEmbedder::open(options);
  if (!endpoint) return findings.missing("encoder", endpoint.error().message);
  const std::string_view any[] = {"a"};
  if (auto asked = (*endpoint)->embed(any); !asked) return findings.missing("encoder", asked.error().message);
  findings.good("encoder", (*endpoint)->describe() + ", " + std::to_string((*endpoint)->dimension()) + " dimensions, window " +
                               std::to_string((*endpoint)->max_tokens()) + " tokens");
}

void look_at_encoder(const DoctorArguments& arguments, Findings& findings) {
  const auto chosen = choose_cache(arguments.cache);
  if (!chosen) return findings.missing("encoder", chosen.error().message);
  if (chosen->embedding_endpoint) return look_at_endpoint(*chosen->embedding_endpoint, findings);
  auto encoder = embed::LocalEncoder::open(chosen->encoder);
  if (!encoder) return findings.missing("encoder", encoder.error().message);
  findings.good("encoder", std::string((*encoder)->model_name()) + ", " + std::to_string((*encoder)->dimension()) +
                               " dimensions, window " + std::to_string((*encoder)->max_tokens()) + " tokens, " +
                               (*encoder)->precision_name() + " with " + std::string((*encoder)->kernel_name()) +
                               (base::forced_isa() == embed::kernels().isa ? ", which SOSIE_FORCE_ISA names" : ", the best of this CPU"));
}

void look_at_config(const DoctorArguments& arguments, Findings& findings) {
  const auto& file = arguments.settings.file;
  if (file.empty())
    return findings.note("config", "no file, so the defaults: --config FILE, $SOSIE_CONFIG or ./sosie.toml names one");
  findings.good("config", file.string());
}

void look_at_folder(const std::filesystem::path& folder, Findings& findings) {
  std::error_code failed;
  if (!std::filesystem::exists(folder, failed))
    return findings.note("data", folder.string() + " does not exist yet: the first entry makes it");
  if (const auto holder = store::FolderLock::holder(folder))
    return findings.good("data", folder.string() + ", in use by " + *holder + ", which alone can count its entries");
  if (!std::filesystem::exists(folder / "sosie.db", failed))
    return findings.note("data", folder.string() + " holds no entries yet: there is no sosie.db in it");
  auto store = store::open_embedded_store({.folder = folder, .max_bytes = 0});
  if (!store) return findings.missing("data", store.error().message);
  findings.good("data", folder.string() + ", " + std::to_string((*store)->stats().entries) + " entries");
}

void look_at_redis(const CacheOptions& options, Findings& findings) {
  findings.good("store", describe_store(options));
  auto server = ask_redis(*options.redis);
  if (!server) return findings.missing("redis", server.error().message);
  if (!server->software) return findings.missing("redis", server->software.error().message);
  findings.good("redis", *server->software);
  if (!server->search) return findings.missing("module", server->search.error().message);
  findings.good("module", *server->search);
  if (!server->has_store) return findings.note("entries", "no store of that name there yet: the first use begins it");
  auto cache = SemanticCache::open(options);
  if (!cache) return findings.missing("entries", cache.error().message);
  findings.good("entries", std::to_string(cache->stats().entries));
}

void look_at_store(const DoctorArguments& arguments, Findings& findings) {
  auto options = choose_cache(arguments.cache);
  if (!options) return findings.missing("store", options.error().message);
  if (options->redis) return look_at_redis(*options, findings);
  look_at_folder(options->data, findings);
}

void look_at_upstream(const DoctorArguments& arguments, Findings& findings) {
  const auto upstreams = find_upstreams(arguments.settings.upstreams, "");
  if (!upstreams) return findings.missing("upstream", upstreams.error().message);
  if (upstreams->empty()) {
    return findings.note("upstream", "neither OPENAI_BASE_URL nor OPENAI_API_KEY is set: give serve --upstream URL");
  }
  for (const auto& upstream : *upstreams) {
    if (const std::string doubt = doubt_upstream(upstream); !doubt.empty()) findings.note("upstream", doubt);
    findings.good("upstream", describe_upstream(upstream));
  }
}

int run_doctor(const DoctorArguments& arguments) {
  Findings findings;
  look_at_cpu(findings);
  look_at_config(arguments, findings);
  look_at_encoder(arguments, findings);
  look_at_store(arguments, findings);
  look_at_upstream(arguments, findings);
  return findings.healthy() ? kOk : kFailed;
}

}  // namespace

void add_doctor(CLI::App& app, const Settings& settings, Run& run) {
  static DoctorArguments arguments;
  arguments.settings = settings;
  auto* command = app.add_subcommand(
      "doctor", "What this machine has and what is missing; exit code 0: all that is needed is there");
  add_cache_options(*command, settings, arguments.cache);
  command->footer("Example:\n  sosie doctor --store redis://127.0.0.1:6379");
  command->callback([&run] { run = [] { return run_doctor(arguments); }; });
}

}  // namespace sosie::app
