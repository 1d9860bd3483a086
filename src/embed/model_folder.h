// model_folder.h: a sentence encoder's folder, read and checked, its weights aside.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "sosie/result.h"
#include "text/model_config.h"
#include "text/tokenizer.h"

namespace sosie::embed {

struct ModelFolder {
  std::string name;  ///< The folder's.
  text::BertConfig config;
  text::Pooling pooling = text::Pooling::mean;
  text::Tokenizer tokenizer;
  std::size_t window = 0;            ///< Tokens, special ones included.
  std::filesystem::path weights;     ///< model.safetensors.
  std::string fingerprint_material;  ///< The bytes that decide ids and pooling.
};

/// `folder`, or where the default model lies if it is empty. Errors: not_found (there is no home folder to look in).
Result<std::filesystem::path> resolve_model_folder(const std::filesystem::path& folder);

/// Errors: not_found (names the file), data_corruption and unsupported (name file and field).
Result<ModelFolder> read_model_folder(const std::filesystem::path& folder);

}  // namespace sosie::embed
