// tiny_model.h: for tests, a BERT small enough to write in a moment and of awkward sizes.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace sosie::embed {

/// A folder of its own that goes away with it.
class TinyModel {
 public:
  TinyModel() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sosie_tiny_XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directory(folder_ / "1_Pooling");
    write("config.json", R"({"model_type":"bert","hidden_size":40,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":72,
      "max_position_embeddings":48,"vocab_size":30,"type_vocab_size":2,"layer_norm_eps":1e-12,"hidden_act":"gelu"})");
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n";
    for (char c = 'a'; c <= 'z'; ++c) vocabulary += std::string(1, c) + "\n";
    write("vocab.txt", vocabulary);
    write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens":true})");
    write("model.safetensors", weights(0));
  }
  ~TinyModel() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TinyModel(const TinyModel&) = delete;
  TinyModel& operator=(const TinyModel&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

  void write(const std::string& name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
  }
  void remove(const std::string& name) const { std::filesystem::remove(folder_ / name); }
  std::string read(const std::string& name) const {
    std::ifstream in(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  /// A safetensors file of F32 tensors; equal seeds give equal bytes. `bloat` spaces lengthen the header.
  static std::string weights(unsigned seed, std::size_t bloat = 0) {
    constexpr std::size_t kHidden = 40, kUp = 72;
    std::vector<std::pair<std::string, std::vector<std::size_t>>> tensors = {{"embeddings.word_embeddings.weight", {30, kHidden}},
                                                                             {"embeddings.position_embeddings.weight", {48, kHidden}},
                                                                             {"embeddings.token_type_embeddings.weight", {2, kHidden}}};
    const auto norm = [&](const std::string& name) {
      tensors.push_back({name + ".weight", {kHidden}});
      tensors.push_back({name + ".bias", {kHidden}});
    };
    const auto linear = [&](const std::string& name, std::size_t out, std::size_t in) {
      tensors.push_back({name + ".weight", {out, in}});
      tensors.push_back({name + ".bias", {out}});
    };
    norm("embeddings.LayerNorm");
    for (const std::string layer : {"encoder.layer.0.", "encoder.layer.1."}) {
      for (const char* part : {"query", "key", "value"}) linear(layer + "attention.self." + part, kHidden, kHidden);
      linear(layer + "attention.output.dense", kHidden, kHidden);
      norm(layer + "attention.output.LayerNorm");
      linear(layer + "intermediate.dense", kUp, kHidden);
      linear(layer + "output.dense", kHidden, kUp);
      norm(layer + "output.LayerNorm");
    }
    std::mt19937 random(seed);
    std::string header = "{", data;
    for (const auto& [name, shape] : tensors) {
      std::size_t count = 1;
      std::string dimensions;
      for (const std::size_t d : shape) {
        count *= d;
        dimensions += (dimensions.empty() ? "" : ",") + std::to_string(d);
      }
      header += (header.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"F32\",\"shape\":[" + dimensions + "],\"data_offsets\":[" +
                std::to_string(data.size()) + "," + std::to_string(data.size() + 4 * count) + "]}";
      for (std::size_t i = 0; i < count; ++i) {
        const float unit = static_cast<float>(random() % 2001) / 1000.0F - 1.0F;
        const float value = name.ends_with("LayerNorm.weight") ? 1.0F + 0.2F * unit : 0.3F * unit;
        data.append(reinterpret_cast<const char*>(&value), sizeof value);
      }
    }
    header += "}" + std::string(bloat, ' ');
    while (header.size() % 8 != 0) header += ' ';
    const std::uint64_t length = header.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header + data;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace sosie::embed
