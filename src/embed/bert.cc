#include "embed/bert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

namespace sosie::embed {

// Reads tensors one after the other; after the first error the rest is skipped.
class Bert::Loader {
 public:
  Loader(const Safetensors& weights, Arithmetic arithmetic, const Kernels& kernels)
      : weights_(weights), arithmetic_(arithmetic), kernels_(kernels),
        prefix_(weights.has("bert.embeddings.word_embeddings.weight") ? "bert." : "") {}

  const std::optional<Error>& error() const { return error_; }
  std::string name(std::string_view tail) const { return prefix_ + std::string(tail); }

  std::vector<float> floats(std::string_view tail, const std::vector<std::size_t>& shape) {
    return take(weights_.floats(name(tail), shape), std::vector<float>());
  }

  OwnedNorm norm(const std::string& tail, std::size_t n) { return {floats(tail + ".weight", {n}), floats(tail + ".bias", {n})}; }

  // Layers side by side: their outputs follow each other.
  std::optional<Linear> linear(const std::vector<std::string>& tails, const MatmulShape& shape) {
    const std::size_t each = shape.columns() / tails.size();
    std::vector<float> weight, bias;
    for (const auto& tail : tails) {
      const auto w = floats(tail + ".weight", {each, shape.depth()});
      const auto b = floats(tail + ".bias", {each});
      weight.insert(weight.end(), w.begin(), w.end());
      bias.insert(bias.end(), b.begin(), b.end());
    }
    if (error_) return {};
    auto made = Linear::create(arithmetic_, shape, weight, std::move(bias), kernels_);
    if (!made) {
      error_ = made.error();
      return {};
    }
    return std::move(*made);
  }

 private:
  template <class T>
  T take(Result<T> result, T otherwise) {
    if (result) return std::move(*result);
    if (!error_) error_ = result.error();
    return otherwise;
  }

  const Safetensors& weights_;
  const Arithmetic arithmetic_;
  const Kernels& kernels_;
  const std::string prefix_;
  std::optional<Error> error_;
};

Bert::Bert(const Options& options, Safetensors weights, const Kernels& kernels)
    : options_(options), kernels_(kernels), weights_(std::move(weights)) {}
Bert::~Bert() = default;

Result<std::unique_ptr<const Bert>> Bert::load(const Options& options, Safetensors weights, const Kernels& kernels) {
  const text::BertConfig& c = options.config;
  std::unique_ptr<Bert> bert(new Bert(options, std::move(weights), kernels));
  const struct {
    std::unique_ptr<MatmulShape>& shape;
    std::size_t depth, columns;
  } shapes[] = {{bert->attention_shape_, c.hidden, 3 * c.hidden},
                {bert->attention_out_shape_, c.hidden, c.hidden},
                {bert->up_shape_, c.hidden, c.intermediate},
                {bert->down_shape_, c.intermediate, c.hidden}};
  for (const auto& s : shapes) {
    auto made = MatmulShape::create(options.arithmetic, s.depth, s.columns, options.max_tokens);
    if (!made) return made.error();
    s.shape = std::move(*made);
  }

  Loader load(bert->weights_, options.arithmetic, kernels);
  const std::string words = "embeddings.word_embeddings.weight";
  bert->words_copy_ = load.floats(words, {c.vocabulary, c.hidden});
  if (!load.error()) bert->words_ = bert->weights_.in_place(load.name(words));
  if (bert->words_ != nullptr) {
    bert->words_copy_ = {};
  } else {
    bert->words_ = bert->words_copy_.data();
  }
  bert->positions_ = load.floats("embeddings.position_embeddings.weight", {c.positions, c.hidden});
  const auto types = load.floats("embeddings.token_type_embeddings.weight", {c.types, c.hidden});
  bert->embedding_norm_ = load.norm("embeddings.LayerNorm", c.hidden);
  if (load.error()) return *load.error();
  for (std::size_t i = 0; i < bert->positions_.size(); ++i) bert->positions_[i] += types[i % c.hidden];

  for (std::size_t i = 0; i < c.layers; ++i) {
    const std::string p = "encoder.layer." + std::to_string(i) + ".";
    const std::string a = p + "attention.self.";
    auto attention = load.linear({a + "query", a + "key", a + "value"}, *bert->attention_shape_);
    auto attention_out = load.linear({p + "attention.output.dense"}, *bert->attention_out_shape_);
    auto up = load.linear({p + "intermediate.dense"}, *bert->up_shape_);
    auto down = load.linear({p + "output.dense"}, *bert->down_shape_);
    auto attention_norm = load.norm(p + "attention.output.LayerNorm", c.hidden);
    auto norm = load.norm(p + "output.LayerNorm", c.hidden);
    if (load.error()) return *load.error();
    bert->layers_.push_back({std::move(*attention), std::move(*attention_out), std::move(*up), std::move(*down), std::move(attention_norm), std::move(norm)});
  }
  // Everything has been read once, for its digest and into other forms; of the file itself only the rows of words in use are needed.
  bert->weights_.forget();
  return std::unique_ptr<const Bert>(std::move(bert));
}

std::unique_ptr<Bert::Workspace> Bert::make_workspace() const { return std::make_unique<Workspace>(); }

void Bert::Workspace::reserve(std::size_t rows, const Options& options) {
  if (rows <= rows_) return;
  const text::BertConfig& c = options.config;
  const std::size_t widest = std::max(3 * c.hidden, c.intermediate);
  x.resize(rows * c.hidden);
  qkv.resize(rows * 3 * c.hidden);
  context.resize(rows * c.hidden);
  line.resize(widest);
  scratch.resize(attention_scratch({rows, c.heads, c.hidden / c.heads}));
  product.resize(rows * widest);
  left.resize(rows * std::max(c.hidden, c.intermediate) * element_size(options.arithmetic));
  scales.resize(rows);
  rows_ = rows;
}

Result<void> Bert::encode(std::span<const std::int32_t> ids, Workspace& w, std::span<float> out) const {
  const SingleThreaded here;
  const std::size_t hidden = options_.config.hidden, rows = ids.size();
  w.reserve(rows, options_);
  embed_tokens(ids, w);
  for (const Layer& layer : layers_) {
    auto done = run_layer(layer, rows, w);
    if (!done) return done;
  }
  std::copy_n(w.x.data(), hidden, out.data());
  if (options_.pooling == text::Pooling::mean) {
    for (std::size_t row = 1; row < rows; ++row) {
      const float* x = w.x.data() + row * hidden;
      for (std::size_t i = 0; i < hidden; ++i) out[i] += x[i];
    }
  }
  double squares = 0;
  for (const float v : out) squares += static_cast<double>(v) * static_cast<double>(v);
  if (!(squares > 0) || !std::isfinite(squares)) {
    return Error{ErrorCode::data_corruption, "model.safetensors: the weights yield no finite vector: fetch the file again"};
  }
  const double inverse = 1 / std::sqrt(squares);
  for (float& v : out) v = static_cast<float>(static_cast<double>(v) * inverse);
  return {};
}

void Bert::embed_tokens(std::span<const std::int32_t> ids, Workspace& w) const {
  const std::size_t hidden = options_.config.hidden;
  for (std::size_t row = 0; row < ids.size(); ++row) {
    float* x = w.x.data() + row * hidden;
    kernels_.add_norm(words_ + static_cast<std::size_t>(ids[row]) * hidden, positions_.data() + row * hidden,
                      embedding_norm_.view(options_.config.epsilon), hidden, x);
    set_left(x, hidden, row, w);
  }
}

Result<void> Bert::run_layer(const Layer& layer, std::size_t rows, Workspace& w) const {
  const text::BertConfig& c = options_.config;
  const std::size_t hidden = c.hidden;

  if (auto done = multiply(layer.attention, rows, w); !done) return done;
  for (std::size_t row = 0; row < rows; ++row) finish_row(layer.attention, row, w.qkv.data() + row * 3 * hidden, w);
  kernels_.attention(w.qkv.data(), {rows, c.heads, hidden / c.heads}, w.scratch.data(), w.context.data());
  for (std::size_t row = 0; row < rows; ++row) set_left(w.context.data() + row * hidden, hidden, row, w);

  if (auto done = multiply(layer.attention_out, rows, w); !done) return done;
  for (std::size_t row = 0; row < rows; ++row) {
    float* x = w.x.data() + row * hidden;
    kernels_.add_norm(x, finish_row(layer.attention_out, row, w.line.data(), w), layer.attention_norm.view(c.epsilon), hidden, x);
    set_left(x, hidden, row, w);
  }

  const auto activate = c.activation == text::Activation::gelu ? kernels_.gelu : c.activation == text::Activation::relu ? kernels_.relu : kernels_.gelu_tanh;
  if (auto done = multiply(layer.up, rows, w); !done) return done;
  for (std::size_t row = 0; row < rows; ++row) {
    float* line = finish_row(layer.up, row, w.line.data(), w);
    activate(line, c.intermediate);
    set_left(line, c.intermediate, row, w);
  }

  if (auto done = multiply(layer.down, rows, w); !done) return done;
  for (std::size_t row = 0; row < rows; ++row) {
    float* x = w.x.data() + row * hidden;
    kernels_.add_norm(x, finish_row(layer.down, row, w.line.data(), w), layer.norm.view(c.epsilon), hidden, x);
    set_left(x, hidden, row, w);
  }
  return {};
}

void Bert::set_left(const float* x, std::size_t n, std::size_t row, Workspace& w) const {
  std::uint8_t* left = w.left.data() + row * n * element_size(options_.arithmetic);
  switch (options_.arithmetic) {
    case Arithmetic::f32: std::memcpy(left, x, n * sizeof(float)); break;
    case Arithmetic::bf16: kernels_.to_bf16(x, n, reinterpret_cast<std::uint16_t*>(left)); break;
    case Arithmetic::int8: w.scales[row] = kernels_.quantize(x, n, left); break;
  }
}

float* Bert::finish_row(const Linear& linear, std::size_t row, float* out, Workspace& w) const {
  const std::size_t n = linear.shape().columns();
  const std::int32_t* product = w.product.data() + row * n;
  if (options_.arithmetic == Arithmetic::int8) {
    kernels_.dequantize(product, w.scales[row], linear.columns(), n, out);
  } else {
    std::memcpy(out, product, n * sizeof(float));
    kernels_.add_bias(out, linear.bias(), n);
  }
  return out;
}

Result<void> Bert::multiply(const Linear& linear, std::size_t rows, Workspace& w) const {
  return w.runner.run(linear.shape(), linear.matrix(), rows, w.left.data(), w.product.data());
}

}  // namespace sosie::embed
