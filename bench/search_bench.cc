// search_bench VECTORS QUERIES DIMENSION [K]: times the exact search on vectors from files of little-endian floats, one
// query at a time on one thread, and prints one line of JSON. bench/peers/search.py runs it beside its peers.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "index/flat_index.h"

namespace {

using Clock = std::chrono::steady_clock;
using sosie::index::FlatIndex;

double microseconds(Clock::duration time) { return std::chrono::duration<double, std::micro>(time).count(); }

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

std::vector<float> read_floats(const char* path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) {
    std::fprintf(stderr, "search_bench: cannot read %s\n", path);
    std::exit(1);
  }
  std::vector<float> floats(static_cast<std::size_t>(in.tellg()) / sizeof(float));
  in.seekg(0);
  in.read(reinterpret_cast<char*>(floats.data()), static_cast<std::streamsize>(floats.size() * sizeof(float)));
  return floats;
}

// One float of each cache line of the index: as fast as one thread reads this memory front to back. Bytes per microsecond.
double read_rate(const FlatIndex& index) {
  constexpr std::size_t kLine = 64 / sizeof(float);
  std::vector<double> times;
  for (int round = 0; round < 9; ++round) {
    float sums[4] = {};
    const auto start = Clock::now();
    for (std::size_t row = 0; row < index.size(); ++row) {
      const auto vector = index.vector(row);
      for (std::size_t i = 0; i + 4 * kLine <= vector.size(); i += 4 * kLine) {
        for (std::size_t line = 0; line < 4; ++line) sums[line] += vector[i + line * kLine];
      }
    }
    times.push_back(microseconds(Clock::now() - start));
    const volatile float keep = sums[0] + sums[1] + sums[2] + sums[3];
    (void)keep;
  }
  return static_cast<double>(index.size() * index.dimension() * sizeof(float)) / median(times);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fprintf(stderr, "usage: search_bench VECTORS QUERIES DIMENSION [K]\n");
    return 64;
  }
  const std::vector<float> vectors = read_floats(argv[1]), queries = read_floats(argv[2]);
  const std::size_t dimension = std::strtoul(argv[3], nullptr, 10);
  const std::size_t k = argc == 5 ? std::strtoul(argv[4], nullptr, 10) : 1;
  if (dimension == 0 || k == 0 || vectors.size() < dimension || queries.size() < dimension) {
    std::fprintf(stderr, "search_bench: the files hold no row of that dimension\n");
    return 64;
  }
  const std::size_t rows = vectors.size() / dimension;
  const auto building = Clock::now();
  FlatIndex index(dimension);
  for (std::size_t row = 0; row < rows; ++row) index.add({0, row}, {vectors.data() + row * dimension, dimension});
  const double build_ms = microseconds(Clock::now() - building) / 1000;

  std::vector<double> times;
  std::string nearest;
  for (std::size_t q = 0; q < queries.size() / dimension; ++q) {
    const auto start = Clock::now();
    const auto scan = index.search({queries.data() + q * dimension, dimension}, {.k = k},
                                   [](std::size_t) { return sosie::index::Verdict::accepted; });
    times.push_back(microseconds(Clock::now() - start));
    nearest += (q == 0 ? "" : ",") + std::to_string(scan.found.front().row);
  }
  const double us = median(times);
  const double rate = static_cast<double>(rows * dimension * sizeof(float)) / us;
  std::printf(
      "{\"entries\": %zu, \"dimension\": %zu, \"kernel\": \"%s\", \"median_us\": %.1f, \"gb_per_s\": %.2f, "
      "\"read_gb_per_s\": %.2f, \"build_ms\": %.0f, \"memory_mb\": %.1f, \"nearest\": [%s]}\n",
      rows, dimension, std::string(index.kernel_name()).c_str(), us, rate / 1000, read_rate(index) / 1000, build_ms,
      static_cast<double>(index.memory_bytes()) / 1e6, nearest.c_str());
  return 0;
}
