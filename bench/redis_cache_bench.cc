// redis_cache_bench PORT FOLDER DIMENSION: times RedisSemanticCache on 127.0.0.1, and a bare socket beside it, as
// commands on standard input say; one line of JSON for each. bench/peers/redis_semantic_cache.py runs it beside
// LiteLLM's class.
//
//   open NAME INDEX flat|hnsw THRESHOLD        a cache to name below
//   get NAME KEY FILE FIRST COUNT              questions FIRST, FIRST + 1, … of FILE, one blocking caller
//   set NAME KEY FILE FIRST COUNT              answers to them
//   flood NAME KEY FILE FIRST COUNT FLIGHT     gets, FLIGHT of them under way at any time
//   bare search|read|write INDEX KEY FILE FIRST COUNT RADIUS
//                                              the commands of such a get or set, on a blocking socket: the floor of
//                                              this machine
//
// FOLDER/FILE.jsonl has a request a line, FOLDER/FILE.f32 its vectors, little-endian. Answers are LiteLLM's: the row
// that answered is the number behind "chatcmpl-".
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <semaphore>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "redis/pipeline.h"
#include "redis/resp_parser.h"
#include "redis/semantic_index.h"
#include "sosie/redis_semantic_cache.h"
#include "text/prompt.h"

namespace {

using Clock = std::chrono::steady_clock;
using namespace sosie;

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

struct Questions {
  std::vector<std::string> requests;
  std::vector<float> vectors;
  std::size_t dimension = 0;

  RedisCall call(std::size_t row) const {
    row %= requests.size();
    RedisCall call;
    call.request = requests[row];
    call.embedding = std::span(vectors).subspan(row * dimension, dimension);
    return call;
  }
};

Questions read_questions(const std::string& file, std::size_t dimension) {
  Questions questions{.dimension = dimension};
  std::ifstream lines(file + ".jsonl");
  for (std::string line; std::getline(lines, line);) questions.requests.push_back(line);
  std::ifstream bytes(file + ".f32", std::ios::binary);
  questions.vectors.resize(questions.requests.size() * dimension);
  bytes.read(reinterpret_cast<char*>(questions.vectors.data()),
             static_cast<std::streamsize>(questions.vectors.size() * sizeof(float)));
  if (questions.requests.empty() || !bytes) fail("cannot read " + file);
  return questions;
}

std::string prompt_of(const RedisCall& call) {
  auto prompt = text::prompt_from_kwargs(call.request);
  if (!prompt || !*prompt) fail("a request without a prompt");
  return std::move(**prompt);
}

/// About 600 bytes, as `litellm.completion` would have stored it.
std::string answer(std::size_t row) {
  std::string words;
  while (words.size() < 380)
    words += "Open the settings, choose the account, and follow the link that says how it is done. ";
  return R"({"id":"chatcmpl-)" + std::to_string(row) +
         R"(","created":1795000000,"model":"gpt-4o-mini","object":"chat.completion",)"
         R"("choices":[{"finish_reason":"stop","index":0,)"
         R"("message":{"content":")" +
         words + R"(","role":"assistant"}}],"usage":{"completion_tokens":80,"prompt_tokens":12,"total_tokens":92}})";
}

/// -1: a miss.
long row_of(const RedisFound& found) {
  constexpr std::string_view kMark = "chatcmpl-";
  if (!found.response) return -1;
  const auto at = found.response->find(kMark);
  return at == std::string::npos ? -1 : std::atol(found.response->c_str() + at + kMark.size());
}

/// One connection, read and written by the caller's thread.
class BareSocket {
 public:
  explicit BareSocket(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("cannot connect");
    const int yes = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  ~BareSocket() { ::close(socket_); }
  BareSocket(const BareSocket&) = delete;
  BareSocket& operator=(const BareSocket&) = delete;

  void ask(const redis::Pipeline& commands) {
    std::string_view rest = commands.bytes();
    while (!rest.empty()) {
      const auto sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent <= 0) fail("the connection broke");
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    for (std::size_t seen = 0; seen < commands.commands();) {
      auto reply = parser_.next();
      if (!reply) fail(reply.error().message);
      if (*reply) {
        if ((*reply)->is_error()) fail((*reply)->text);
        ++seen;
        continue;
      }
      const auto space = parser_.space();
      const auto count = ::recv(socket_, space.data(), space.size(), 0);
      if (count <= 0) fail("the connection broke");
      parser_.filled(static_cast<std::size_t>(count));
    }
  }

 private:
  const int socket_;
  redis::RespParser parser_;
};

class Bench {
 public:
  Bench(std::uint16_t port, std::string folder, std::size_t dimension)
      : port_(port), folder_(std::move(folder)), dimension_(dimension) {}

  void run(std::istringstream words) {
    const auto word = [&] {
      std::string text;
      words >> text;
      return text;
    };
    const auto number = [&] {
      std::size_t value = 0;
      words >> value;
      return value;
    };
    const std::string command = word();
    if (command == "open") {
      const std::string name = word(), index = word(), kind = word();
      RedisSemanticCacheOptions options;
      options.redis_url = "redis://127.0.0.1:" + std::to_string(port_);
      options.index_name = index;
      options.index = kind == "hnsw" ? RedisIndex::hnsw : RedisIndex::flat;
      options.similarity_threshold = std::stod(word());
      options.embedding_base_url = "http://127.0.0.1:9";  // never asked: every call brings its vector
      options.embedding_api_key = "none";
      options.connection.command_timeout = std::chrono::seconds(60);
      auto cache = RedisSemanticCache::open(std::move(options));
      if (!cache) fail(cache.error().message);
      caches_.insert_or_assign(name, std::move(*cache));
      std::puts("{}");
      return;
    }
    const std::string name = word(), index = command == "bare" ? word() : "", key = word(), file = word();
    const std::size_t first = number(), count = number();
    if (!questions_.contains(file)) questions_.emplace(file, read_questions(folder_ + "/" + file, dimension_));
    const Questions& questions = questions_.at(file);
    if (command == "bare") {
      bare(name, index, key, questions, first, count, word());
    } else if (command == "get" || command == "set") {
      one_caller(command == "get", caches_.at(name), key, questions, first, count);
    } else if (command == "flood") {
      flood(caches_.at(name), key, questions, first, count, number());
    } else {
      fail("no such command: " + command);
    }
  }

 private:
  void one_caller(bool get, RedisSemanticCache& cache, const std::string& key, const Questions& questions,
                  std::size_t first, std::size_t count) {
    std::vector<double> times, rows;
    for (std::size_t row = first; row < first + count; ++row) {
      const RedisCall call = questions.call(row);
      const std::string response = get ? "" : answer(row);
      const auto start = Clock::now();
      if (get) {
        const auto found = cache.get_cache(key, call);
        times.push_back(microseconds(Clock::now() - start));
        if (!found) fail(found.error().message);
        rows.push_back(static_cast<double>(row_of(*found)));
      } else {
        const auto stored = cache.set_cache(key, response, call);
        times.push_back(microseconds(Clock::now() - start));
        if (!stored) fail(stored.error().message);
      }
    }
    print(times, rows);
  }

  void bare(const std::string& kind, const std::string& index, const std::string& key, const Questions& questions,
            std::size_t first, std::size_t count, const std::string& radius) {
    BareSocket socket(port_);
    std::vector<double> times;
    for (std::size_t row = first; row < first + count; ++row) {
      const RedisCall call = questions.call(row);
      const std::string vector = redis::vector_bytes(call.embedding), prompt = prompt_of(call),
                        id = redis::entry_id(prompt, {{std::string(redis::kKeyField), key}});
      redis::Pipeline commands;
      if (kind == "search") {
        redis::add_search(commands, {.index = index, .tag = key, .vector = vector, .radius = radius});
      } else if (kind == "read") {
        redis::add_read_entry(commands, redis::entry_key(index, id));
      } else {
        redis::add_store(commands, {.key = redis::entry_key(index, id),
                                    .entry_id = id,
                                    .prompt = prompt,
                                    .response = answer(row),
                                    .tag = key,
                                    .vector = vector,
                                    .now = 1.5e9});
      }
      const auto start = Clock::now();
      socket.ask(commands);
      times.push_back(microseconds(Clock::now() - start));
    }
    print(times, {});
  }

  void flood(RedisSemanticCache& cache, const std::string& key, const Questions& questions, std::size_t first,
             std::size_t count, std::size_t flight) {
    std::atomic<std::size_t> next{first}, hits{0}, faults{0};
    std::counting_semaphore<> ended(0);
    std::function<void()> ask = [&] {
      const std::size_t row = next++;
      if (row >= first + count) return ended.release();
      cache.async_get_cache(key, questions.call(row), [&](Result<RedisFound> found) {
        if (!found) ++faults;
        if (found && found->response) ++hits;
        ask();
      });
    };
    const auto start = Clock::now();
    for (std::size_t i = 0; i < flight; ++i) ask();
    for (std::size_t i = 0; i < flight; ++i) ended.acquire();
    const double seconds = microseconds(Clock::now() - start) / 1e6;
    std::printf("{\"seconds\": %.6f, \"hits\": %zu, \"faults\": %zu}\n", seconds, hits.load(), faults.load());
  }

  static void print(const std::vector<double>& times, const std::vector<double>& rows) {
    const auto list = [](const std::vector<double>& values, const char* form) {
      std::string text;
      char buffer[32];
      for (const double value : values) {
        std::snprintf(buffer, sizeof buffer, form, value);
        text += (text.empty() ? "" : ",") + std::string(buffer);
      }
      return "[" + text + "]";
    };
    std::printf("{\"us\": %s, \"rows\": %s}\n", list(times, "%.1f").c_str(), list(rows, "%.0f").c_str());
  }

  const std::uint16_t port_;
  const std::string folder_;
  const std::size_t dimension_;
  std::map<std::string, RedisSemanticCache> caches_;
  std::map<std::string, Questions> questions_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: redis_cache_bench PORT FOLDER DIMENSION\n");
    return 64;
  }
  Bench bench(static_cast<std::uint16_t>(std::atoi(argv[1])), argv[2], std::strtoul(argv[3], nullptr, 10));
  try {
    for (std::string line; std::getline(std::cin, line);) {
      bench.run(std::istringstream(line));
      std::fflush(stdout);
    }
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "redis_cache_bench: %s\n", failure.what());
    return 1;
  }
  return 0;
}
