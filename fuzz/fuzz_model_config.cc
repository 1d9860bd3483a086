// Any bytes are a model's files or an error that names the file.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "text/model_config.h"

namespace {

using namespace sosie;

template <class T>
void check(const Result<T>& result) {
  if (!result && result.error().message.find("FILE") != 0) std::abort();
}

template <class Spec>
void tokenize_with(Result<Spec> spec) {
  check(spec);
  if (!spec) return;
  auto pieces = text::Tokenizer::create(std::move(*spec));
  if (!pieces) return;
  const text::Tokens tokens = pieces->tokenize("[CLS] The quick \xFF\u00e9\u4f60 fox", 16);
  for (const std::int32_t id : tokens.ids) {
    if (id < 0 || id > pieces->max_id()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto config = text::parse_bert_config(bytes, "FILE");
  check(config);
  if (config && (config->heads == 0 || config->hidden % config->heads != 0)) std::abort();
  check(text::parse_pooling(bytes, "FILE"));
  check(text::check_modules(bytes, "FILE"));
  check(text::parse_sentence_config(bytes, "FILE"));
  check(text::parse_tokenizer_window(bytes, "FILE"));
  tokenize_with(text::parse_tokenizer(bytes, "FILE"));
  tokenize_with(text::parse_vocabulary("[UNK]\n[CLS]\n[SEP]\nthe\n", "FILE", bytes, "FILE"));
  tokenize_with(text::parse_vocabulary(bytes, "FILE", "", "FILE"));
  return 0;
}
