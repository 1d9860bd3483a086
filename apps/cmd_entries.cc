// set, get, stats: the cache from a shell.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "command.h"
#include "input.h"
#include "store/embedded_store.h"

namespace sosie::app {
namespace {

using nlohmann::json;

struct EntriesArguments {
  CacheChoice cache;
  std::string prompt, answer, scope;
  std::vector<std::string> attributes;
  double cost = 0;
  bool json = false;
};

Result<Attributes> parse_attributes(const std::vector<std::string>& pairs) {
  Attributes attributes;
  for (const auto& pair : pairs) {
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Error{ErrorCode::invalid_argument, "--attribute wants name=value, not " + pair};
    }
    attributes[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return attributes;
}

/// Standard input where the argument is "-".
std::string text_of(const std::string& argument) { return argument == "-" ? read_standard_input() : argument; }

/// Without the line end that echo and editors put behind a text.
std::string prompt_of(const std::string& argument) {
  std::string prompt = text_of(argument);
  if (argument != "-") return prompt;
  if (prompt.ends_with('\n')) prompt.pop_back();
  if (prompt.ends_with('\r')) prompt.pop_back();
  return prompt;
}

int run_set(const EntriesArguments& arguments) {
  auto attributes = parse_attributes(arguments.attributes);
  if (!attributes) return fail(attributes.error());
  if (arguments.prompt == "-" && arguments.answer == "-")
    return fail({ErrorCode::invalid_argument, "standard input is the prompt or the answer: give the other one as an argument"});
  const std::string prompt = prompt_of(arguments.prompt);
  auto cache = open_cache(arguments.cache);
  if (!cache) return fail(cache.error());
  auto id = cache->store({.prompt = prompt, .scope = arguments.scope, .attributes = *attributes},
                         text_of(arguments.answer), {.cost = arguments.cost});
  if (!id) return fail(id.error());
  std::printf("%s\n", id->c_str());
  return kOk;
}

json describe(const Lookup& found) {
  json out{{"hit", found.hit()}};
  if (found.nearest) out["nearest"] = found.nearest->value;
  if (!found.hit()) {
    out["reason"] = to_string(found.reason);
    return out;
  }
  const Hit& hit = found.hits.front();
  out.update({{"id", hit.entry->id},
              {"prompt", hit.entry->prompt},
              {"response", hit.entry->response},
              {"attributes", hit.entry->attributes},
              {"similarity", hit.similarity.value},
              {"layer", to_string(hit.layer)},
              {"age_ms", hit.age.count()}});
  return out;
}

int run_get(const EntriesArguments& arguments) {
  auto attributes = parse_attributes(arguments.attributes);
  if (!attributes) return fail(attributes.error());
  auto options = choose_cache(arguments.cache);
  if (!options) return fail(options.error());
  if (auto there = check_store(*options); !there) return fail(there.error());
  const std::string prompt = prompt_of(arguments.prompt);
  auto cache = SemanticCache::open(std::move(*options));
  if (!cache) return fail(cache.error());
  auto found = cache->lookup({.prompt = prompt, .scope = arguments.scope, .attributes = *attributes});
  if (!found) return fail(found.error());
  if (arguments.json) {
    // Stored bytes need not be UTF-8; JSON must be.
    std::printf("%s\n", describe(*found).dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  } else if (found->hit()) {
    const Hit& hit = found->hits.front();
    std::fwrite(hit.entry->response.data(), 1, hit.entry->response.size(), stdout);
    std::printf("\n");
    std::fprintf(stderr, "hit: %s, similarity %.6f\n", std::string(to_string(hit.layer)).c_str(), hit.similarity.value);
  } else {
    std::fprintf(stderr, "miss: %s", std::string(to_string(found->reason)).c_str());
    if (found->nearest) std::fprintf(stderr, ", nearest %.6f", found->nearest->value);
    std::fprintf(stderr, "\n");
  }
  return found->hit() ? kOk : kMiss;
}

struct Held {
  std::uint64_t entries = 0, bytes = 0, scopes = 0;
};

Result<Held> count_entries(const CacheOptions& options) {
  if (auto there = check_store(options); !there) return there.error();
  if (options.redis) {
    auto cache = SemanticCache::open(options);
    if (!cache) return cache.error();
    const auto stats = cache->stats();
    return Held{stats.entries, stats.bytes, stats.scopes};
  }
  auto store = store::open_embedded_store({.folder = options.data, .max_bytes = 0});  // no entry leaves for being counted
  if (!store) return store.error();
  const auto stats = (*store)->stats();
  return Held{stats.entries, stats.bytes, stats.scopes};
}

int run_stats(const EntriesArguments& arguments) {
  auto options = choose_cache(arguments.cache);
  if (!options) return fail(options.error());
  auto held = count_entries(*options);
  if (!held) return fail(held.error());
  if (arguments.json) {
    std::printf("%s\n", json{{"entries", held->entries}, {"bytes", held->bytes}, {"scopes", held->scopes}}.dump().c_str());
  } else {
    std::printf("entries  %llu\nbytes    %llu\nscopes   %llu\n", static_cast<unsigned long long>(held->entries),
                static_cast<unsigned long long>(held->bytes), static_cast<unsigned long long>(held->scopes));
  }
  return kOk;
}

void add_query_options(CLI::App& command, EntriesArguments& arguments) {
  command.add_option("prompt", arguments.prompt, "The question; - reads standard input")->required();
  command.add_option("--scope", arguments.scope, "Hard key: only entries of the same scope answer");
  command.add_option("--attribute", arguments.attributes, "name=value; may be repeated");
}

}  // namespace

void add_entry_commands(CLI::App& app, const Settings& settings, Run& run) {
  static EntriesArguments arguments;

  auto* set = app.add_subcommand("set", "Store an answer; prints the entry's id");
  add_query_options(*set, arguments);
  set->add_option("answer", arguments.answer, "The answer; - reads standard input")->required();
  set->add_option("--cost", arguments.cost, "What the answer cost to make; dear entries stay longer")->check(CLI::NonNegativeNumber);
  add_cache_options(*set, settings, arguments.cache);
  set->footer("Example:\n  sosie set \"How do I reset my password?\" \"Settings, Security, Reset.\" --ttl 7d");
  set->callback([&run] { run = [] { return run_set(arguments); }; });

  auto* get = app.add_subcommand("get", "Look a question up; exit code 0: hit, 1: miss, 2: failure");
  add_query_options(*get, arguments);
  get->add_flag("--json", arguments.json, "Print everything known about the hit or the miss");
  add_cache_options(*get, settings, arguments.cache);
  get->footer("Example:\n  sosie get \"How can I reset my password?\" --threshold 0.9 --json");
  get->callback([&run] { run = [] { return run_get(arguments); }; });

  auto* stats = app.add_subcommand("stats", "How much the store holds");
  stats->add_flag("--json", arguments.json, "As JSON");
  add_store_options(*stats, settings, arguments.cache);
  stats->footer("Example:\n  sosie stats --data ./data");
  stats->callback([&run] { run = [] { return run_stats(arguments); }; });
}

}  // namespace sosie::app
