#include "interrupt.h"

#include <csignal>
#include <cstdio>

namespace sosie::app {
namespace {

volatile std::sig_atomic_t caught = 0;

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { caught = signal; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // And no SA_RESTART: who waits for input is woken.
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

bool interrupted() noexcept { return caught != 0; }

int end_interrupted(const std::string& how_far) {
  std::fprintf(stderr, "sosie: interrupted: %s\n", how_far.c_str());
  return 128 + caught;
}

}  // namespace sosie::app
