// replay: what would the cache have done with these questions?
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <unordered_map>

#include "command.h"
#include "input.h"
#include "interrupt.h"
#include "replay_rows.h"

namespace sosie::app {
namespace {

using nlohmann::json;
using Micros = double;

struct ReplayArguments {
  CacheChoice cache;
  std::string file;
  std::size_t worst = 10;
  bool json = false;
};

/// A hit, with what the labels say of it.
struct Judged {
  std::string asked, answered_by;
  double similarity = 0;
  std::optional<bool> right;
};

struct Report {
  std::size_t asked = 0, stored = 0, skipped_blank = 0, unreadable = 0;
  std::size_t exact = 0, semantic = 0;
  std::size_t right = 0, wrong = 0, unlabelled = 0;
  std::size_t could_hit = 0;  ///< Questions whose label says that an answer was there.
  std::vector<Micros> latencies, exact_latencies, semantic_latencies, miss_latencies;
  std::vector<Judged> semantic_hits;

  std::size_t hits() const { return exact + semantic; }
};

double percentile(std::vector<double>& values, double p) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(p * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank), values.end());
  return values[rank];
}

class Replay {
 public:
  explicit Replay(SemanticCache& cache) : cache_(cache) {}

  /// A pair's first side is stored before any second side is asked; a stream is asked in order, and stored where it misses.
  /// Interrupted, it reports what it has.
  Result<Report> run(const std::vector<ReplayRow>& rows) {
    for (std::size_t i = 0; i < rows.size() && !interrupted(); ++i) {
      const ReplayRow& row = rows[i];
      progress(row.twin ? "storing" : "asking", i, rows.size());
      auto done = row.twin ? store_first_side(row) : ask_stream(row, i);
      if (!done) return std::move(done).error();
    }
    for (std::size_t i = 0; i < rows.size() && !interrupted(); ++i) {
      if (!rows[i].twin) continue;
      progress("asking", i, rows.size());
      if (auto done = ask_twin(rows[i]); !done) return std::move(done).error();
    }
    if (isatty(STDERR_FILENO)) std::fprintf(stderr, "\r\033[K");
    return std::move(report_);
  }

 private:
  void progress(const char* what, std::size_t i, std::size_t all) const {
    if (i % 500 == 0 && isatty(STDERR_FILENO)) std::fprintf(stderr, "\r%s %zu of %zu\033[K", what, i, all);
  }

  Result<void> store(const ReplayRow& row, std::shared_ptr<const Embedding> embedding = nullptr) {
    // Without an answer in the file the question stands for it: hits and latencies are what is measured.
    auto stored = cache_.store({.prompt = row.question, .scope = row.scope}, row.answer.value_or(row.question), {.embedding = std::move(embedding)});
    if (!stored) return std::move(stored).error();
    ++report_.stored;
    return {};
  }

  Result<void> store_first_side(const ReplayRow& row) {
    if (auto stored = store(row); !stored) {
      if (stored.error().code != ErrorCode::invalid_argument) return stored;
      ++report_.skipped_blank;
    }
    return {};
  }

  /// Looks up and files the time; nothing where the prompt is blank.
  Result<std::optional<Lookup>> ask(const std::string& question, const std::string& scope) {
    const auto begin = std::chrono::steady_clock::now();
    auto found = cache_.lookup({.prompt = question, .scope = scope});
    const Micros took = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    if (!found) return std::move(found).error();
    if (found->reason == MissReason::blank_prompt) {
      ++report_.skipped_blank;
      return std::optional<Lookup>();
    }
    ++report_.asked;
    report_.latencies.push_back(took);
    if (!found->hit()) {
      report_.miss_latencies.push_back(took);
    } else if (found->hits[0].layer == Layer::exact) {
      ++report_.exact;
      report_.exact_latencies.push_back(took);
    } else {
      ++report_.semantic;
      report_.semantic_latencies.push_back(took);
    }
    return std::optional<Lookup>(std::move(*found));
  }

  void judge(const std::string& asked, const Hit& hit, std::optional<bool> right) {
    if (!right) {
      ++report_.unlabelled;
    } else {
      ++(*right ? report_.right : report_.wrong);
    }
    if (hit.layer == Layer::semantic) report_.semantic_hits.push_back({asked, hit.entry->prompt, hit.similarity.value, right});
  }

  Result<void> ask_stream(const ReplayRow& row, std::size_t number) {
    if (row.cluster && clusters_seen_.contains(*row.cluster)) ++report_.could_hit;
    auto found = ask(row.question, row.scope);
    if (!found) return std::move(found).error();
    if (!*found) return {};
    const std::string cluster = row.cluster.value_or("#" + std::to_string(number));
    if ((*found)->hit()) {
      const Hit& hit = (*found)->hits[0];
      std::optional<bool> right;
      if (row.cluster) right = cluster_of_[hit.entry->prompt] == cluster;
      judge(row.question, hit, right);
    } else if (auto stored = store(row, (*found)->embedding); !stored) {
      return stored;
    } else {
      cluster_of_[row.question] = cluster;
    }
    clusters_seen_[cluster] = true;
    return {};
  }

  Result<void> ask_twin(const ReplayRow& row) {
    if (row.same.value_or(false)) ++report_.could_hit;
    auto found = ask(*row.twin, row.scope);
    if (!found) return std::move(found).error();
    if (!*found || !(*found)->hit()) return {};
    const Hit& hit = (*found)->hits[0];
    // The label speaks of its own pair alone; another stored question that is nearer is nobody's business to judge.
    std::optional<bool> right;
    if (hit.entry->prompt == row.question) right = row.same;
    judge(*row.twin, hit, right);
    return {};
  }

  SemanticCache& cache_;
  Report report_;
  std::unordered_map<std::string, std::string> cluster_of_;
  std::unordered_map<std::string, bool> clusters_seen_;
};

struct Latency {
  double p50, p90, p99, max;
};

Latency summarise(std::vector<Micros>& micros) {
  return {percentile(micros, 0.5) / 1000, percentile(micros, 0.9) / 1000, percentile(micros, 0.99) / 1000, percentile(micros, 1) / 1000};
}

/// Labelled wrong, most alike first; without labels, the least alike hits.
std::vector<Judged> worst_pairs(std::vector<Judged> hits, std::size_t count) {
  const bool labelled = std::any_of(hits.begin(), hits.end(), [](const Judged& hit) { return hit.right.has_value(); });
  if (labelled) std::erase_if(hits, [](const Judged& hit) { return hit.right.value_or(true); });
  std::sort(hits.begin(), hits.end(), [&](const Judged& a, const Judged& b) {
    const bool before = labelled ? a.similarity > b.similarity : a.similarity < b.similarity;
    return a.similarity == b.similarity ? a.asked < b.asked : before;
  });
  if (hits.size() > count) hits.resize(count);
  return hits;
}

void print(Report& report, const ReplayArguments& arguments) {
  const auto share = [](std::size_t part, std::size_t whole) { return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0; };
  std::printf("questions asked      %zu (stored %zu, blank %zu, unreadable lines %zu)\n", report.asked, report.stored,
              report.skipped_blank, report.unreadable);
  std::printf("hit rate             %.2f %% (%zu: exact %zu, semantic %zu) at threshold %g\n", share(report.hits(), report.asked),
              report.hits(), report.exact, report.semantic, arguments.cache.options.threshold.value);
  if (report.right + report.wrong > 0) {
    std::printf("labelled hits        right %zu, wrong %zu (%.2f %% of the labelled), not labelled %zu\n", report.right, report.wrong,
                share(report.wrong, report.right + report.wrong), report.unlabelled);
    std::printf("of what could hit    %.2f %% (%zu of %zu)\n", share(report.right, report.could_hit), report.right, report.could_hit);
  }
  const auto line = [](const char* name, std::vector<Micros>& micros) {
    if (micros.empty()) return;
    const Latency l = summarise(micros);
    std::printf("%-20s p50 %.3f  p90 %.3f  p99 %.3f  max %.3f ms\n", name, l.p50, l.p90, l.p99, l.max);
  };
  line("lookup", report.latencies);
  line("  exact hit", report.exact_latencies);
  line("  semantic hit", report.semantic_latencies);
  line("  miss", report.miss_latencies);
  const auto worst = worst_pairs(report.semantic_hits, arguments.worst);
  if (!worst.empty()) std::printf("worst pairs          %s\n", worst[0].right ? "(labelled different, most alike first)" : "(least alike first)");
  for (const auto& pair : worst) std::printf("  %.6f  %s\n            %s\n", pair.similarity, pair.asked.c_str(), pair.answered_by.c_str());
}

void print_json(Report& report, const ReplayArguments& arguments) {
  const auto latency = [](std::vector<Micros>& micros) {
    const Latency l = summarise(micros);
    return json{{"p50", l.p50}, {"p90", l.p90}, {"p99", l.p99}, {"max", l.max}};
  };
  json worst = json::array();
  for (const auto& pair : worst_pairs(report.semantic_hits, arguments.worst)) {
    worst.push_back({{"similarity", pair.similarity}, {"asked", pair.asked}, {"answered_by", pair.answered_by}});
  }
  const json out{{"asked", report.asked},
                 {"stored", report.stored},
                 {"blank", report.skipped_blank},
                 {"unreadable", report.unreadable},
                 {"threshold", arguments.cache.options.threshold.value},
                 {"hit_rate", report.asked ? static_cast<double>(report.hits()) / static_cast<double>(report.asked) : 0.0},
                 {"exact_hits", report.exact},
                 {"semantic_hits", report.semantic},
                 {"right", report.right},
                 {"wrong", report.wrong},
                 {"unlabelled", report.unlabelled},
                 {"could_hit", report.could_hit},
                 {"latency_ms", latency(report.latencies)},
                 {"worst", std::move(worst)}};
  std::printf("%s\n", out.dump().c_str());
}

int run_replay(const ReplayArguments& arguments) {
  auto input = Input::open(arguments.file);
  if (!input) return fail(input.error());
  catch_interrupts();
  std::vector<ReplayRow> rows;
  std::size_t unreadable = 0, number = 0;
  for (std::string line; !interrupted() && std::getline(input->stream(), line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    auto row = parse_replay_row(line);
    if (row) {
      rows.push_back(std::move(*row));
    } else if (++unreadable <= 5) {
      std::fprintf(stderr, "sosie: %s:%zu: %s\n", input->name().c_str(), number, row.error().message.c_str());
    }
  }
  if (interrupted()) return end_interrupted("no question was asked");
  if (input->stream().bad()) return fail({ErrorCode::unavailable, input->name() + " cannot be read to its end"});
  if (rows.empty()) return fail({ErrorCode::invalid_argument, input->name() + " has no question that could be read (see replay --help)"});
  auto cache = open_cache(arguments.cache);
  if (!cache) return fail(cache.error());
  auto report = Replay(*cache).run(rows);
  if (!report) return fail(report.error());
  report->unreadable = unreadable;
  if (arguments.json) {
    print_json(*report, arguments);
  } else {
    print(*report, arguments);
  }
  if (interrupted()) return end_interrupted("this is of a part of the " + std::to_string(rows.size()) + " questions");
  return kOk;
}

}  // namespace

void add_replay(CLI::App& app, const Settings& settings, Run& run) {
  static ReplayArguments arguments;
  auto* command = app.add_subcommand("replay", "Ask a file of questions: hit rate, latencies, worst pairs");
  command->add_option("file", arguments.file, "JSONL: a question a line, with answers and labels where it has them; - is standard input")->required();
  command->add_option("--worst", arguments.worst, "How many of the worst pairs to print")->check(CLI::Range(0, 1'000'000))->capture_default_str();
  command->add_flag("--json", arguments.json, "As JSON");
  add_cache_options(*command, settings, arguments.cache);
  arguments.cache.options.data.clear();
  arguments.cache.use_redis = false;  // a trial must not fill the store that a server uses, unless told to
  command->get_option("--data")->description("Keep the entries in this folder (default: in memory)")->default_str("");
  command->get_option("--store")->default_str("in memory");
  command->footer(
      "A line is a pair  {\"a\": \"...\", \"b\": \"...\", \"same\": 1}: every a is stored, then every b asked\n"
      "                  (also question1, question2, is_duplicate; sentence1, sentence2, label; text1, text2);\n"
      "a question        {\"q\": \"...\", \"answer\": \"...\", \"cluster\": 7}: asked in order, stored where it misses\n"
      "                  (also question, prompt, query, input, text; answer, response, completion, output);\n"
      "a chat            {\"model\": ..., \"messages\": [...]}: its last user turn; or a JSON string.\n"
      "model, system and earlier turns are a hard key: only what agrees in them may answer.\n"
      "same and cluster are labels: with them, wrong hits are counted.\n"
      "Example:\n  sosie replay questions.jsonl --threshold 0.9");
  command->callback([&run] { run = [] { return run_replay(arguments); }; });
}

}  // namespace sosie::app
