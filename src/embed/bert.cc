#include "embed/bert.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "embed/float_mode.h"

namespace sosie::embed {

// Reads tensors one after the other; after the first error the rest is skipped.
class Bert::Loader {
 public:
  Loader(const Safetensors& weights, const PackedWeights* packed, const Kernels& kernels)
      : weights_(weights), packed_(packed), kernels_(kernels), prefix_(prefix_of(weights)) {}

  const std::optional<Error>& error() const { return error_; }
  std::string name(std::string_view tail) const { return prefix_ + std::string(tail); }

  std::vector<float> floats(std::string_view tail, const std::vector<std::size_t>& shape) {
    return take(weights_.floats(name(tail), shape), std::vector<float>());
  }

  OwnedNorm norm(const std::string& tail, std::size_t n) { return {floats(tail + ".weight", {n}), floats(tail + ".bias", {n})}; }

  void check(std::string_view tail, const std::vector<std::size_t>& shape) {
    auto fits = weights_.check(name(tail), shape);
    if (!fits && !error_) error_ = fits.error();
  }

  // Layers side by side, [outputs][inputs] each: their outputs follow each other.
  std::optional<Linear> linear(const std::vector<std::string>& tails, std::size_t inputs, std::size_t outputs, const MatmulShape* shape) {
    if (packed_ != nullptr) {
      if (auto matrix = packed_->matrix(linears_++, inputs, outputs * tails.size())) return Linear(std::move(*matrix), kernels_);
    }
    std::vector<float> weight, bias;
    for (const auto& tail : tails) {
      const auto w = floats(tail + ".weight", {outputs, inputs});
      const auto b = floats(tail + ".bias", {outputs});
      weight.insert(weight.end(), w.begin(), w.end());
      bias.insert(bias.end(), b.begin(), b.end());
    }
    if (error_) return {};
    auto made = Linear::create(shape, weight, std::move(bias), kernels_);
    if (!made) {
      error_ = made.error();
      return {};
    }
    return std::move(*made);
  }

 private:
  // Of the names of a model that was saved with a head on it.
  static std::string prefix_of(const Safetensors& weights) {
    for (const char* prefix : {"bert.", "roberta."}) {
      if (weights.has(prefix + std::string("embeddings.word_embeddings.weight"))) return prefix;
    }
    return {};
  }

  template <class T>
  T take(Result<T> result, T otherwise) {
    if (result) return std::move(*result);
    if (!error_) error_ = result.error();
    return otherwise;
  }

  const Safetensors& weights_;
  const PackedWeights* const packed_;
  std::size_t linears_ = 0;
  const Kernels& kernels_;
  const std::string prefix_;
  std::optional<Error> error_;
};

Bert::Bert(const Options& options, Safetensors weights, const Kernels& kernels)
    : options_(options), kernels_(kernels), weights_(std::move(weights)) {}
Bert::~Bert() = default;

Result<std::unique_ptr<const Bert>> Bert::load(const Options& options, Safetensors weights, const PackedWeights* packed, const Kernels& kernels) {
  const DefaultFloatMode mode;
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
    if (options.arithmetic == Arithmetic::int8) break;
    auto made = MatmulShape::create(options.arithmetic, s.depth, s.columns, options.max_tokens);
    if (!made) return made.error();
    s.shape = std::move(*made);
  }

  Loader load(bert->weights_, packed, kernels);
  const std::string words = "embeddings.word_embeddings.weight";
  load.check(words, {c.vocabulary, c.hidden});
  if (load.error()) return *load.error();
  bert->words_ = bert->weights_.in_place(load.name(words));
  if (bert->words_ == nullptr) {
    bert->words_copy_ = load.floats(words, {c.vocabulary, c.hidden});
    bert->words_ = bert->words_copy_.data();
  }
  bert->positions_ = load.floats("embeddings.position_embeddings.weight", {c.positions, c.hidden});
  const auto types = load.floats("embeddings.token_type_embeddings.weight", {c.types, c.hidden});
  bert->embedding_norm_ = load.norm("embeddings.LayerNorm", c.hidden);
  if (load.error()) return *load.error();
  bert->positions_.erase(bert->positions_.begin(), bert->positions_.begin() + static_cast<std::ptrdiff_t>(c.first_position * c.hidden));
  for (std::size_t i = 0; i < bert->positions_.size(); ++i) bert->positions_[i] += types[i % c.hidden];

  for (std::size_t i = 0; i < c.layers; ++i) {
    const std::string p = "encoder.layer." + std::to_string(i) + ".";
    const std::string a = p + "attention.self.";
    auto attention = load.linear({a + "query", a + "key", a + "value"}, c.hidden, c.hidden, bert->attention_shape_.get());
    auto attention_out = load.linear({p + "attention.output.dense"}, c.hidden, c.hidden, bert->attention_out_shape_.get());
    auto up = load.linear({p + "intermediate.dense"}, c.hidden, c.intermediate, bert->up_shape_.get());
    auto down = load.linear({p + "output.dense"}, c.intermediate, c.hidden, bert->down_shape_.get());
    auto attention_norm = load.norm(p + "attention.output.LayerNorm", c.hidden);
    auto norm = load.norm(p + "output.LayerNorm", c.hidden);
    if (load.error()) return *load.error();
    bert->layers_.push_back({std::move(*attention), std::move(*attention_out), std::move(*up), std::move(*down), std::move(attention_norm), std::move(norm)});
  }
  // Everything has been read once, for its digest and into other forms; of the file itself only the rows of words in use are needed.
  bert->weights_.forget();
  return std::unique_ptr<const Bert>(std::move(bert));
}

std::unique_ptr<Bert::Workspace> Bert::make_workspace() const { return std::make_unique<Workspace>(options_.arithmetic, kernels_); }

std::vector<ByteMatrix> Bert::packed() const {
  std::vector<ByteMatrix> out;
  for (const Layer& layer : layers_) {
    for (const Linear* linear : {&layer.attention, &layer.attention_out, &layer.up, &layer.down}) {
      if (linear->bytes()) out.push_back(*linear->bytes());
    }
  }
  return out;
}

void Bert::Workspace::reserve(std::size_t rows, const text::BertConfig& c) {
  if (rows <= rows_) return;
  x.resize(rows * c.hidden);
  context.resize(rows * c.hidden);
  product.resize(rows * std::max(3 * c.hidden, c.intermediate));
  scratch.resize(attention_scratch({rows, c.heads, c.hidden / c.heads}));
  left.reserve(rows, std::max(c.hidden, c.intermediate));
  rows_ = rows;
}

Result<void> Bert::encode(std::span<const Ids> texts, Workspace& w, float* out) const {
  const DefaultFloatMode mode;
  std::size_t rows = 0;
  for (const Ids& ids : texts) rows += ids.size();
  w.reserve(rows, options_.config);
  embed_tokens(texts, w);
  for (const Layer& layer : layers_) {
    if (auto done = run_layer(layer, texts, rows, w); !done) return done;
  }
  const float* x = w.x.data();
  for (const Ids& ids : texts) {
    if (auto done = pool(x, ids.size(), out); !done) return done;
    x += ids.size() * dimension();
    out += dimension();
  }
  return {};
}

Result<void> Bert::pool(const float* x, std::size_t rows, float* out) const {
  const std::size_t hidden = dimension();
  std::copy_n(x, hidden, out);
  if (options_.pooling == text::Pooling::mean) {
    for (std::size_t row = 1; row < rows; ++row) {
      for (std::size_t i = 0; i < hidden; ++i) out[i] += x[row * hidden + i];
    }
  }
  double squares = 0;
  for (std::size_t i = 0; i < hidden; ++i) squares += static_cast<double>(out[i]) * static_cast<double>(out[i]);
  if (!(squares > 0) || !std::isfinite(squares)) {
    return Error{ErrorCode::data_corruption, "model.safetensors: the weights yield no finite vector: fetch the file again"};
  }
  const double inverse = 1 / std::sqrt(squares);
  for (std::size_t i = 0; i < hidden; ++i) out[i] = static_cast<float>(static_cast<double>(out[i]) * inverse);
  return {};
}

void Bert::embed_tokens(std::span<const Ids> texts, Workspace& w) const {
  const std::size_t hidden = dimension();
  std::size_t row = 0;
  for (const Ids& ids : texts) {
    for (std::size_t position = 0; position < ids.size(); ++position, ++row) {
      float* x = w.x.data() + row * hidden;
      kernels_.add_norm(words_ + static_cast<std::size_t>(ids[position]) * hidden, positions_.data() + position * hidden,
                        embedding_norm_.view(options_.config.epsilon), hidden, x);
      w.left.set(row, x, hidden);
    }
  }
}

Result<void> Bert::run_layer(const Layer& layer, std::span<const Ids> texts, std::size_t rows, Workspace& w) const {
  const text::BertConfig& c = options_.config;
  const std::size_t hidden = c.hidden;
  float* product = w.product.data();
  // x = norm(x + product), which the next product starts from.
  const auto add_norm = [&](const OwnedNorm& norm) {
    for (std::size_t row = 0; row < rows; ++row) {
      float* x = w.x.data() + row * hidden;
      kernels_.add_norm(x, product + row * hidden, norm.view(c.epsilon), hidden, x);
      w.left.set(row, x, hidden);
    }
  };

  if (auto done = layer.attention.apply(w.left, rows, w.runner, product); !done) return done;
  std::size_t first = 0;
  for (const Ids& ids : texts) {
    kernels_.attention(product + first * 3 * hidden, {ids.size(), c.heads, hidden / c.heads}, w.scratch.data(), w.context.data() + first * hidden);
    first += ids.size();
  }
  for (std::size_t row = 0; row < rows; ++row) w.left.set(row, w.context.data() + row * hidden, hidden);

  if (auto done = layer.attention_out.apply(w.left, rows, w.runner, product); !done) return done;
  add_norm(layer.attention_norm);

  const auto activate = c.activation == text::Activation::gelu ? kernels_.gelu : c.activation == text::Activation::relu ? kernels_.relu : kernels_.gelu_tanh;
  if (auto done = layer.up.apply(w.left, rows, w.runner, product); !done) return done;
  for (std::size_t row = 0; row < rows; ++row) {
    float* line = product + row * c.intermediate;
    activate(line, c.intermediate);
    w.left.set(row, line, c.intermediate);
  }

  if (auto done = layer.down.apply(w.left, rows, w.runner, product); !done) return done;
  add_norm(layer.norm);
  return {};
}

}  // namespace sosie::embed
