// encoder_profile [TOKENS ...]: where the time of one text goes in int8, all-MiniLM-L6-v2's sizes (six layers, 12 heads of 32, 384 x 1152,
// 384 x 384, 384 x 1536 and 1536 x 384), one thread: each step by itself, for each instruction set that this CPU runs. Prints a table.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "embed/byte_matrix.h"
#include "embed/kernels.h"

namespace {

using namespace sosie::embed;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kHidden = 384, kInner = 1536, kHeads = 12;
constexpr std::size_t kLayers = 6;

/// Floats of a layer, as a text of `rows` tokens has them.
struct Text {
  explicit Text(std::size_t n) : rows(n), x(n * kInner), product(n * kInner), scratch(attention_scratch(shape())), bytes(n * kInner), scales(n) {
    std::minstd_rand random(3);
    std::uniform_real_distribution<float> value(-1, 1);
    for (float& v : x) v = value(random);
    for (float& v : product) v = value(random);
  }
  AttentionShape shape() const { return {rows, kHeads, kHidden / kHeads}; }

  std::size_t rows;
  std::vector<float> x, product, scratch;
  std::vector<std::uint8_t> bytes;
  std::vector<RowScale> scales;
};

struct Step {
  const char* name;
  std::function<void(const Kernels&, std::size_t layer, Text&)> run;
};

std::vector<Step> steps(const std::vector<std::vector<ByteMatrix>>& layers) {
  static const std::vector<float> ones(kInner, 1.0F);
  const auto product = [&layers](std::size_t which) {
    return [&layers, which](const Kernels& kernels, std::size_t layer, Text& text) {
      const ByteColumns columns = layers[layer][which].view();
      kernels.multiply_bytes({text.bytes.data(), text.scales.data(), text.rows, columns.depth}, columns, text.product.data());
    };
  };
  const auto quantize = [](std::size_t width, std::size_t times) {
    return [width, times](const Kernels& kernels, std::size_t, Text& text) {
      for (std::size_t i = 0; i < times * text.rows; ++i) {
        const std::size_t row = i % text.rows;
        text.scales[row] = kernels.quantize(text.x.data() + row * width, width, text.bytes.data() + row * width);
      }
    };
  };
  return {
      {"products", [all = std::vector{product(0), product(1), product(2), product(3)}](const Kernels& kernels, std::size_t layer, Text& text) {
         for (const auto& each : all) each(kernels, layer, text);
       }},
      {"attention", [](const Kernels& kernels, std::size_t, Text& text) {
         kernels.attention(text.product.data(), text.shape(), text.scratch.data(), text.x.data());
       }},
      {"GELU", [](const Kernels& kernels, std::size_t, Text& text) {
         for (std::size_t row = 0; row < text.rows; ++row) kernels.gelu(text.product.data() + row * kInner, kInner);
       }},
      {"quantising", [narrow = quantize(kHidden, 3), wide = quantize(kInner, 1)](const Kernels& kernels, std::size_t layer, Text& text) {
         narrow(kernels, layer, text);
         wide(kernels, layer, text);
       }},
      {"norms", [](const Kernels& kernels, std::size_t, Text& text) {
         for (std::size_t i = 0; i < 2 * text.rows; ++i) {
           float* row = text.x.data() + i % text.rows * kHidden;
           kernels.add_norm(row, ones.data(), {ones.data(), ones.data(), 1e-12F}, kHidden, row);
         }
       }},
  };
}

/// Medians of all layers, in milliseconds; one element a step.
std::vector<double> measure(const std::vector<Step>& all, const Kernels& kernels, Text& text) {
  std::vector<std::vector<double>> times(all.size());
  for (int round = 0; round < 31; ++round) {
    for (std::size_t i = 0; i < all.size(); ++i) {
      // Out of what the step before left in the caches, as in a text.
      const auto start = Clock::now();
      for (std::size_t layer = 0; layer < kLayers; ++layer) all[i].run(kernels, layer, text);
      times[i].push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
  }
  std::vector<double> medians;
  for (auto& each : times) {
    std::sort(each.begin(), each.end());
    medians.push_back(each[each.size() / 2]);
  }
  return medians;
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::size_t> sizes;
  for (int i = 1; i < count; ++i) sizes.push_back(std::strtoul(arguments[i], nullptr, 10));
  if (sizes.empty()) sizes = {8, 16, 32, 64, 128, 256};
  std::mt19937 random(1);
  std::normal_distribution<float> weight(0, 0.05F);
  std::vector<std::vector<ByteMatrix>> layers(kLayers);
  for (auto& layer : layers) {
    for (const auto& [depth, columns] : {std::pair{kHidden, 3 * kHidden}, {kHidden, kHidden}, {kHidden, kInner}, {kInner, kHidden}}) {
      std::vector<float> weights(depth * columns), bias(columns);
      for (float& w : weights) w = weight(random);
      layer.emplace_back(weights, bias, depth, columns);
    }
  }
  const std::vector<Step> all = steps(layers);
  std::printf("| tokens | set |");
  for (const Step& step : all) std::printf(" %s, ms |", step.name);
  std::printf(" sum, ms |\n|---|---|%s\n", "---|---|---|---|---|---|");
  for (const std::size_t tokens : sizes) {
    if (tokens == 0) return std::fputs("encoder_profile: TOKENS must be 1 or more\n", stderr), 2;
    for (const Isa isa : sosie::base::kBestIsaFirst) {
      const Kernels* kernels = kernels_for(isa);
      if (kernels == nullptr || isa == Isa::scalar) continue;
      Text text(tokens);
      double sum = 0;
      std::printf("| %zu | %s |", tokens, std::string(to_string(isa)).c_str());
      for (const double time : measure(all, *kernels, text)) {
        std::printf(" %.3f |", time);
        sum += time;
      }
      std::printf(" %.3f |\n", sum);
      std::fflush(stdout);
    }
  }
}
