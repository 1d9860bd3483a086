#include "gateway/reembedding.h"

#include <string>

#include "base/log.h"

namespace sosie::gateway {
namespace {

// The texts of a step: so few that a lookup never waits long behind it.
constexpr std::size_t kTexts = 16;
constexpr std::chrono::seconds kBetweenWords{60};

/// "12,000 entries"
std::string entries(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text + (count == 1 ? " entry" : " entries");
}

}  // namespace

void Reembedding::start() {
  Phase idle = Phase::idle;
  if (!phase_.compare_exchange_strong(idle, Phase::under_way)) return;
  if (!state_.writers.submit([this] { make_list(); }, net::Urgency::bulk)) phase_ = Phase::idle;
}

void Reembedding::make_list() {
  if (state_.draining.load()) return;
  const auto found = state_.cache->reembed(0);
  if (!found) return give_up(found.error());
  if (found->left == 0) {
    phase_ = Phase::done;
    return;
  }
  next();
}

void Reembedding::next() {
  if (!state_.encoders.submit([this] { step(); }, net::Urgency::bulk)) phase_ = Phase::idle;
}

void Reembedding::step() {
  if (state_.draining.load()) return;
  const auto done = state_.cache->reembed(kTexts);
  if (!done) return give_up(done.error());
  const auto now = std::chrono::steady_clock::now();
  // Entries that are only looked at are nobody's news.
  if (done->moved > 0 && !has_begun_) {
    has_begun_ = true;
    told_ = now;
    base::log_info("embedding " + entries(done->moved + done->left) + " anew: the encoder changed");
  } else if (done->moved > 0 && done->left > 0 && now - told_ >= kBetweenWords) {
    told_ = now;
    base::log_info(entries(done->moved) + " embedded anew, " + entries(done->left) + " left");
  }
  if (done->left > 0) return next();
  if (done->moved > 0) base::log_info(entries(done->moved) + " embedded anew, none left");
  phase_ = Phase::done;
}

void Reembedding::give_up(const Error& error) {
  base::log_warning("entries of a former encoder are not embedded anew yet, which is tried again in a minute: " + error.message);
  phase_ = Phase::idle;
}

}  // namespace sosie::gateway
