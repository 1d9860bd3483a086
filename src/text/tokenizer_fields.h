// tokenizer_fields.h: what tokenizer.json says of a tokenizer of any kind. Errors name file and field.
//
// Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/result.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

namespace sosie::text {

inline constexpr std::int64_t kMaxTokenId = (std::int64_t{1} << 24) - 1;

/// The field "type" of the object that stands in `field`; "null" without one.
Result<std::string> type_of(const nlohmann::json& object, const char* field, std::string_view file);

struct AddedToken {
  std::string content;  ///< Not empty.
  std::int32_t id = 0;
  bool strips_left = false, strips_right = false, normalized = false;
};
Result<std::vector<AddedToken>> read_added_tokens(const nlohmann::json& root, std::string_view file);

/// The ids that stand before and behind a text: post_processor, in its three spellings.
struct EndIds {
  std::int32_t opening = 0, closing = 0;
};
/// `id_of`: a token's id, where it has one.
using IdOf = std::function<std::optional<std::int32_t>(std::string_view)>;
Result<EndIds> read_ends(const nlohmann::json& root, const IdOf& id_of, std::string_view file);

/// tokenizer.json of model type WordPiece.
Result<WordPieceSpec> read_wordpiece(const nlohmann::json& root, std::string_view file);

/// tokenizer.json of model type Unigram.
Result<UnigramSpec> read_unigram(const nlohmann::json& root, std::string_view file);

}  // namespace sosie::text
