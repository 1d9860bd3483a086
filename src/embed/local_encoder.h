// local_encoder.h: the encoder that runs in this process.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sosie/embedder.h"
#include "sosie/result.h"
#include "text/tokens.h"

namespace sosie::embed {

/// A sentence encoder of the BERT family: BERT and XLM-R. Thread-safety: every method may be called concurrently.
class LocalEncoder final : public Embedder {
 public:
  /// See `open_local_encoder`.
  static Result<std::shared_ptr<LocalEncoder>> open(const LocalEncoderOptions& options);
  ~LocalEncoder() override;

  std::size_t dimension() const noexcept override;
  std::string_view fingerprint() const noexcept override;
  std::vector<std::string> replaces() const override;
  std::size_t max_tokens() const noexcept override;
  std::string unseen(std::string_view text) const override;
  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override;

  /// The tokens that `embed` computes with.
  text::Tokens tokenize(std::string_view text) const;

  Precision precision() const noexcept;             ///< Never automatic.
  std::string_view model_name() const noexcept;     ///< The folder's name.
  const std::string& precision_name() const noexcept;  ///< "f32", "bf16" or "int8".
  std::string_view kernel_name() const noexcept;    ///< The instruction set of its code; oneDNN, in f32 and bf16, chooses its own.

 private:
  struct Impl;
  explicit LocalEncoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::embed
