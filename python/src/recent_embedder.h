// recent_embedder.h: an answer is stored with the embedding that its question was looked up with.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sosie/embedder.h"

namespace sosie::python {

/// Another embedder's embeddings; those of the last few texts are kept, so that a text is embedded once for looking it
/// up and for storing its answer. Thread-safety: as every Embedder.
class RecentEmbedder final : public Embedder {
 public:
  explicit RecentEmbedder(std::shared_ptr<const Embedder> inner) : inner_(std::move(inner)) {}

  std::size_t dimension() const noexcept override { return inner_->dimension(); }
  std::string_view fingerprint() const noexcept override { return inner_->fingerprint(); }
  std::vector<std::string> replaces() const override { return inner_->replaces(); }
  std::size_t max_tokens() const noexcept override { return inner_->max_tokens(); }
  std::string unseen(std::string_view text) const override { return inner_->unseen(text); }

  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
    if (texts.size() == 1) {
      if (auto known = find(texts[0])) return std::vector<Embedding>{*known};
    }
    auto embedded = inner_->embed(texts);
    if (!embedded) return embedded;
    embedded_ += texts.size();
    for (std::size_t i = 0; i < texts.size(); ++i) keep(texts[i], (*embedded)[i]);
    return embedded;
  }

  /// Texts embedded by the inner one.
  std::uint64_t embedded() const noexcept { return embedded_; }

 private:
  using Known = std::shared_ptr<const Embedding>;
  static constexpr std::size_t kMostTexts = 512;
  static constexpr std::size_t kLongestText = 64 * 1024;

  Known find(std::string_view text) const {
    const std::lock_guard lock(mutex_);
    const auto at = by_text_.find(text);
    return at == by_text_.end() ? nullptr : at->second->second;
  }

  void keep(std::string_view text, const Embedding& embedding) const {
    if (text.size() > kLongestText) return;
    const std::lock_guard lock(mutex_);
    if (by_text_.contains(text)) return;
    recent_.emplace_front(std::string(text), std::make_shared<const Embedding>(embedding));
    by_text_.emplace(recent_.front().first, recent_.begin());
    if (recent_.size() <= kMostTexts) return;
    by_text_.erase(recent_.back().first);
    recent_.pop_back();
  }

  const std::shared_ptr<const Embedder> inner_;
  mutable std::atomic<std::uint64_t> embedded_{0};
  mutable std::mutex mutex_;
  mutable std::list<std::pair<std::string, Known>> recent_;  // newest first
  mutable std::unordered_map<std::string_view, std::list<std::pair<std::string, Known>>::iterator> by_text_;
};

}  // namespace sosie::python
