// bert.h: the transformer: token ids in, one unit vector out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "embed/kernels.h"
#include "embed/linear.h"
#include "embed/matmul.h"
#include "embed/packed_weights.h"
#include "embed/safetensors.h"
#include "sosie/result.h"
#include "text/model_config.h"

namespace sosie::embed {

/// A BERT or XLM-R encoder with pooling. Every text is computed on its own, so its vector depends on nothing else.
/// Thread-safety: immutable; `encode` may run concurrently with one workspace a call.
class Bert {
 public:
  /// What one `encode` works in. Keep it for the next call: it keeps its memory.
  class Workspace;

  struct Options {
    text::BertConfig config;
    text::Pooling pooling = text::Pooling::mean;
    Arithmetic arithmetic = Arithmetic::f32;
    std::size_t max_tokens = 0;  ///< At most config.positions - config.first_position.
  };

  /// `packed`: what `packed()` gave of the same weights, or null. Errors: data_corruption and unsupported naming the tensor; those of
  /// `MatmulShape::create`.
  static Result<std::unique_ptr<const Bert>> load(const Options& options, Safetensors weights, const PackedWeights* packed, const Kernels& kernels);
  ~Bert();

  std::size_t dimension() const noexcept { return options_.config.hidden; }
  std::unique_ptr<Workspace> make_workspace() const;

  /// All matrices, to be kept and given to the next `load`. In int8 only; else empty.
  std::vector<ByteMatrix> packed() const;

  /// The token ids of a text: 1 to max_tokens, each below config.vocabulary.
  using Ids = std::span<const std::int32_t>;

  /// Whether several short texts take less time together than one after the other, with the same bits.
  bool gains_from_company() const noexcept { return options_.arithmetic == Arithmetic::int8; }

  /// Writes a vector of length 1 for every text: [texts.size()][dimension()] floats. REQUIRES: one text, unless it gains from company.
  /// Cost: quadratic in the tokens of a text. Errors: data_corruption (the weights yield no finite vector); those of `MatmulRunner::run`.
  Result<void> encode(std::span<const Ids> texts, Workspace& workspace, float* out) const;

 private:
  struct OwnedNorm {
    std::vector<float> gamma, beta;
    Norm view(float epsilon) const { return {gamma.data(), beta.data(), epsilon}; }
  };
  struct Layer {
    Linear attention, attention_out, up, down;
    OwnedNorm attention_norm, norm;
  };
  class Loader;

  Bert(const Options& options, Safetensors weights, const Kernels& kernels);
  // Texts stand one below the other: each has as many rows as tokens.
  void embed_tokens(std::span<const Ids> texts, Workspace& w) const;
  Result<void> run_layer(const Layer& layer, std::span<const Ids> texts, std::size_t rows, Workspace& w) const;
  Result<void> pool(const float* x, std::size_t rows, float* out) const;

  const Options options_;
  const Kernels& kernels_;
  Safetensors weights_;
  std::vector<float> words_copy_;  // Where they cannot be used in place.
  const float* words_ = nullptr;
  std::vector<float> positions_;  // From that of the first token on, with the first token type added.
  OwnedNorm embedding_norm_;
  // Not in int8.
  std::unique_ptr<MatmulShape> attention_shape_, attention_out_shape_, up_shape_, down_shape_;
  std::vector<Layer> layers_;
};

class Bert::Workspace {
 public:
  Workspace(Arithmetic arithmetic, const Kernels& kernels) : left(arithmetic, kernels) {}

 private:
  friend class Bert;
  void reserve(std::size_t rows, const text::BertConfig& config);

  std::size_t rows_ = 0;
  std::vector<float> x, context, product, scratch;  // [rows][hidden], [rows][hidden], [rows][widest], attention's.
  LeftRows left;
  MatmulRunner runner;
};

}  // namespace sosie::embed
