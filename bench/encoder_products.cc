// encoder_products [ROWS ...]: the int8 matrix products of all-MiniLM-L6-v2 alone (six layers of 384 x 1152, 384 x 384, 384 x 1536 and
// 1536 x 384), one thread, for each instruction set that this CPU runs, beside oneDNN's products of the same sizes and beside the most
// that the instructions themselves reach in registers. Prints a line of JSON a number of rows; bench/peers/encoder.py makes a table of it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>
#include <string>
#include <vector>

#include "embed/byte_matrix.h"
#include "embed/kernels.h"
#include "embed/matmul.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

using namespace sosie::embed;
using Clock = std::chrono::steady_clock;

constexpr struct {
  std::size_t depth, columns;
} kShapes[] = {{384, 1152}, {384, 384}, {384, 1536}, {1536, 384}};
constexpr int kLayers = 6;

double milliseconds(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double median(std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

#if defined(__x86_64__)
// Each keeps its operands in registers; a barrier makes the compiler believe that they change. Twelve chains of sums hide their latency.
// Returns multiply-adds.
constexpr int kTurns = 20'000;
constexpr int kChains = 12;

#define SOSIE_PEAK(name, isa, vector, chain)                        \
  __attribute__((target(isa))) double name() {                      \
    vector left{}, right{}, sums[kChains] = {};                     \
    for (int i = 0; i < kTurns; ++i) {                              \
      for (vector& sum : sums) {                                    \
        asm volatile("" : "+v"(left), "+v"(right));                 \
        chain;                                                      \
      }                                                             \
    }                                                               \
    for (vector& sum : sums) asm volatile("" : "+v"(sum));          \
    return static_cast<double>(kTurns) * kChains * sizeof(vector);  \
  }

SOSIE_PEAK(peak_avx512vnni, "avx512f,avx512bw,avx512vnni", __m512i, sum = _mm512_dpbusd_epi32(sum, left, right))
SOSIE_PEAK(peak_avxvnni, "avx2,avxvnni", __m256i, sum = _mm256_dpbusd_avx_epi32(sum, left, right))
#undef SOSIE_PEAK

// Four products of pairs, added in 16 bits, then widened.
#define SOSIE_PEAK(name, isa, vector, prefix)                                                         \
  __attribute__((target(isa))) double name() {                                                        \
    vector left{}, right{}, ones = prefix##_set1_epi16(1), sums[4] = {};                              \
    for (int i = 0; i < kTurns; ++i) {                                                                \
      for (vector& sum : sums) {                                                                      \
        asm volatile("" : "+v"(left), "+v"(right));                                                   \
        vector pairs = prefix##_maddubs_epi16(left, right);                                           \
        for (int g = 1; g < 4; ++g) {                                                                 \
          asm volatile("" : "+v"(left), "+v"(right));                                                 \
          pairs = prefix##_add_epi16(pairs, prefix##_maddubs_epi16(left, right));                     \
        }                                                                                             \
        sum = prefix##_add_epi32(sum, prefix##_madd_epi16(pairs, ones));                              \
      }                                                                                               \
    }                                                                                                 \
    for (vector& sum : sums) asm volatile("" : "+v"(sum));                                            \
    return static_cast<double>(kTurns) * 4 * 4 * sizeof(vector);                                      \
  }
SOSIE_PEAK(peak_avx512, "avx512f,avx512bw", __m512i, _mm512)
SOSIE_PEAK(peak_avx2, "avx2", __m256i, _mm256)
#undef SOSIE_PEAK
#endif

double (*peak_of(Isa isa))() {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::avx512vnni: return peak_avx512vnni;
    case Isa::avx512: return peak_avx512;
    case Isa::avxvnni: return peak_avxvnni;
    case Isa::avx2: return peak_avx2;
    default: break;
  }
#endif
  return nullptr;
}

// oneDNN's u8 by s8 products, weights in the layout that it likes best.
class OneDnn {
 public:
  OneDnn(std::size_t rows, std::size_t depth, std::size_t columns) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    using dnnl::memory;
    const auto d = [](std::size_t n) { return static_cast<memory::dim>(n); };
    const memory::desc left({d(rows), d(depth)}, memory::data_type::u8, memory::format_tag::ab);
    const memory::desc any({d(depth), d(columns)}, memory::data_type::s8, memory::format_tag::any);
    const memory::desc product({d(rows), d(columns)}, memory::data_type::s32, memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc plan(engine_, left, any, product);
#else
    const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(left, any, product), engine_);
#endif
    left_ = memory(left, engine_);
    product_ = memory(product, engine_);
    for (int i = 0; i < kLayers; ++i) {
      weights_.emplace_back(plan.weights_desc(), engine_);
      std::fill_n(static_cast<std::uint8_t*>(weights_.back().get_data_handle()), plan.weights_desc().get_size(), std::uint8_t{3});
    }
    matmul_ = dnnl::matmul(plan);
  }

  void run(int layer) {
    matmul_.execute(stream_, {{DNNL_ARG_SRC, left_}, {DNNL_ARG_WEIGHTS, weights_[static_cast<std::size_t>(layer)]}, {DNNL_ARG_DST, product_}});
    stream_.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::memory left_, product_;
  std::vector<dnnl::memory> weights_;
  dnnl::matmul matmul_;
};

void measure(std::size_t rows, const std::vector<std::vector<ByteMatrix>>& layers) {
  double products = 0;
  for (const auto& s : kShapes) products += static_cast<double>(kLayers * rows * s.depth * s.columns);
  std::vector<std::uint8_t> left(rows * 1536);
  std::minstd_rand random(2);
  for (auto& byte : left) byte = static_cast<std::uint8_t>(random() >> 8);
  const std::vector<RowScale> scales(rows, {0.01F, -0.5F});
  std::vector<float> out(rows * 1536);

  std::vector<OneDnn> one_dnn;
  for (const auto& s : kShapes) one_dnn.emplace_back(rows, s.depth, s.columns);
  std::vector<Isa> isas;
  for (const Isa isa : sosie::base::kBestIsaFirst) {
    if (kernels_for(isa) != nullptr && peak_of(isa) != nullptr) isas.push_back(isa);
  }
  std::vector<std::vector<double>> ours(isas.size()), peaks(isas.size());
  std::vector<double> theirs;
  const SingleThreaded here;
  for (int round = 0; round < 25; ++round) {
    for (std::size_t i = 0; i < isas.size(); ++i) {
      const Kernels& kernels = *kernels_for(isas[i]);
      ours[i].push_back(milliseconds([&] {
        for (const auto& layer : layers) {
          for (const ByteMatrix& matrix : layer) {
            const ByteColumns columns = matrix.view();
            kernels.multiply_bytes({left.data(), scales.data(), rows, columns.depth}, columns, out.data());
          }
        }
      }));
      double done = 0;
      const double time = milliseconds([&] { done = peak_of(isas[i])(); });
      peaks[i].push_back(done / time / 1e6);
    }
    theirs.push_back(milliseconds([&] {
      for (int layer = 0; layer < kLayers; ++layer) {
        for (OneDnn& each : one_dnn) each.run(layer);
      }
    }));
  }
  std::printf("{\"rows\": %zu, \"onednn_ms\": %.4f, \"sets\": [", rows, median(theirs));
  for (std::size_t i = 0; i < isas.size(); ++i) {
    const double time = median(ours[i]);
    std::printf("%s{\"isa\": \"%s\", \"ms\": %.4f, \"gmac_s\": %.1f, \"peak_gmac_s\": %.1f}", i == 0 ? "" : ", ", std::string(to_string(isas[i])).c_str(), time,
                products / time / 1e6, median(peaks[i]));
  }
  std::printf("]}\n");
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  std::mt19937 random(1);
  std::normal_distribution<float> weight(0, 0.05F);
  std::vector<std::vector<ByteMatrix>> layers(kLayers);
  for (auto& layer : layers) {
    for (const auto& s : kShapes) {
      std::vector<float> weights(s.depth * s.columns), bias(s.columns);
      for (float& w : weights) w = weight(random);
      layer.emplace_back(weights, bias, s.depth, s.columns);
    }
  }
  std::vector<std::size_t> sizes;
  for (int i = 1; i < count; ++i) sizes.push_back(std::strtoul(arguments[i], nullptr, 10));
  if (sizes.empty()) sizes = {8, 16, 32, 64, 128, 256};
  for (const std::size_t rows : sizes) {
    if (rows == 0) return std::fputs("encoder_products: ROWS must be 1 or more\n", stderr), 2;
    measure(rows, layers);
  }
}
