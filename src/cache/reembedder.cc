#include "cache/reembedder.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cache/keys.h"

namespace sosie::cache {
namespace {

// Of the texts of a step, unless it is one text: a lookup may have to wait for the step to end.
constexpr std::size_t kMostBytes = 4 << 10;

}  // namespace

Result<Reembedded> Reembedder::step(std::size_t most, TimePoint now) {
  if (auto made = make_list(now); !made) return std::move(made).error();
  std::vector<Candidate> taken;
  auto done = renew(most, now, taken);
  bool is_last = false;
  {
    const std::lock_guard lock(mutex_);
    under_way_ -= taken.size();
    if (!done) waiting_.insert(waiting_.end(), std::make_move_iterator(taken.begin()), std::make_move_iterator(taken.end()));
    left_ = waiting_.size() + under_way_;
    is_last = left_ == 0;
  }
  if (done && is_last) done = store_.note_encoder(embedder_.fingerprint(), mark_);
  if (!done) return std::move(done).error();
  return progress();
}

Result<void> Reembedder::make_list(TimePoint now) {
  const std::lock_guard making(list_mutex_);
  if (has_list_) return {};
  if (!store_.is_local() && replaced_.empty()) replaced_ = embedder_.replaces();
  std::vector<Candidate> found;
  if (store_.is_local() || !replaced_.empty()) {
    auto mark = store_.scan_places(now, embedder_.fingerprint(), [&](const store::Place& place) {
      // Most texts have nothing unseen: those that are where they should be need not be read.
      if (place.partition != partition_of(place.scope, embedder_.fingerprint(), {})) found.push_back({place.id, place.partition});
    });
    if (!mark) return std::move(mark).error();
    mark_ = *mark;
  }
  // From now on another encoder's mark is not true any more.
  if (!found.empty()) {
    if (auto noted = store_.note_encoder(embedder_.fingerprint(), 0); !noted) return noted;
  }
  const std::lock_guard lock(mutex_);
  waiting_ = std::move(found);
  left_ = waiting_.size();
  has_list_ = true;
  return {};
}

std::optional<Reembedder::Candidate> Reembedder::take() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  Candidate last = std::move(waiting_.back());
  waiting_.pop_back();
  ++under_way_;
  return last;
}

bool Reembedder::is_former(std::string_view scope, const base::Digest& place, std::string_view unseen) const {
  if (store_.is_local()) return place != partition_of(scope, embedder_.fingerprint(), unseen);
  return std::any_of(replaced_.begin(), replaced_.end(), [&](const std::string& former) { return place == partition_of(scope, former, unseen); });
}

Result<void> Reembedder::renew(std::size_t most, TimePoint now, std::vector<Candidate>& taken) {
  std::vector<Entry> entries;
  std::vector<store::Move> moves;
  for (std::size_t bytes = 0; taken.size() < most && bytes < kMostBytes;) {
    auto candidate = take();
    if (!candidate) break;
    taken.push_back(*candidate);
    auto entry = store_.get(candidate->id, now);
    if (!entry) return std::move(entry).error();
    // Long ones may have a vector from before they were for their exact text only.
    if (!*entry || (*entry)->exact_only || embedder_.is_too_long((*entry)->prompt)) continue;
    if (!is_former((*entry)->scope, candidate->partition, embedder_.unseen((*entry)->prompt))) continue;
    bytes += (*entry)->prompt.size();
    entries.push_back(std::move(**entry));
    moves.push_back({.id = candidate->id, .from = candidate->partition});
  }
  if (entries.empty()) return {};
  std::vector<std::string_view> prompts;
  for (const Entry& entry : entries) prompts.push_back(entry.prompt);
  auto embedded = embedder_.embed(prompts);
  if (!embedded) return std::move(embedded).error();
  embeddings_ += prompts.size();
  for (std::size_t i = 0; i < moves.size(); ++i) {
    moves[i].to = partition(entries[i].scope, embedder_, (*embedded)[i]);
    moves[i].vector = std::move((*embedded)[i].vector);
  }
  // An embedder may know what it does not see by embedding only.
  std::erase_if(moves, [](const store::Move& move) { return move.from == move.to; });
  auto moved = store_.move(moves);
  if (!moved) return std::move(moved).error();
  moved_ += *moved;
  return {};
}

}  // namespace sosie::cache
