// WordPiece in tokenizer.json, vocab.txt and tokenizer_config.json.
#include <algorithm>
#include <unordered_map>

#include "text/json_fields.h"
#include "text/model_config.h"
#include "text/tokenizer_fields.h"

namespace sosie::text {
namespace {

using nlohmann::json;

Result<void> read_normalizer(const json& root, WordPieceSpec& spec, std::string_view file) {
  auto type = type_of(root, "normalizer", file);
  if (!type) return type.error();
  if (*type != "BertNormalizer") return unsupported(file, "normalizer.type", "is \"" + *type + "\"; BertNormalizer is known");
  const json& normalizer = root["normalizer"];
  auto clean = bool_field(normalizer, "clean_text", true, file);
  auto chinese = bool_field(normalizer, "handle_chinese_chars", true, file);
  auto lower = bool_field(normalizer, "lowercase", true, file);
  if (!clean) return clean.error();
  if (!chinese) return chinese.error();
  if (!lower) return lower.error();
  auto strip = bool_field(normalizer, "strip_accents", *lower, file);
  if (!strip) return strip.error();
  spec.clean_text = *clean;
  spec.split_chinese = *chinese;
  spec.lowercase = *lower;
  spec.strip_accents = *strip;
  return {};
}

}  // namespace

Result<WordPieceSpec> read_wordpiece(const json& root, std::string_view file) {
  const json& model = root["model"];

  WordPieceSpec spec;
  std::unordered_map<std::string, std::int32_t> ids;  // Not a map: the vocabulary has tens of thousands.
  const auto vocabulary = model.find("vocab");
  if (vocabulary == model.end() || !vocabulary->is_object() || vocabulary->empty()) return corrupt(file, "model.vocab", "is missing or empty");
  spec.vocabulary.reserve(vocabulary->size());
  ids.reserve(vocabulary->size());
  for (auto it = vocabulary->begin(); it != vocabulary->end(); ++it) {
    if (!it->is_number_integer() || *it < 0 || *it > kMaxTokenId) return corrupt(file, "model.vocab", "has an id that is out of range");
    spec.vocabulary.emplace_back(it.key(), it->get<std::int32_t>());
    ids.emplace(it.key(), it->get<std::int32_t>());
  }
  auto unknown = string_field(model, "unk_token", "[UNK]", file);
  if (!unknown) return unknown.error();
  const auto unknown_id = ids.find(*unknown);
  if (unknown_id == ids.end()) return corrupt(file, "model.unk_token", "is not in the vocabulary");
  spec.unknown = unknown_id->second;
  auto prefix = string_field(model, "continuing_subword_prefix", "##", file);
  if (!prefix) return prefix.error();
  spec.continuing_prefix = *prefix;
  auto chars = integer_field(model, "max_input_chars_per_word", 1, 1 << 20, 100, file);
  if (!chars) return chars.error();
  spec.max_word_chars = static_cast<std::size_t>(*chars);

  auto splitter = type_of(root, "pre_tokenizer", file);
  if (!splitter) return splitter.error();
  if (*splitter != "BertPreTokenizer") return unsupported(file, "pre_tokenizer.type", "is \"" + *splitter + "\"; BertPreTokenizer is known");
  auto normalizer = read_normalizer(root, spec, file);
  if (!normalizer) return normalizer.error();
  auto added = read_added_tokens(root, file);
  if (!added) return added.error();
  for (const AddedToken& token : *added) {
    if (token.normalized) return unsupported(file, "added_tokens.normalized", "is true for " + shown(json(token.content)));
    spec.added.emplace_back(token.content, token.id);
    ids.insert_or_assign(token.content, token.id);
  }
  auto ends = read_ends(
      root,
      [&](std::string_view name) {
        const auto found = ids.find(std::string(name));
        return found == ids.end() ? std::nullopt : std::optional(found->second);
      },
      file);
  if (!ends) return ends.error();
  spec.cls = ends->opening;
  spec.sep = ends->closing;
  return spec;
}

Result<WordPieceSpec> parse_vocabulary(std::string_view lines, std::string_view file, std::string_view config_json,
                                       std::string_view config_file) {
  WordPieceSpec spec;
  std::unordered_map<std::string_view, std::int32_t> ids;
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    std::string_view line = lines.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto id = static_cast<std::int64_t>(spec.vocabulary.size());
    if (id > kMaxTokenId) return corrupt(file, "", "has too many lines");
    spec.vocabulary.emplace_back(line, static_cast<std::int32_t>(id));
    ids.insert_or_assign(line, static_cast<std::int32_t>(id));
    at = end + 1;
  }
  if (spec.vocabulary.empty()) return corrupt(file, "", "is empty: fetch the file again");

  json config = json::object();
  if (!config_json.empty()) {
    auto parsed = parse_object(config_json, config_file);
    if (!parsed) return parsed.error();
    config = std::move(*parsed);
  }
  auto lower = bool_field(config, "do_lower_case", true, config_file);
  if (!lower) return lower.error();
  auto chinese = bool_field(config, "tokenize_chinese_chars", true, config_file);
  if (!chinese) return chinese.error();
  auto strip = bool_field(config, "strip_accents", *lower, config_file);
  if (!strip) return strip.error();
  spec.lowercase = *lower;
  spec.split_chinese = *chinese;
  spec.strip_accents = *strip;

  const struct {
    const char* field;
    const char* usual;
    std::int32_t* id;
  } special[] = {{"unk_token", "[UNK]", &spec.unknown}, {"cls_token", "[CLS]", &spec.cls}, {"sep_token", "[SEP]", &spec.sep},
                 {"pad_token", "[PAD]", nullptr}, {"mask_token", "[MASK]", nullptr}};
  for (const auto& token : special) {
    const auto found = config.find(token.field);
    std::string name = token.usual;
    if (found != config.end() && found->is_string()) name = found->get<std::string>();
    if (found != config.end() && found->is_object()) {  // {"content": "[UNK]", ...}
      auto content = string_field(*found, "content", token.usual, config_file);
      if (!content) return content.error();
      name = *content;
    }
    const auto id = ids.find(name);
    if (id == ids.end()) {
      if (token.id == nullptr) continue;
      return corrupt(file, "", "lacks the special token " + shown(json(name)));
    }
    if (token.id != nullptr) *token.id = id->second;
    if (!name.empty()) spec.added.emplace_back(name, id->second);
  }
  return spec;
}

}  // namespace sosie::text
