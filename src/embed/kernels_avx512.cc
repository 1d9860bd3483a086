#include <cmath>

#include "embed/kernel_sets.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define SOSIE_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

namespace sosie::embed {
namespace {

using V = __m512;

// Lanes of the last, partial vector of n floats from i on; all of them where it is whole.
SOSIE_AVX512 inline __mmask16 lanes(std::size_t i, std::size_t n) {
  return n - i >= 16 ? __mmask16{0xFFFF} : static_cast<__mmask16>((1U << (n - i)) - 1);
}

SOSIE_AVX512 inline V splat(float x) { return _mm512_set1_ps(x); }

// The formulas are those of kernels_portable.inc.
SOSIE_AVX512 inline V exp_approx(V x) {
  const V y = _mm512_max_ps(x, splat(-87.0F));
  const V whole = _mm512_roundscale_ps(_mm512_mul_ps(y, splat(1.44269504F)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  V r = _mm512_fnmadd_ps(whole, splat(0.693359375F), y);
  r = _mm512_fmadd_ps(whole, splat(2.12194440e-4F), r);
  V p = splat(1.0F / 720);
  p = _mm512_fmadd_ps(p, r, splat(1.0F / 120));
  p = _mm512_fmadd_ps(p, r, splat(1.0F / 24));
  p = _mm512_fmadd_ps(p, r, splat(1.0F / 6));
  p = _mm512_fmadd_ps(p, r, splat(0.5F));
  p = _mm512_fmadd_ps(p, r, splat(1.0F));
  p = _mm512_fmadd_ps(p, r, splat(1.0F));
  p = _mm512_scalef_ps(p, whole);
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, splat(-87.0F), _CMP_GE_OQ), p);
}

SOSIE_AVX512 inline V reciprocal(V x) {
  const V guess = _mm512_rcp14_ps(x);
  return _mm512_mul_ps(guess, _mm512_fnmadd_ps(guess, x, splat(2.0F)));
}

SOSIE_AVX512 inline V gelu_of(V x) {
  const V s = _mm512_mul_ps(x, splat(0.70710678F));
  const V a = _mm512_abs_ps(s);
  const V t = reciprocal(_mm512_fmadd_ps(a, splat(0.3275911F), splat(1.0F)));
  V p = splat(1.061405429F);
  p = _mm512_fmadd_ps(p, t, splat(-1.453152027F));
  p = _mm512_fmadd_ps(p, t, splat(1.421413741F));
  p = _mm512_fmadd_ps(p, t, splat(-0.284496736F));
  p = _mm512_fmadd_ps(p, t, splat(0.254829592F));
  p = _mm512_mul_ps(p, t);
  const V erf = _mm512_fnmadd_ps(p, exp_approx(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_mul_ps(a, a))), splat(1.0F));
  // x/2 * (1 + sign(x) * erf(|x|)) = x/2 + |x|/2 * erf(|x|).
  const V half = _mm512_mul_ps(x, splat(0.5F));
  return _mm512_fmadd_ps(_mm512_abs_ps(half), erf, half);
}

SOSIE_AVX512 inline void normalize(float* x, float sum, const Norm& norm, std::size_t n) {
  const float count = static_cast<float>(n);
  const V mean = splat(sum / count);
  V squares = _mm512_setzero_ps();
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const V d = _mm512_maskz_sub_ps(m, _mm512_maskz_loadu_ps(m, x + i), mean);
    squares = _mm512_fmadd_ps(d, d, squares);
  }
  const V inverse = splat(1.0F / std::sqrt(_mm512_reduce_add_ps(squares) / count + norm.epsilon));
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const V d = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean), inverse);
    const V y = _mm512_fmadd_ps(d, _mm512_maskz_loadu_ps(m, norm.gamma + i), _mm512_maskz_loadu_ps(m, norm.beta + i));
    _mm512_mask_storeu_ps(x + i, m, y);
  }
}

SOSIE_AVX512 void add_norm(const float* a, const float* b, const Norm& norm, std::size_t n, float* out) {
  V sum = _mm512_setzero_ps();
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const V x = _mm512_add_ps(_mm512_maskz_loadu_ps(m, a + i), _mm512_maskz_loadu_ps(m, b + i));
    _mm512_mask_storeu_ps(out + i, m, x);
    sum = _mm512_add_ps(sum, x);
  }
  normalize(out, _mm512_reduce_add_ps(sum), norm, n);
}

SOSIE_AVX512 void add_bias(float* x, const float* bias, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    _mm512_mask_storeu_ps(x + i, m, _mm512_add_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_maskz_loadu_ps(m, bias + i)));
  }
}

SOSIE_AVX512 void dequantize(const std::int32_t* acc, RowScale row, const ColumnScales& columns, std::size_t n, float* out) {
  const V scale = splat(row.scale), low = splat(row.low);
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const V sums = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(m, acc + i));
    const V offset = _mm512_fmadd_ps(low, _mm512_maskz_loadu_ps(m, columns.sum + i), _mm512_maskz_loadu_ps(m, columns.bias + i));
    const V factor = _mm512_mul_ps(scale, _mm512_maskz_loadu_ps(m, columns.scale + i));
    _mm512_mask_storeu_ps(out + i, m, _mm512_fmadd_ps(sums, factor, offset));
  }
}

SOSIE_AVX512 RowScale quantize(const float* x, std::size_t n, std::uint8_t* out) {
  V lows = splat(x[0]), highs = lows;
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const V v = _mm512_maskz_loadu_ps(m, x + i);
    lows = _mm512_mask_min_ps(lows, m, lows, v);
    highs = _mm512_mask_max_ps(highs, m, highs, v);
  }
  const float low = _mm512_reduce_min_ps(lows);
  const float range = _mm512_reduce_max_ps(highs) - low;
  const V inverse = splat(range > 0 ? 255.0F / range : 0.0F), base = splat(low);
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const V q = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), base), inverse);
    _mm512_mask_cvtusepi32_storeu_epi8(out + i, m, _mm512_cvtps_epu32(q));
  }
  return {range / 255.0F, low};
}

SOSIE_AVX512 void to_bf16(const float* x, std::size_t n, std::uint16_t* out) {
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const __m512i bits = _mm512_castps_si512(_mm512_maskz_loadu_ps(m, x + i));
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    _mm512_mask_cvtepi32_storeu_epi16(out + i, m, _mm512_srli_epi32(rounded, 16));
  }
}

SOSIE_AVX512 void gelu(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    _mm512_mask_storeu_ps(x + i, m, gelu_of(_mm512_maskz_loadu_ps(m, x + i)));
  }
}

SOSIE_AVX512 void gelu_tanh(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    const V v = _mm512_maskz_loadu_ps(m, x + i);
    const V cube = _mm512_mul_ps(_mm512_mul_ps(v, v), v);
    V y = _mm512_mul_ps(splat(-1.59576912F), _mm512_fmadd_ps(cube, splat(0.044715F), v));
    y = _mm512_min_ps(_mm512_max_ps(y, splat(-80.0F)), splat(80.0F));
    _mm512_mask_storeu_ps(x + i, m, _mm512_div_ps(v, _mm512_add_ps(splat(1.0F), exp_approx(y))));
  }
}

SOSIE_AVX512 void relu(float* x, std::size_t n) {
  for (std::size_t i = 0; i < n; i += 16) {
    const __mmask16 m = lanes(i, n);
    _mm512_mask_storeu_ps(x + i, m, _mm512_max_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_setzero_ps()));
  }
}

// One head of attention over R query rows at a time.
struct Head {
  const float *q, *keys, *values;  // [rows][stride]; [width][padded]; [rows][width].
  std::size_t stride, rows, padded, width, hidden;
  float scale;
  float *scores, *out;
};

template <int R>
SOSIE_AVX512 inline void score_rows(const Head& h, std::size_t first) {
  for (std::size_t j = 0; j < h.padded; j += 32) {
    const bool two = j + 16 < h.padded;
    V left[R], right[R];
    for (int r = 0; r < R; ++r) left[r] = right[r] = _mm512_setzero_ps();
    if (two) {
      for (std::size_t k = 0; k < h.width; ++k) {
        const V a = _mm512_loadu_ps(h.keys + k * h.padded + j), b = _mm512_loadu_ps(h.keys + k * h.padded + j + 16);
        for (int r = 0; r < R; ++r) {
          const V q = splat(h.q[(first + r) * h.stride + k]);
          left[r] = _mm512_fmadd_ps(q, a, left[r]);
          right[r] = _mm512_fmadd_ps(q, b, right[r]);
        }
      }
    } else {
      for (std::size_t k = 0; k < h.width; ++k) {
        const V a = _mm512_loadu_ps(h.keys + k * h.padded + j);
        for (int r = 0; r < R; ++r) left[r] = _mm512_fmadd_ps(splat(h.q[(first + r) * h.stride + k]), a, left[r]);
      }
    }
    for (int r = 0; r < R; ++r) {
      _mm512_storeu_ps(h.scores + r * h.padded + j, left[r]);
      if (two) _mm512_storeu_ps(h.scores + r * h.padded + j + 16, right[r]);
    }
  }
}

// Turns a row of scores into weights that are not yet divided by their sum, which it returns.
SOSIE_AVX512 inline float weigh(const Head& h, float* scores) {
  V high = splat(scores[0]);
  for (std::size_t j = 0; j < h.rows; j += 16) high = _mm512_mask_max_ps(high, lanes(j, h.rows), high, _mm512_loadu_ps(scores + j));
  const V top = splat(_mm512_reduce_max_ps(high)), scale = splat(h.scale);
  V sum = _mm512_setzero_ps();
  for (std::size_t j = 0; j < h.rows; j += 16) {
    const V e = exp_approx(_mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(scores + j), top), scale));
    _mm512_storeu_ps(scores + j, e);
    sum = _mm512_mask_add_ps(sum, lanes(j, h.rows), sum, e);
  }
  return _mm512_reduce_add_ps(sum);
}

template <int R>
SOSIE_AVX512 inline void attend_rows(const Head& h, std::size_t first) {
  score_rows<R>(h, first);
  float inverse[R];
  for (int r = 0; r < R; ++r) inverse[r] = 1.0F / weigh(h, h.scores + r * h.padded);
  for (std::size_t c = 0; c < h.width; c += 32) {
    const __mmask16 ma = lanes(c, h.width);
    const __mmask16 mb = c + 16 < h.width ? lanes(c + 16, h.width) : __mmask16{0};
    V left[R], right[R];
    for (int r = 0; r < R; ++r) left[r] = right[r] = _mm512_setzero_ps();
    for (std::size_t j = 0; j < h.rows; ++j) {
      const V a = _mm512_maskz_loadu_ps(ma, h.values + j * h.width + c), b = _mm512_maskz_loadu_ps(mb, h.values + j * h.width + c + 16);
      for (int r = 0; r < R; ++r) {
        const V p = splat(h.scores[r * h.padded + j]);
        left[r] = _mm512_fmadd_ps(p, a, left[r]);
        right[r] = _mm512_fmadd_ps(p, b, right[r]);
      }
    }
    for (int r = 0; r < R; ++r) {
      float* out = h.out + (first + r) * h.hidden + c;
      _mm512_mask_storeu_ps(out, ma, _mm512_mul_ps(left[r], splat(inverse[r])));
      _mm512_mask_storeu_ps(out + 16, mb, _mm512_mul_ps(right[r], splat(inverse[r])));
    }
  }
}

// Rows `first` to `first` + 15 of 16 columns, transposed: column c goes to out + c * out_stride. Rows beyond `rows` are 0.
SOSIE_AVX512 inline void transpose16(const float* in, std::size_t stride, std::size_t rows, float* out, std::size_t out_stride) {
  V a[16], b[16];
  for (std::size_t i = 0; i < 16; ++i) a[i] = i < rows ? _mm512_loadu_ps(in + i * stride) : _mm512_setzero_ps();
  for (int i = 0; i < 16; i += 2) {  // Pairs of rows, interleaved.
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // Fours: a[i + c] holds columns c, c + 4, c + 8, c + 12 of rows i to i + 3.
    const __m512d p = _mm512_castps_pd(b[i]), q = _mm512_castps_pd(b[i + 1]), r = _mm512_castps_pd(b[i + 2]), t = _mm512_castps_pd(b[i + 3]);
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, r));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, r));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(q, t));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(q, t));
  }
  for (std::size_t c = 0; c < 4; ++c) {  // Quarters of four vectors, gathered by column.
    const V low = _mm512_shuffle_f32x4(a[c], a[c + 4], 0x88), high = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0x88);
    const V low_odd = _mm512_shuffle_f32x4(a[c], a[c + 4], 0xDD), high_odd = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0xDD);
    _mm512_storeu_ps(out + c * out_stride, _mm512_shuffle_f32x4(low, high, 0x88));
    _mm512_storeu_ps(out + (c + 8) * out_stride, _mm512_shuffle_f32x4(low, high, 0xDD));
    _mm512_storeu_ps(out + (c + 4) * out_stride, _mm512_shuffle_f32x4(low_odd, high_odd, 0x88));
    _mm512_storeu_ps(out + (c + 12) * out_stride, _mm512_shuffle_f32x4(low_odd, high_odd, 0xDD));
  }
}

// Copies a head's keys, transposed, so that a vector holds 16 rows' products, and its values: rows that lie one page
// apart would share a few sets of the first-level cache.
SOSIE_AVX512 inline void gather(const float* keys, const float* values, const Head& h, float* keys_out, float* values_out) {
  for (std::size_t j = 0; j < h.padded; j += 16) {
    const std::size_t rows = h.rows - j < 16 ? h.rows - j : 16;
    std::size_t k = 0;
    for (; k + 16 <= h.width; k += 16) transpose16(keys + j * h.stride + k, h.stride, rows, keys_out + k * h.padded + j, h.padded);
    for (; k < h.width; ++k) {
      for (std::size_t i = 0; i < 16; ++i) keys_out[k * h.padded + j + i] = i < rows ? keys[(j + i) * h.stride + k] : 0.0F;
    }
  }
  for (std::size_t j = 0; j < h.rows; ++j) {
    for (std::size_t k = 0; k < h.width; k += 16) {
      const __mmask16 m = lanes(k, h.width);
      _mm512_mask_storeu_ps(values_out + j * h.width + k, m, _mm512_maskz_loadu_ps(m, values + j * h.stride + k));
    }
  }
}

SOSIE_AVX512 void attention(const float* qkv, const AttentionShape& shape, float* scratch, float* out) {
  const std::size_t hidden = shape.heads * shape.width, padded = padded_rows(shape.rows);
  float* keys = scratch;
  float* values = keys + shape.width * padded;
  for (std::size_t head = 0; head < shape.heads; ++head) {
    const float* q = qkv + head * shape.width;
    const Head h{.q = q, .keys = keys, .values = values, .stride = 3 * hidden, .rows = shape.rows, .padded = padded, .width = shape.width,
                 .hidden = hidden, .scale = 1.0F / std::sqrt(static_cast<float>(shape.width)), .scores = values + shape.width * padded,
                 .out = out + head * shape.width};
    gather(q + hidden, q + 2 * hidden, h, keys, values);
    std::size_t i = 0;
    for (; i + 8 <= shape.rows; i += 8) attend_rows<8>(h, i);
    if (shape.rows - i >= 4) attend_rows<4>(h, i), i += 4;
    if (shape.rows - i >= 2) attend_rows<2>(h, i), i += 2;
    if (shape.rows - i >= 1) attend_rows<1>(h, i);
  }
}

}  // namespace

const Kernels kAvx512Kernels{Isa::avx512, add_norm, add_bias, dequantize, quantize, to_bf16, gelu, gelu_tanh, relu, attention};

}  // namespace sosie::embed

#endif
