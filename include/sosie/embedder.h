// embedder.h: from text to a unit vector.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/result.h"

namespace sosie {

/// One text's vector, and what the vector does not know of the text.
struct Embedding {
  std::vector<float> vector;  ///< `dimension()` floats, Euclidean length 1.
  std::size_t tokens = 0;     ///< Tokens encoded, special tokens included.
  bool truncated = false;     ///< The text is longer than the encoder's window.

  /// The parts of the text that left no trace in the vector, in order: what lies beyond the window, words that the
  /// vocabulary does not know, accents, the case and indentation of code. Empty for most texts. Two texts whose `unseen`
  /// differ must not be matched by meaning.
  std::string unseen;
};

/// Turns texts into vectors. A pure function of each text: neither its neighbours in a batch nor the number of threads
/// changes a vector (beyond 1e-6 in the floating-point precisions, not at all in int8, where the CPU does not either).
///
/// Thread-safety: every method may be called concurrently.
class Embedder {
 public:
  virtual ~Embedder() = default;

  /// Floats in a vector.
  virtual std::size_t dimension() const noexcept = 0;

  /// Identifies the vector space: equal only where vectors may be compared (weights, vocabulary, pooling, precision).
  virtual std::string_view fingerprint() const noexcept = 0;

  /// Fingerprints of vector spaces that this one takes the place of, so that a shared cache brings their entries into this one
  /// (`SemanticCache::reembed`). Not of those that others may still want to use beside it. Cost: may read the model's files.
  virtual std::vector<std::string> replaces() const { return {}; }

  /// `Embedding::unseen` of a text, without computing its vector. An embedder that never cuts nor drops has nothing unseen.
  virtual std::string unseen(std::string_view) const { return {}; }

  /// Tokens of the window, special tokens included. 0: none is known.
  virtual std::size_t max_tokens() const noexcept = 0;

  /// Whether a text has kLongBytes or more for each token of the window: a cache finds it by its very same text only. A vector stands for
  /// little of it, and what it does not stand for costs more to read than an answer by meaning is worth. `embed` and `unseen` take such texts, too.
  bool is_too_long(std::string_view text) const noexcept { return max_tokens() != 0 && text.size() / kLongBytes >= max_tokens(); }
  static constexpr std::size_t kLongBytes = 64;

  /// Embeds every text; the result has one element a text, in order. Invalid UTF-8 is read as U+FFFD.
  ///
  /// Cost: blocks the caller with CPU work; quadratic in the tokens of a text, linear in texts.
  /// Errors: what the implementation's peer can fail with; the local encoder fails on nothing but memory.
  virtual Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const = 0;
};

/// Arithmetic of the local encoder.
enum class Precision {
  automatic,  ///< int8.
  f32,        ///< The reference.
  bf16,       ///< Needs AVX-512; fast with AVX512_BF16.
  int8,       ///< Per-token activations, per-channel weights: the same bits on every CPU, so that vectors may move between them.
};

struct LocalEncoderOptions {
  /// Folder with config.json, model.safetensors, and vocab.txt or tokenizer.json (WordPiece, or SentencePiece's Unigram): any sentence
  /// encoder of type BERT or XLM-R with mean or CLS pooling. Empty: the default model, all-MiniLM-L6-v2, where `script/bootstrap` puts it
  /// ($SOSIE_MODEL_DIR, else $XDG_CACHE_HOME/sosie/models/all-MiniLM-L6-v2, else ~/.cache/sosie/models/all-MiniLM-L6-v2).
  std::filesystem::path model;
  Precision precision = Precision::automatic;
  std::size_t threads = 1;  ///< Threads that share one `embed` call, the caller's included.
  std::string prefix = {};  ///< Put before every text, as some models want it ("query: " for e5). Part of the vector space.
};

/// Opens an encoder that runs in this process; weights are memory-mapped for its lifetime. In int8 it keeps them packed beside the
/// model (docs/architecture.md), where it may write.
///
/// Errors: not_found (names the missing file), data_corruption (names file and field), unsupported (names the file and
/// the field: another model family, or a precision this CPU cannot do), invalid_argument (threads == 0).
Result<std::shared_ptr<Embedder>> open_local_encoder(LocalEncoderOptions options = {});

/// A model behind an endpoint with OpenAI's API (POST {url}/embeddings): OpenAI, Ollama, vLLM, another sosie.
struct RemoteEmbedderOptions {
  std::string url;      ///< e.g. http://127.0.0.1:11434/v1. Empty: $OPENAI_BASE_URL, else https://api.openai.com/v1.
  std::string model;    ///< As the endpoint calls it.
  std::string api_key;  ///< Sent as a bearer token; never logged. Empty: $OPENAI_API_KEY where `url` is empty or OpenAI's, else none.
  std::chrono::milliseconds timeout{5'000};  ///< Of a call.
  std::size_t dimension = 0;    ///< Floats in its vectors. 0: known by the model's name, else the endpoint is asked at once.
  std::size_t max_tokens = 0;   ///< The model's window, never more than it really is: what lies beyond must be equal in two texts that are to
                                ///< match by meaning. 0: OpenAI's models' 8191, else 256. Counted in bytes, for no token is shorter.
  std::string prefix = {};           ///< See `LocalEncoderOptions::prefix`.
  std::size_t max_connections = 32;  ///< Calls at a time.
};

/// Opens an embedder whose calls wait for that endpoint; after one that failed, calls fail at once for a while. Its vectors are of length 1,
/// and of a vector space of their own for each URL, model, dimension and window.
///
/// Errors: invalid_argument (the options); where the endpoint has to be asked: permission_denied, resource_exhausted, deadline_exceeded,
/// unavailable. No text or key is part of an error.
Result<std::shared_ptr<Embedder>> open_remote_embedder(const RemoteEmbedderOptions& options);

}  // namespace sosie
