#include "gateway/lookup/embedding_queue.h"

#include <algorithm>
#include <optional>

#include "base/fenced.h"

namespace sosie::gateway {

bool EmbeddingQueue::submit(Waiting waiting, net::Urgency urgency) {
  const std::lock_guard lock(mutex_);
  Line& line = line_of(urgency);
  if (line.waiting.size() >= max_queued_) return false;
  line.waiting.push_back(std::move(waiting));
  if (line.workers >= threads_) return true;
  if (encoders_.submit([this, urgency] { work(urgency); }, urgency)) {
    ++line.workers;
  } else if (line.workers == 0) {  // Nobody would come for it.
    line.waiting.pop_back();
    return false;
  }
  return true;
}

std::size_t EmbeddingQueue::queued() const {
  const std::lock_guard lock(mutex_);
  return lines_[static_cast<std::size_t>(net::Urgency::normal)].waiting.size();
}

void EmbeddingQueue::work(net::Urgency urgency) {
  do {
    (void)base::fenced([&] { embed_some(urgency); });  // Where there is no memory even for that, who waits sees the deadline pass.
  } while (!goes_on_later(urgency));
}

// Other jobs of the pool, and more urgent ones, have their turn before what has come meanwhile. False: the pool takes none.
bool EmbeddingQueue::goes_on_later(net::Urgency urgency) {
  const std::lock_guard lock(mutex_);
  Line& line = line_of(urgency);
  if (!line.waiting.empty()) {
    const auto accepted = base::fenced([&] { return encoders_.submit([this, urgency] { work(urgency); }, urgency); });
    return accepted && *accepted;
  }
  --line.workers;
  return true;
}

void EmbeddingQueue::embed_some(net::Urgency urgency) {
  std::array<std::optional<Waiting>, kMostTogether> taken;
  std::array<std::string_view, kMostTogether> texts;
  std::size_t count = 0;
  bool others_wait = false;
  {
    const std::lock_guard lock(mutex_);
    std::deque<Waiting>& waiting = line_of(urgency).waiting;
    // Encoders that are free, or will be, take their share.
    const std::size_t most = std::min(kMostTogether, (waiting.size() + threads_ - 1) / threads_);
    for (std::size_t bytes = 0; count < most && !waiting.empty();) {
      bytes += waiting.front().text.size();
      if (count > 0 && bytes > kBytesTogether) break;
      if (!waiting.front().abandoned()) {
        texts[count] = waiting.front().text;
        taken[count++].emplace(std::move(waiting.front()));
      }
      waiting.pop_front();
    }
    others_wait = !waiting.empty();
  }
  others_wait = others_wait || count > 1 || encoders_.queued() > 0;

  std::size_t unknown = 0;
  for (std::size_t i = 0; i < count; ++i) {
    auto known = taken[i]->known ? taken[i]->known() : nullptr;
    if (known) {
      taken[i]->then(std::move(known), others_wait);
    } else if (unknown++ != i) {
      texts[unknown - 1] = texts[i];
      taken[unknown - 1] = std::move(taken[i]);
    }
  }
  if (unknown > 1) {
    const auto embedded = base::fenced([&] { return cache_.embed(std::span(texts).first(unknown)); });
    if (embedded && *embedded) {
      for (std::size_t i = 0; i < unknown; ++i) taken[i]->then((**embedded)[i], others_wait);
      return;
    }
  }
  for (std::size_t i = 0; i < unknown; ++i) {
    auto embedded = base::fenced([&] { return cache_.embed(texts[i]); });
    taken[i]->then(embedded ? std::move(*embedded) : Embedded(std::move(embedded).error()), others_wait);
  }
}

}  // namespace sosie::gateway
