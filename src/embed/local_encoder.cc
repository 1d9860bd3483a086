#include "embed/local_encoder.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

#include "base/digest.h"
#include "embed/bert.h"
#include "embed/helper_threads.h"
#include "embed/kernels.h"
#include "embed/model_folder.h"
#include "embed/packed_weights.h"
#include "embed/safetensors.h"

namespace sosie::embed {
namespace {

// Tokens of short texts that are encoded together: enough to hide the time that the weights take to arrive.
constexpr std::size_t kRowsTogether = 64;

bool has_bf16_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
  return false;
#endif
}

Result<Precision> settle(Precision asked) {
  switch (asked) {
    case Precision::automatic: return Precision::int8;
    case Precision::f32:
    case Precision::int8: return asked;
    case Precision::bf16:
      if (has_bf16_products()) return asked;
      return Error{ErrorCode::unsupported, "precision bf16 needs a CPU with AVX-512: choose int8 or f32"};
  }
  return Error{ErrorCode::invalid_argument, "precision is none of automatic, f32, bf16, int8"};
}

Arithmetic arithmetic_of(Precision precision) {
  return precision == Precision::int8 ? Arithmetic::int8 : precision == Precision::bf16 ? Arithmetic::bf16 : Arithmetic::f32;
}

constexpr std::string_view kFirstVersion = "sosie local encoder 1";

const std::string& name_of(Precision precision) {
  static const std::string kF32 = "f32", kBf16 = "bf16", kInt8 = "int8";
  return precision == Precision::int8 ? kInt8 : precision == Precision::bf16 ? kBf16 : kF32;
}

// `weights`: their bytes, or a digest of these.
std::string fingerprint_of(std::string_view version, std::string_view weights, const ModelFolder& folder, Precision precision,
                           std::string_view prefix) {
  base::DigestBuilder digest;
  digest.add(version).add(weights).add(folder.fingerprint_material);
  digest.add(static_cast<std::uint64_t>(folder.pooling)).add(static_cast<std::uint64_t>(folder.window)).add(name_of(precision));
  if (!prefix.empty()) digest.add(prefix);
  return base::to_hex(digest.finish()).substr(0, 32);
}

}  // namespace

struct LocalEncoder::Impl {
  Impl(ModelFolder f, std::unique_ptr<const Bert> b, Precision p, std::string before, std::string print, std::size_t helpers)
      : folder(std::move(f)), bert(std::move(b)), precision(p), prefix(std::move(before)), fingerprint(std::move(print)), threads(helpers) {}

  // A workspace out of the pool, for as long as this lives.
  class Lease {
   public:
    explicit Lease(const Impl& owner) : owner_(owner) {
      const std::lock_guard lock(owner_.mutex);
      if (owner_.idle.empty()) return;
      workspace_ = std::move(owner_.idle.back());
      owner_.idle.pop_back();
    }
    ~Lease() {
      if (workspace_ == nullptr) return;
      const std::lock_guard lock(owner_.mutex);
      owner_.idle.push_back(std::move(workspace_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    Bert::Workspace& get() {
      if (workspace_ == nullptr) workspace_ = owner_.bert->make_workspace();
      return *workspace_;
    }

   private:
    const Impl& owner_;
    std::unique_ptr<Bert::Workspace> workspace_;
  };

  // Vectors for texts `first` to `last` - 1.
  Result<void> encode(std::span<const text::Tokens> tokens, std::size_t first, std::size_t last, std::span<Embedding> out) const {
    const std::size_t width = bert->dimension();
    std::vector<Bert::Ids> texts;
    for (std::size_t i = first; i < last; ++i) texts.emplace_back(tokens[i].ids);
    std::vector<float> vectors(texts.size() * width);
    Lease lease(*this);
    if (auto done = bert->encode(texts, lease.get(), vectors.data()); !done) return done;
    for (std::size_t i = first; i < last; ++i) out[i].vector.assign(vectors.data() + (i - first) * width, vectors.data() + (i - first + 1) * width);
    return {};
  }

  // Where each part of the texts ends that is encoded at once: a single text, or several that are short, but no fewer parts than threads.
  std::vector<std::size_t> parts(std::span<const text::Tokens> tokens) const {
    std::size_t all = 0;
    for (const text::Tokens& each : tokens) all += each.ids.size();
    const std::size_t most = std::min(kRowsTogether, all / (threads.count() + 1));
    std::vector<std::size_t> ends;
    std::size_t rows = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const bool together = bert->gains_from_company() && !ends.empty() && rows + tokens[i].ids.size() <= most;
      if (!together) {
        ends.push_back(0);
        rows = 0;
      }
      rows += tokens[i].ids.size();
      ends.back() = i + 1;
    }
    return ends;
  }

  const ModelFolder folder;
  const std::unique_ptr<const Bert> bert;
  const Precision precision;
  const std::string prefix, fingerprint;
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Bert::Workspace>> idle;  // As many as calls ever ran at once.
  mutable HelperThreads threads;
};

LocalEncoder::LocalEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalEncoder::~LocalEncoder() = default;

Result<std::shared_ptr<LocalEncoder>> LocalEncoder::open(const LocalEncoderOptions& options) {
  if (options.threads == 0) return Error{ErrorCode::invalid_argument, "threads is 0: it counts the caller's too, so at least 1"};
  auto precision = settle(options.precision);
  if (!precision) return precision.error();
  auto path = resolve_model_folder(options.model);
  if (!path) return path.error();
  auto folder = read_model_folder(*path);
  if (!folder) return folder.error();
  auto weights = Safetensors::open(folder->weights);
  if (!weights) return weights.error();

  const bool int8 = *precision == Precision::int8;
  const std::filesystem::path kept = folder->weights.string() + ".sosie-int8";
  const auto state = state_of(folder->weights);
  std::optional<PackedWeights> packed;
  if (int8 && state) packed = PackedWeights::open(kept, *state);

  base::Digest content{};
  if (int8) content = packed ? packed->weights() : base::sha256(weights->bytes());
  // Bits of int8 vectors changed once: they became the same on every CPU.
  std::string fingerprint = int8 ? fingerprint_of("sosie local encoder 2", base::to_hex(content), *folder, *precision, options.prefix)
                                 : fingerprint_of(kFirstVersion, weights->bytes(), *folder, *precision, options.prefix);

  auto bert = Bert::load({folder->config, folder->pooling, arithmetic_of(*precision), folder->window}, std::move(*weights),
                         packed ? &*packed : nullptr, kernels());
  if (!bert) return bert.error();
  // Where the folder cannot be written, the next opening packs again: that takes longer and does no harm.
  if (int8 && !packed && state) {
    const auto after = state_of(folder->weights);
    if (after && *after == *state) (void)PackedWeights::write(kept, *state, content, (*bert)->packed());
  }
  auto impl = std::make_unique<Impl>(std::move(*folder), std::move(*bert), *precision, options.prefix, std::move(fingerprint), options.threads - 1);
  std::shared_ptr<LocalEncoder> encoder(new LocalEncoder(std::move(impl)));
  // oneDNN sets itself up in its first run, and crashes where it finds no memory then. Now there is some. What fails here fails again.
  const std::string_view any[] = {"a"};
  (void)encoder->embed(any);
  return encoder;
}

std::size_t LocalEncoder::dimension() const noexcept { return impl_->bert->dimension(); }
std::string_view LocalEncoder::fingerprint() const noexcept { return impl_->fingerprint; }

std::vector<std::string> LocalEncoder::replaces() const {
  if (impl_->precision != Precision::int8 || !impl_->prefix.empty()) return {};  // Nothing was prefixed then.
  const auto weights = Safetensors::open(impl_->folder.weights);
  if (!weights) return {};
  return {fingerprint_of(kFirstVersion, weights->bytes(), impl_->folder, Precision::int8, {})};
}

std::size_t LocalEncoder::max_tokens() const noexcept { return impl_->folder.window; }
Precision LocalEncoder::precision() const noexcept { return impl_->precision; }
std::string_view LocalEncoder::model_name() const noexcept { return impl_->folder.name; }
const std::string& LocalEncoder::precision_name() const noexcept { return name_of(impl_->precision); }
std::string_view LocalEncoder::kernel_name() const noexcept { return to_string(kernels().isa); }

std::string LocalEncoder::unseen(std::string_view text) const { return tokenize(text).unseen; }

text::Tokens LocalEncoder::tokenize(std::string_view text) const {
  const auto& [tokenizer, window] = std::tie(impl_->folder.tokenizer, impl_->folder.window);
  if (impl_->prefix.empty()) return tokenizer.tokenize(text, window);
  return tokenizer.tokenize(impl_->prefix + std::string(text), window);
}

Result<std::vector<Embedding>> LocalEncoder::embed(std::span<const std::string_view> texts) const {
  std::vector<Embedding> out(texts.size());
  std::vector<text::Tokens> tokens(texts.size());
  impl_->threads.for_each(texts.size(), [&](std::size_t i) {
    tokens[i] = tokenize(texts[i]);
    out[i].tokens = tokens[i].ids.size();
    out[i].truncated = tokens[i].truncated;
    out[i].unseen = std::move(tokens[i].unseen);
  });
  const std::vector<std::size_t> ends = impl_->parts(tokens);
  std::mutex mutex;
  std::optional<Error> error;
  impl_->threads.for_each(ends.size(), [&](std::size_t i) {
    auto done = impl_->encode(tokens, i == 0 ? 0 : ends[i - 1], ends[i], out);
    if (done) return;
    const std::lock_guard lock(mutex);
    if (!error) error = done.error();
  });
  if (error) return *error;
  return out;
}

}  // namespace sosie::embed

namespace sosie {

Result<std::shared_ptr<Embedder>> open_local_encoder(LocalEncoderOptions options) {
  auto encoder = embed::LocalEncoder::open(options);
  if (!encoder) return encoder.error();
  return std::shared_ptr<Embedder>(std::move(*encoder));
}

}  // namespace sosie
