// bench: how fast is this machine at the three things that cost time?
#include <algorithm>
#include <cmath>
#include <chrono>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <variant>

#include "command.h"
#include "embed/local_encoder.h"
#include "gateway/request/request_context.h"
#include "gateway/server.h"
#include "index/flat_index.h"
#include "interrupt.h"
#include "load_generator.h"

namespace sosie::app {
namespace {

using nlohmann::json;

struct BenchArguments {
  LocalEncoderOptions encoder;
  std::size_t tokens = 16, batch = 1, entries = 100'000, dimension = 384, connections = 16, repeats = 0, http_entries = 1;
  double seconds = 3;
  bool json = false;
};

/// Times `once` until `repeats` are done, or (0) for about a second and at least 20 times; milliseconds, sorted.
std::vector<double> time_ms(std::size_t repeats, const std::function<void()>& once) {
  using Clock = std::chrono::steady_clock;
  catch_interrupts();
  for (int i = 0; i < 3 && !interrupted(); ++i) once();
  std::vector<double> times;
  const auto begin = Clock::now();
  const auto enough = [&] {
    if (repeats > 0) return times.size() >= repeats;
    return times.size() >= 20 && Clock::now() - begin > std::chrono::seconds(1);
  };
  while (!enough() && !interrupted()) {
    const auto start = Clock::now();
    once();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

/// `out` gains median_ms, p90_ms, min_ms and runs, and is printed.
int report(json out, const std::vector<double>& sorted_ms, bool as_json) {
  if (sorted_ms.empty()) return interrupted() ? end_interrupted("nothing was measured") : fail({ErrorCode::internal, "nothing was measured"});
  const auto at = [&](double p) { return sorted_ms[static_cast<std::size_t>(p * static_cast<double>(sorted_ms.size() - 1) + 0.5)]; };
  out["median_ms"] = at(0.5);
  out["p90_ms"] = at(0.9);
  out["p99_ms"] = at(0.99);
  out["min_ms"] = sorted_ms.front();
  out["runs"] = sorted_ms.size();
  if (as_json) {
    std::printf("%s\n", out.dump().c_str());
  } else {
    for (const auto& [name, value] : out.items()) std::printf("%-16s %s\n", name.c_str(), value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
  }
  return interrupted() ? end_interrupted("this is of fewer runs than asked for") : kOk;
}

int bench_embed(const BenchArguments& arguments) {
  auto encoder = embed::LocalEncoder::open(arguments.encoder);
  if (!encoder) return fail(encoder.error());
  if (arguments.tokens < 3 || arguments.tokens > (*encoder)->max_tokens()) {
    return fail({ErrorCode::invalid_argument, "--tokens must be 3 to " + std::to_string((*encoder)->max_tokens())});
  }
  std::string text;  // Two special tokens and a token a word.
  static constexpr const char* kWords[] = {"time", "people", "water", "house", "work", "music", "light", "school"};
  for (std::size_t i = 2; i < arguments.tokens; ++i) text.append(kWords[i % 8]).append(" ");
  const std::vector<std::string_view> texts(arguments.batch, text);
  auto first = (*encoder)->embed(texts);
  if (!first) return fail(first.error());
  const std::size_t tokens = first->front().tokens;
  const auto times = time_ms(arguments.repeats, [&] { (void)(*encoder)->embed(texts); });
  return report({{"bench", "embed"},
                 {"model", (*encoder)->model_name()},
                 {"precision", (*encoder)->precision_name()},
                 {"isa", (*encoder)->kernel_name()},
                 {"tokens", tokens},
                 {"batch", arguments.batch},
                 {"threads", arguments.encoder.threads}},
                times, arguments.json);
}

int bench_search(const BenchArguments& arguments) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  const auto unit = [&] {
    std::vector<float> v(arguments.dimension);
    float sum = 0;
    for (auto& x : v) {
      x = normal(random);
      sum += x * x;
    }
    for (auto& x : v) x /= std::sqrt(sum);
    return v;
  };
  index::FlatIndex flat(arguments.dimension);
  for (std::size_t i = 0; i < arguments.entries; ++i) flat.add({.high = 0, .low = i}, unit());
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < 32; ++i) queries.push_back(unit());
  const auto search_share = [&](std::size_t first) {
    for (std::size_t i = first; i < arguments.batch; i += arguments.encoder.threads) {
      (void)flat.search(queries[i % queries.size()], {}, [](std::size_t) { return index::Verdict::accepted; });
    }
  };
  const auto times = time_ms(arguments.repeats, [&] {
    std::vector<std::jthread> others;
    for (std::size_t t = 1; t < arguments.encoder.threads; ++t) others.emplace_back(search_share, t);
    search_share(0);
  });
  return report({{"bench", "search"},
                 {"entries", arguments.entries},
                 {"dimension", arguments.dimension},
                 {"batch", arguments.batch},
                 {"threads", arguments.encoder.threads},
                 {"kernel", flat.kernel_name()}},
                times, arguments.json);
}

std::string chat_body(const std::string& question) {
  const json message{{"role", "user"}, {"content", question}};
  return json{{"model", "bench"}, {"messages", json::array({message})}}.dump();
}

/// As if the upstream had answered it: about 600 bytes.
Result<void> store_chat_answer(SemanticCache& cache, const std::string& body) {
  protocol::JsonReader reader;
  protocol::Scope scope;
  net::Request request;
  request.target = "/v1/chat/completions";
  request.body.reserve(body.size() + net::kBodyPadding);
  request.body = body;
  gateway::RequestContext context;
  bool ignored = false;
  const protocol::Protocol& chat = protocol::protocol_of(protocol::Surface::chat);
  if (gateway::read_question({}, reader, scope, request, chat, context, ignored))
    return Error{ErrorCode::internal, "the gateway does not understand its own benchmark"};
  const json message{{"role", "assistant"}, {"content", std::string(400, 'x')}};
  const json choice{{"index", 0}, {"message", message}, {"finish_reason", "stop"}};
  const json answer{{"id", "chatcmpl-bench"},
                    {"object", "chat.completion"},
                    {"created", 1},
                    {"model", "bench"},
                    {"choices", json::array({choice})},
                    {"usage", {{"prompt_tokens", 10}, {"completion_tokens", 50}, {"total_tokens", 60}}}};
  const auto kept = chat.keep(reader, answer.dump(), context.question);
  const auto* whole = std::get_if<protocol::Kept>(&kept);
  if (whole == nullptr) return Error{ErrorCode::internal, "the gateway would not keep its own benchmark's answer"};
  auto stored = cache.store({.prompt = context.question.prompt, .scope = context.scope}, whole->answer);
  if (!stored) return std::move(stored).error();
  return {};
}

int bench_http(const BenchArguments& arguments) {
  auto opened = SemanticCache::open({.encoder = {.model = arguments.encoder.model, .precision = arguments.encoder.precision}});
  if (!opened) return fail(opened.error());
  const auto cache = std::make_shared<SemanticCache>(std::move(*opened));
  const std::string body = chat_body("How do I reset my password?");
  for (std::size_t i = 0; i < arguments.http_entries; ++i) {
    const std::string question = i == 0 ? body : chat_body("What is written in line " + std::to_string(i) + "?");
    if (auto stored = store_chat_answer(*cache, question); !stored) return fail(stored.error());
  }
  auto server = gateway::Server::start(cache, {.port = 0, .io_threads = arguments.encoder.threads});
  if (!server) return fail(server.error());
  const std::string request = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  catch_interrupts();
  auto load = generate_load(server->port(), request, arguments.connections, std::chrono::milliseconds(static_cast<int>(arguments.seconds * 1000)));
  if (!load) return fail(load.error());
  std::vector<double> times;
  for (double us : load->latencies_us) times.push_back(us / 1000);
  std::sort(times.begin(), times.end());
  return report({{"bench", "http"},
                 {"what", "exact repeat"},
                 {"connections", arguments.connections},
                 {"entries", arguments.http_entries},
                 {"threads", arguments.encoder.threads},
                 {"errors", load->errors},
                 {"requests_per_second", static_cast<double>(times.size()) / load->seconds}},
                times, arguments.json);
}

}  // namespace

void add_bench(CLI::App& app, const Settings& settings, Run& run) {
  static BenchArguments arguments;
  auto* command = app.add_subcommand("bench", "Measure this machine: embed, search or http");
  command->require_subcommand(1);
  command->footer("Examples:\n  sosie bench embed --precision int8 --tokens 16 --json\n  sosie bench search --entries 100000\n  sosie bench http");

  auto* embed = command->add_subcommand("embed", "The local encoder");
  add_encoder_options(*embed, settings, arguments.encoder);
  embed->add_option("--tokens", arguments.tokens, "Tokens of a text, special tokens included")->check(CLI::Range(3, 1'000'000))->capture_default_str();
  embed->add_option("--batch", arguments.batch, "Texts of a call")->check(CLI::Range(1, 100'000))->capture_default_str();
  embed->add_option("--threads", arguments.encoder.threads, "Threads of the encoder")->check(CLI::Range(1, 1024))->capture_default_str();
  embed->callback([&run] { run = [] { return bench_embed(arguments); }; });

  auto* search = command->add_subcommand("search", "Exact search of one scope");
  search->add_option("--entries", arguments.entries, "Vectors in the scope")->check(CLI::Range(1, 10'000'000))->capture_default_str();
  search->add_option("--batch", arguments.batch, "Queries of a timed run")->check(CLI::Range(1, 100'000))->capture_default_str();
  search->add_option("--threads", arguments.encoder.threads, "Threads that share a run's queries")->check(CLI::Range(1, 1024))->capture_default_str();
  search->add_option("--dimension", arguments.dimension, "Floats of a vector")->check(CLI::Range(1, 8192))->capture_default_str();
  search->callback([&run] { run = [] { return bench_search(arguments); }; });

  auto* http = command->add_subcommand("http", "A chat request that is an exact hit; server and load share this process");
  add_encoder_options(*http, settings, arguments.encoder);
  http->add_option("--entries", arguments.http_entries, "Entries in the scope")->check(CLI::Range(1, 1'000'000))->capture_default_str();
  http->add_option("--threads", arguments.encoder.threads, "I/O threads of the server")->check(CLI::Range(1, 256))->capture_default_str();
  http->add_option("--connections", arguments.connections, "Keep-alive connections")->check(CLI::Range(1, 1000))->capture_default_str();
  http->add_option("--seconds", arguments.seconds, "How long")->check(number_within(0.1, 600))->capture_default_str();
  http->callback([&run] { run = [] { return bench_http(arguments); }; });

  for (auto* one : {embed, search, http}) one->add_flag("--json", arguments.json, "Last line: a JSON object with median_ms");
  for (auto* one : {embed, search}) one->add_option("--repeats", arguments.repeats, "Timed runs (default: as many as fit a second, 20 at least)")->check(CLI::Range(1, 1'000'000'000));
}

}  // namespace sosie::app
