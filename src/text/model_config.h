// model_config.h: reads the files of a sentence encoder's folder. Bytes in, plain values out; any bytes are survived.
//
// Every function takes the file's content and the name by which errors call it. Errors: data_corruption (not what the
// file promises to be) and unsupported (another kind of model), both naming file and field.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/result.h"
#include "text/tokenizer.h"

namespace sosie::text {

enum class Activation {
  gelu,       ///< With the error function.
  gelu_tanh,  ///< The tanh approximation (gelu_new, gelu_pytorch_tanh).
  relu,
};

/// config.json of a BERT or XLM-R model. Every count is at least 1; heads divides hidden.
struct BertConfig {
  std::size_t hidden = 0, layers = 0, heads = 0, intermediate = 0;
  std::size_t positions = 0;       ///< Rows of the position embeddings.
  std::size_t first_position = 0;  ///< The row of a text's first token; at least 3 follow.
  std::size_t vocabulary = 0, types = 0;
  float epsilon = 1e-12F;
  Activation activation = Activation::gelu;
};
Result<BertConfig> parse_bert_config(std::string_view json, std::string_view file);

enum class Pooling { mean, cls };
/// 1_Pooling/config.json.
Result<Pooling> parse_pooling(std::string_view json, std::string_view file);

/// modules.json: only Transformer, Pooling, Normalize can follow each other here.
Result<void> check_modules(std::string_view json, std::string_view file);

/// sentence_bert_config.json.
struct SentenceConfig {
  std::optional<std::size_t> window;  ///< max_seq_length.
  bool lowercases = false;            ///< Texts are put in lower case before the tokenizer sees them.
};
Result<SentenceConfig> parse_sentence_config(std::string_view json, std::string_view file);

/// tokenizer_config.json: model_max_length, where given and not absurd.
Result<std::optional<std::size_t>> parse_tokenizer_window(std::string_view json, std::string_view file);

/// tokenizer.json of type WordPiece or Unigram. Its padding and truncation are ignored.
Result<TokenizerSpec> parse_tokenizer(std::string_view json, std::string_view file);

/// vocab.txt (a token a line), and what tokenizer_config.json adds to it (empty: nothing).
Result<WordPieceSpec> parse_vocabulary(std::string_view lines, std::string_view file, std::string_view config_json,
                                       std::string_view config_file);

enum class TensorType { f32, f16, bf16, other };
struct TensorEntry {
  std::string name;
  TensorType type = TensorType::other;
  std::vector<std::size_t> shape;
  std::size_t begin = 0, end = 0;  ///< Bytes in the data part; end - begin is what the shape needs.
};
/// Header of a safetensors file whose data part has `data_bytes` bytes. No tensor leaves the data or overlaps another.
Result<std::vector<TensorEntry>> parse_safetensors_header(std::string_view json, std::size_t data_bytes, std::string_view file);

/// Longest header that is read.
inline constexpr std::size_t kMaxSafetensorsHeader = std::size_t{16} << 20;

}  // namespace sosie::text
