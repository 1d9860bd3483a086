// export, import: entries out of a store and into one.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <istream>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "command.h"
#include "entry_lines.h"
#include "input.h"
#include "interrupt.h"
#include "litellm_index.h"
#include "store/embedded_store.h"
#include "store/redis_store.h"

namespace sosie::app {
namespace {

constexpr std::size_t kMoveBatch = 64;
constexpr const char* kLiteLlmIndex = "litellm_semantic_cache_index";

/// A count on standard error, where somebody sees it grow.
class Progress {
 public:
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }

  void show(std::uint64_t entries) {
    const auto now = std::chrono::steady_clock::now();
    if (!visible_ || now - last_ < std::chrono::milliseconds(200)) return;
    last_ = now;
    shown_ = true;
    std::fprintf(stderr, "\r%llu entries", static_cast<unsigned long long>(entries));
  }

 private:
  const bool visible_ = ::isatty(STDERR_FILENO) == 1;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_{};
};

// Neither needs an encoder, and no bound may make entries leave on the way out.
Result<std::unique_ptr<store::Store>> open_to_read(const CacheOptions& options) {
  if (auto there = check_store(options); !there) return there.error();
  if (options.redis) return store::open_redis_store(*options.redis, 0);
  return store::open_embedded_store({.folder = options.data, .max_bytes = 0});
}

struct ExportArguments {
  CacheChoice cache;
  std::string file = "-";
};

int run_export(const ExportArguments& arguments) {
  auto options = choose_cache(arguments.cache);
  if (!options) return fail(options.error());
  auto from = open_to_read(*options);
  if (!from) return fail(from.error());
  const bool to_stdout = arguments.file == "-";
  std::FILE* out = to_stdout ? stdout : std::fopen(arguments.file.c_str(), "wb");
  if (out == nullptr) return fail({ErrorCode::permission_denied, arguments.file + " cannot be written"});
  std::uint64_t entries = 0;
  bool written = true;
  catch_interrupts();
  const auto scanned = [&] {
    Progress progress;
    return (*from)->scan(base::system_now(), [&](const Entry& entry) {
      const std::string line = entry_to_line(entry) + "\n";
      written = std::fwrite(line.data(), 1, line.size(), out) == line.size();
      if (written) progress.show(++entries);
      return written && !interrupted();
    });
  }();
  written = (to_stdout ? std::fflush(out) : std::fclose(out)) == 0 && written;
  if (interrupted()) return end_interrupted("not all entries are in " + (to_stdout ? "the output" : arguments.file) + ", " + std::to_string(entries) + " are");
  if (!scanned) return fail(scanned.error());
  if (!written) return fail({ErrorCode::resource_exhausted, arguments.file + " cannot be written to its end"});
  return kOk;
}

struct ImportArguments {
  CacheChoice cache;
  std::string source;
  std::string index = kLiteLlmIndex;
  std::optional<std::string> scope;
};

/// Collects entries and stores them a batch at a time.
class Importer {
 public:
  Importer(SemanticCache cache, std::optional<std::string> scope)
      : cache_(std::move(cache)), scope_(std::move(scope)) {}

  Result<void> add(Entry entry) {
    if (scope_) entry.scope = *scope_;
    batch_.push_back(std::move(entry));
    return batch_.size() < kMoveBatch ? Result<void>() : flush();
  }

  Result<void> flush() {
    auto done = cache_.restore(batch_);
    if (!done) return done.error();
    total_.stored += done->stored;
    total_.expired += done->expired;
    total_.unfit += done->unfit;
    batch_.clear();
    progress_.show(total_.stored);
    return {};
  }

  const Restored& total() const noexcept { return total_; }
  std::uint64_t evicted() const { return cache_.stats().evicted; }

 private:
  SemanticCache cache_;
  const std::optional<std::string> scope_;
  std::vector<Entry> batch_;
  Restored total_;
  Progress progress_;
};

Result<void> import_lines(Input& input, Importer& importer) {
  std::istream& in = input.stream();
  const std::string& name = input.name();
  const TimePoint now = base::system_now();
  std::uint64_t number = 0;
  for (std::string line; !interrupted() && std::getline(in, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto entry = entry_from_line(line, now);
    if (!entry) return Error{entry.error().code, name + ":" + std::to_string(number) + " " + entry.error().message};
    if (auto added = importer.add(std::move(*entry)); !added) return added;
  }
  if (interrupted()) return {};
  if (in.bad()) return Error{ErrorCode::unavailable, name + " cannot be read to its end"};
  return importer.flush();
}

Result<IndexRead> import_index(const ImportArguments& arguments, Importer& importer) {
  CacheChoice source = arguments.cache;
  source.store = arguments.source;
  source.data.reset();
  auto options = choose_cache(source);
  if (!options) return options.error();
  Result<void> added;
  auto read = read_litellm_index(options->redis->connection, arguments.index, base::system_now(), [&](Entry entry) {
    added = importer.add(std::move(entry));
    return added.has_value() && !interrupted();
  });
  if (!read) return read;
  if (added && !interrupted()) added = importer.flush();
  if (!added) return added.error();
  return read;
}

void report(const Importer& importer, std::uint64_t unreadable) {
  const Restored& total = importer.total();
  const auto print = [](std::uint64_t count, const char* what) {
    if (count > 0) std::printf("%llu %s\n", static_cast<unsigned long long>(count), what);
  };
  std::printf("%llu stored\n", static_cast<unsigned long long>(total.stored));
  print(total.expired, "left out: expired");
  print(total.unfit, "left out: the prompt is blank or not UTF-8");
  print(unreadable, "left out: the response cannot be read");
  print(importer.evicted(), "evicted: the store has reached its bound, see --max-bytes");
}

int run_import(const ImportArguments& arguments) {
  const bool from_redis = arguments.source.find("://") != std::string::npos;
  std::optional<Input> lines;
  if (!from_redis) {
    auto input = Input::open(arguments.source);
    if (!input) return fail(input.error());
    lines = std::move(*input);
  }
  auto options = choose_cache(arguments.cache);
  if (!options) return fail(options.error());
  // An import that a power cut ends is done again: no entry waits for the disk alone.
  options->durability = Durability::process_crash;
  auto cache = SemanticCache::open(std::move(*options));
  if (!cache) return fail(cache.error());
  Importer importer(std::move(*cache), arguments.scope);
  catch_interrupts();
  const auto end_early = [] { return end_interrupted("what is counted is stored; doing it again is harmless"); };
  if (lines) {
    if (auto done = import_lines(*lines, importer); !done) return fail(done.error());
    report(importer, 0);
    return interrupted() ? end_early() : kOk;
  }
  auto read = import_index(arguments, importer);
  if (!read) return fail(read.error());
  report(importer, read->unreadable);
  if (interrupted()) return end_early();
  if (read->entries + read->unreadable > 0) return kOk;
  std::fprintf(stderr, "there is no entry in an index named %s: name it with --index\n", arguments.index.c_str());
  return kMiss;
}

}  // namespace

void add_move_commands(CLI::App& app, const Settings& settings, Run& run) {
  static ExportArguments exported;
  auto* out = app.add_subcommand("export", "Write every entry as a line of JSON");
  out->add_option("file", exported.file, "Where to; - is standard output")->capture_default_str();
  add_store_options(*out, settings, exported.cache);
  out->footer("Example:\n  sosie export entries.jsonl --data ./data");
  out->callback([&run] { run = [] { return run_export(exported); }; });

  static ImportArguments imported;
  auto* in = app.add_subcommand(
      "import", "Store the entries of an export, or of a semantic cache of LiteLLM or RedisVL in Redis");
  in->add_option("source", imported.source,
                 "A file, - for standard input, or redis://[[user]:password@]host[:port][/db]")
      ->required();
  in->add_option("--index", imported.index, "In Redis: the index, which is also the prefix of its keys")
      ->type_name("NAME")
      ->capture_default_str();
  in->add_option("--scope", imported.scope,
                 "Give all entries this scope (default: their own; of LiteLLM, the cache key)");
  add_store_options(*in, settings, imported.cache);
  add_bound_option(*in, settings, imported.cache.options);
  add_encoder_options(*in, settings, imported.cache.options.encoder);
  imported.cache.options.encoder.threads = std::max(1U, std::thread::hardware_concurrency());
  in->add_option("--threads", imported.cache.options.encoder.threads, "Threads of the encoder")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  in->footer(
      "Examples:\n"
      "  sosie import entries.jsonl --data ./data\n"
      "  sosie import redis://127.0.0.1:6379 --index litellm_semantic_cache_index --data ./data\n"
      "Doing it again is harmless. Exit code 1: there is no such index in Redis.");
  in->callback([&run] { run = [] { return run_import(imported); }; });
}

}  // namespace sosie::app
