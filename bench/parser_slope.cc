// How the time to read a request, an answer or a stream grows with its size: for each shape the time at four sizes, and the slope of
// the line through them, both axes logarithmic. 1 is linear, 2 is quadratic.
//
//   parser_slope [pieces]    of the smallest size; each next one is twice as large (default 2000)
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "protocol/growing.h"

int main(int count, char** arguments) {
  using namespace sosie::protocol;
  using Clock = std::chrono::steady_clock;
  const std::size_t smallest = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 2'000;
  if (smallest == 0) {
    std::fputs("parser_slope: the number of pieces must be at least 1\n", stderr);
    return 2;
  }
  JsonReader reader;
  Scope scope;
  std::printf("%-46s %10s %10s %10s %10s %7s\n", "milliseconds for pieces", "n", "2n", "4n", "8n", "slope");
  for (const Growing& growing : all_that_grow()) {
    double times[4];
    for (int i = 0; i < 4; ++i) {
      const std::string text = growing.make(smallest << i);
      times[i] = 1e9;
      for (int repeat = 0; repeat < 5; ++repeat) {
        const auto begin = Clock::now();
        static_cast<void>(read_growing(growing, reader, scope, text));
        times[i] = std::min(times[i], std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
      }
    }
    const double slope = (3 * std::log2(times[3] / times[0]) + std::log2(times[2] / times[1])) / 10;  // least squares
    std::printf("%-46.*s %10.3f %10.3f %10.3f %10.3f %7.2f\n", static_cast<int>(growing.name.size()), growing.name.data(), times[0], times[1], times[2],
                times[3], slope);
  }
}
