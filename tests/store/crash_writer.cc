// store_crash_writer FOLDER FIRST_KEY power_loss|process_crash: stores, replaces and erases until it is killed, and reports
// each acknowledgement on standard output. Never ends by itself.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "crash_entries.h"
#include "store/embedded_store.h"

namespace sosie::store {
namespace {

constexpr std::uint32_t kThreads = 4;

void report(Report::What what, std::uint32_t key, std::uint32_t version) {
  const Report said{what, key, version};
  if (::write(STDOUT_FILENO, &said, sizeof said) != sizeof said) std::_Exit(3);  // Less than PIPE_BUF: in whole or not at all.
}

void demand(bool good) {
  if (!good) std::_Exit(2);
}

// Each thread has its own keys: first + thread, first + thread + kThreads, …
void work(Store& store, std::uint32_t first, std::uint32_t thread) {
  std::mt19937 random(first + thread);
  for (std::uint32_t n = 0;; ++n) {
    const std::uint32_t key = first + thread + n * kThreads;
    demand(store.put(crash_entry(key, 1)).has_value());
    report(Report::What::stored, key, 1);
    if (n == 0) continue;
    const std::uint32_t earlier = first + thread + static_cast<std::uint32_t>(random() % n) * kThreads;
    if (earlier % 5 == 0) {
      report(Report::What::erasing, earlier, 0);
      demand(store.erase(crash_entry(earlier, 0).entry.id).has_value());
      report(Report::What::erased, earlier, 0);
    } else if (earlier % 5 == 1) {
      // The version of a replaced entry is the round it was replaced in: it only grows.
      demand(store.put(crash_entry(earlier, n + 1)).has_value());
      report(Report::What::stored, earlier, n + 1);
    } else {
      store.touch(crash_entry(earlier, 0).entry.id, kCrashTime);
    }
  }
}

int run(const char* folder, std::uint32_t first, const char* durability) {
  auto store = open_embedded_store(
      {.folder = folder,
       .durability = std::strcmp(durability, "power_loss") == 0 ? Durability::power_loss : Durability::process_crash});
  if (!store) {
    std::fprintf(stderr, "%s\n", store.error().message.c_str());
    return 1;
  }
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t) threads.emplace_back([&, t] { work(**store, first, t); });
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace sosie::store

int main(int argc, char** argv) {
  if (argc != 4) return 64;
  return sosie::store::run(argv[1], static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)), argv[3]);
}
