#include "embed/model_folder.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "embed/mapped_file.h"

namespace sosie::embed {
namespace {

constexpr std::size_t kMaxConfig = std::size_t{1} << 20;
constexpr std::size_t kMaxTokenizer = std::size_t{64} << 20;

// A file that may be absent.
Result<std::optional<std::string>> read_optional(const std::filesystem::path& path, std::size_t limit) {
  auto content = read_file(path, limit);
  if (content) return std::optional<std::string>(std::move(*content));
  if (content.error().code == ErrorCode::not_found) return std::optional<std::string>();
  return content.error();
}

struct Tokenizer {
  text::TokenizerSpec spec;
  std::string content;  // What it was read from.
};

Result<Tokenizer> read_tokenizer(const std::filesystem::path& folder, const std::string& tokenizer_config) {
  auto json = read_optional(folder / "tokenizer.json", kMaxTokenizer);
  if (!json) return json.error();
  if (*json) {
    auto spec = text::parse_tokenizer(**json, "tokenizer.json");
    if (!spec) return spec.error();
    return Tokenizer{std::move(*spec), std::move(**json)};
  }
  auto lines = read_optional(folder / "vocab.txt", kMaxTokenizer);
  if (!lines) return lines.error();
  if (!*lines) return Error{ErrorCode::not_found, folder.string() + ": has neither tokenizer.json nor vocab.txt"};
  auto spec = text::parse_vocabulary(**lines, "vocab.txt", tokenizer_config, "tokenizer_config.json");
  if (!spec) return spec.error();
  return Tokenizer{std::move(*spec), **lines + '\0' + tokenizer_config};
}

// The encoder's window: what sentence-transformers would take.
Result<std::size_t> read_window(const std::filesystem::path& folder, const std::string& tokenizer_config, const text::BertConfig& config,
                                bool lowercases) {
  const std::size_t window = config.positions - config.first_position;
  auto sentence = read_optional(folder / "sentence_bert_config.json", kMaxConfig);
  if (!sentence) return sentence.error();
  std::optional<std::size_t> given;
  if (*sentence) {
    auto parsed = text::parse_sentence_config(**sentence, "sentence_bert_config.json");
    if (!parsed) return parsed.error();
    if (parsed->lowercases && !lowercases) {
      return Error{ErrorCode::unsupported, "sentence_bert_config.json: do_lower_case is true, and the tokenizer keeps the case"};
    }
    given = parsed->window;
  }
  if (!given && !tokenizer_config.empty()) {
    auto parsed = text::parse_tokenizer_window(tokenizer_config, "tokenizer_config.json");
    if (!parsed) return parsed.error();
    given = *parsed;
  }
  return given ? std::min(window, *given) : window;
}

Result<text::Pooling> read_pooling(const std::filesystem::path& folder) {
  auto modules = read_optional(folder / "modules.json", kMaxConfig);
  if (!modules) return modules.error();
  if (*modules) {
    auto fit = text::check_modules(**modules, "modules.json");
    if (!fit) return fit.error();
  }
  auto json = read_optional(folder / "1_Pooling" / "config.json", kMaxConfig);
  if (!json) return json.error();
  if (!*json) return text::Pooling::mean;
  return text::parse_pooling(**json, "1_Pooling/config.json");
}

}  // namespace

Result<std::filesystem::path> resolve_model_folder(const std::filesystem::path& folder) {
  if (!folder.empty()) return folder;
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const auto given = variable("SOSIE_MODEL_DIR"); !given.empty()) return std::filesystem::path(given);
  const std::filesystem::path tail = std::filesystem::path("sosie") / "models" / "all-MiniLM-L6-v2";
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache / tail;
  if (const auto home = variable("HOME"); !home.empty()) return std::filesystem::path(home) / ".cache" / tail;
  return Error{ErrorCode::not_found, "no model folder: set SOSIE_MODEL_DIR, or HOME and run script/bootstrap"};
}

Result<ModelFolder> read_model_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    return Error{ErrorCode::not_found, folder.string() + ": there is no model folder: run script/bootstrap to fetch the default model"};
  }
  auto config_json = read_file(folder / "config.json", kMaxConfig);
  if (!config_json) return config_json.error();
  auto config = text::parse_bert_config(*config_json, "config.json");
  if (!config) return config.error();
  auto tokenizer_config = read_optional(folder / "tokenizer_config.json", kMaxConfig);
  if (!tokenizer_config) return tokenizer_config.error();
  const std::string tokenizer_json = tokenizer_config->value_or("");
  auto tokenizer = read_tokenizer(folder, tokenizer_json);
  if (!tokenizer) return tokenizer.error();
  auto pieces = text::Tokenizer::create(std::move(tokenizer->spec));
  if (!pieces) return Error{ErrorCode::data_corruption, "tokenizer.json: " + pieces.error().message};
  auto window = read_window(folder, tokenizer_json, *config, pieces->lowercases());
  if (!window) return window.error();
  auto pooling = read_pooling(folder);
  if (!pooling) return pooling.error();
  if (static_cast<std::size_t>(pieces->max_id()) >= config->vocabulary) {
    return Error{ErrorCode::data_corruption, "config.json: vocab_size is smaller than the tokenizer's largest id"};
  }
  auto absolute = std::filesystem::absolute(folder, ignored).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  return ModelFolder{absolute.filename().string(), *config, *pooling, std::move(*pieces), *window, folder / "model.safetensors",
                     std::move(*config_json) + '\0' + std::move(tokenizer->content)};
}

}  // namespace sosie::embed
