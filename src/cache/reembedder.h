// reembedder.h: gives entries whose vectors a former encoder made vectors of the present one.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sosie/cache.h"
#include "store/store.h"

namespace sosie::cache {

/// Goes once over the entries there are when it begins; those stored later have the present encoder's vectors. In a store that this
/// process has alone all other vectors are replaced, in a shared one those that the present encoder replaces (`Embedder::replaces`).
///
/// Thread-safety: safe. Refers to the store and the embedder.
class Reembedder {
 public:
  Reembedder(store::Store& store, const Embedder& embedder) : store_(store), embedder_(embedder) {}

  /// Looks at `most` entries, fewer where their texts are long, and embeds those that need it. The first call makes the list.
  Result<Reembedded> step(std::size_t most, TimePoint now);

  Reembedded progress() const { return {moved_, left_}; }
  std::uint64_t embeddings() const { return embeddings_; }  ///< Texts embedded.

 private:
  struct Candidate {
    EntryId id;
    base::Digest partition;
  };

  Result<void> make_list(TimePoint now);
  std::optional<Candidate> take();
  bool is_former(std::string_view scope, const base::Digest& partition, std::string_view unseen) const;
  Result<void> renew(std::size_t most, TimePoint now, std::vector<Candidate>& taken);

  store::Store& store_;
  const Embedder& embedder_;

  std::mutex list_mutex_;  // Held while the list is made.
  bool has_list_ = false;
  std::vector<std::string> replaced_;  // Fixed once there is a list, as is the mark.
  std::uint64_t mark_ = 0;

  std::mutex mutex_;  // Guards the two below.
  std::vector<Candidate> waiting_;
  std::size_t under_way_ = 0;
  std::atomic<std::uint64_t> moved_{0}, left_{0}, embeddings_{0};
};

}  // namespace sosie::cache
