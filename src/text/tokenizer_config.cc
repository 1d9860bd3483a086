// tokenizer.json of any kind, and the parts of it that all kinds have.
#include "text/json_fields.h"
#include "text/model_config.h"
#include "text/tokenizer_fields.h"

namespace sosie::text {

using nlohmann::json;

Result<std::string> type_of(const json& object, const char* field, std::string_view file) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return std::string("null");
  if (!found->is_object()) return corrupt(file, field, "is not an object");
  return string_field(*found, "type", "null", file);
}

Result<std::vector<AddedToken>> read_added_tokens(const json& root, std::string_view file) {
  std::vector<AddedToken> tokens;
  const auto added = root.find("added_tokens");
  if (added == root.end() || added->is_null()) return tokens;
  if (!added->is_array()) return corrupt(file, "added_tokens", "is not an array");
  for (const json& token : *added) {
    if (!token.is_object()) return corrupt(file, "added_tokens", "has an element that is not an object");
    auto content = string_field(token, "content", "", file);
    if (!content) return content.error();
    if (content->empty()) return corrupt(file, "added_tokens.content", "is empty");
    auto id = integer_field(token, "id", 0, kMaxTokenId, {}, file);
    if (!id) return id.error();
    AddedToken& read = tokens.emplace_back(AddedToken{*content, static_cast<std::int32_t>(*id)});
    bool single_word = false;
    const struct {
      const char* field;
      bool* value;
    } flags[] = {{"lstrip", &read.strips_left}, {"rstrip", &read.strips_right}, {"normalized", &read.normalized}, {"single_word", &single_word}};
    for (const auto& flag : flags) {
      auto set = bool_field(token, flag.field, false, file);
      if (!set) return set.error();
      *flag.value = *set;
    }
    if (single_word) return unsupported(file, "added_tokens.single_word", "is true for " + shown(json(*content)));
  }
  return tokens;
}

Result<EndIds> read_ends(const json& root, const IdOf& id_of, std::string_view file) {
  auto type = type_of(root, "post_processor", file);
  if (!type) return type.error();
  const std::string_view field = "post_processor";
  std::string opening, closing;
  if (*type == "TemplateProcessing") {
    const auto& processor = root["post_processor"];
    const auto single = processor.find("single");
    if (single == processor.end() || !single->is_array() || single->size() != 3) {
      return unsupported(file, field, "does not put one special token before and one behind a text");
    }
    const auto special = [](const json& item) -> std::string {
      if (!item.is_object() || !item.contains("SpecialToken") || !item["SpecialToken"].is_object()) return {};
      return item["SpecialToken"].value("id", json()).is_string() ? item["SpecialToken"]["id"].get<std::string>() : std::string();
    };
    opening = special((*single)[0]);
    closing = special((*single)[2]);
    if (!(*single)[1].is_object() || !(*single)[1].contains("Sequence")) opening.clear();
  } else if (*type == "BertProcessing" || *type == "RobertaProcessing") {
    const auto name = [&](const char* key) -> std::string {
      const auto& processor = root["post_processor"];
      const auto found = processor.find(key);
      if (found == processor.end() || !found->is_array() || found->empty() || !(*found)[0].is_string()) return {};
      return (*found)[0].get<std::string>();
    };
    opening = name("cls");
    closing = name("sep");
  } else {
    return unsupported(file, "post_processor.type", "is \"" + *type + "\"; TemplateProcessing, BertProcessing and RobertaProcessing are known");
  }
  const auto opening_id = id_of(opening);
  const auto closing_id = id_of(closing);
  if (!opening_id || !closing_id) return corrupt(file, field, "names a special token without an id");
  return EndIds{*opening_id, *closing_id};
}

Result<TokenizerSpec> parse_tokenizer(std::string_view text, std::string_view file) {
  auto root = parse_object(text, file);
  if (!root) return root.error();
  auto type = type_of(*root, "model", file);
  if (!type) return type.error();
  // Old files leave it out; a vocabulary with scores is Unigram's.
  if (*type == "null" && root->contains("model") && (*root)["model"].contains("vocab") && (*root)["model"]["vocab"].is_array()) *type = "Unigram";
  if (*type == "WordPiece") {
    auto spec = read_wordpiece(*root, file);
    if (!spec) return spec.error();
    return TokenizerSpec(std::move(*spec));
  }
  if (*type == "Unigram") {
    auto spec = read_unigram(*root, file);
    if (!spec) return spec.error();
    return TokenizerSpec(std::move(*spec));
  }
  return unsupported(file, "model.type", "is \"" + *type + "\"; WordPiece and Unigram are known");
}

}  // namespace sosie::text
