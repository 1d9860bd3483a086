#include "text/tokenizer.h"

namespace sosie::text {
namespace {

Result<WordPiece> make(WordPieceSpec spec) { return WordPiece::create(std::move(spec)); }
Result<Unigram> make(UnigramSpec spec) { return Unigram::create(std::move(spec)); }

}  // namespace

Result<Tokenizer> Tokenizer::create(TokenizerSpec spec) {
  return std::visit(
      [](auto&& of_a_kind) -> Result<Tokenizer> {
        auto made = make(std::move(of_a_kind));
        if (!made) return made.error();
        return Tokenizer(std::move(*made));
      },
      std::move(spec));
}

Tokens Tokenizer::tokenize(std::string_view text, std::size_t max_tokens) const {
  return std::visit([&](const auto& kind) { return kind.tokenize(text, max_tokens); }, kind_);
}
std::int32_t Tokenizer::max_id() const noexcept {
  return std::visit([](const auto& kind) { return kind.max_id(); }, kind_);
}
bool Tokenizer::lowercases() const noexcept {
  return std::visit([](const auto& kind) { return kind.lowercases(); }, kind_);
}

}  // namespace sosie::text
