// embeddings_json.h: what goes to POST /embeddings, and what comes back.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/result.h"

namespace sosie::text {

/// Floats in a vector: more is no embedding.
inline constexpr std::size_t kMaxDimension = 32'768;

/// {"model":…,"input":[…],"encoding_format":"float"}, and with a `metadata` (a JSON object; empty: none)
/// "metadata":{…,"semantic-cache-embedding":true}, by which a LiteLLM proxy knows such calls. Bytes of the texts that are
/// not UTF-8 become U+FFFD. Errors: invalid_argument (the metadata is not a JSON object).
Result<std::string> write_embeddings_request(std::string_view model, std::span<const std::string> texts,
                                             std::string_view metadata);

/// One vector a text, in the order of the texts: numbers, or the base64 of little-endian float32.
/// Errors: unavailable (anything but `count` vectors of one length, of finite numbers that are not all 0); never quotes the
/// body, which may come from anyone.
Result<std::vector<std::vector<float>>> read_embeddings_answer(std::string_view body, std::size_t count);

}  // namespace sosie::text
