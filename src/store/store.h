// store.h: where entries live. One conformance suite (store_conformance.h) runs over every implementation.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "sosie/entry.h"
#include "sosie/result.h"
#include "sosie/similarity.h"

namespace sosie::store {

/// An entry as it is put: what is returned later, and the keys it is found by.
struct NewEntry {
  Entry entry;              ///< `created` and `expires` are set by the caller.
  base::Digest exact_key;   ///< Of scope and case-folded prompt.
  base::Digest partition;   ///< Of scope, encoder and what the encoder cannot see; vectors meet only within it.
  std::vector<float> vector;  ///< Unit length. Empty, and no partition, exactly where `entry.exact_only`.
  std::optional<std::chrono::milliseconds> sliding_ttl;  ///< Set: each touch moves `expires` to now + this.
  double cost = 0;          ///< Relative worth, for eviction; >= 0.
};

/// What a found entry must satisfy besides its key. Expired entries are never found.
struct Filter {
  TimePoint now;
  const Attributes* attributes = nullptr;  ///< All of these must be equal. Null: any.
  std::optional<TimePoint> not_before;     ///< Created at this time or later.
};

struct Neighbor {
  std::shared_ptr<const Entry> entry;
  Similarity similarity;  ///< Raw cosine as computed.
};

struct Nearest {
  std::vector<Neighbor> found;        ///< At most k, at least as near as the floor, passing the filter; nearest first, ties by id.
  std::optional<Similarity> nearest;  ///< Of the nearest living entry, before floor and filter. Unset: none.
  bool filtered = false;              ///< Some entry was near enough, but did not pass the filter.
};

/// Where the vector of an entry lies.
struct Place {
  EntryId id;
  std::string_view scope;
  base::Digest partition;
};

/// Another vector for an entry, of its text as another encoder sees it.
struct Move {
  EntryId id;
  base::Digest from;  ///< Its partition now. An entry that lies elsewhere, or is gone, is left as it is.
  base::Digest to;
  std::vector<float> vector;  ///< Unit length; not empty. As long in all moves of a call.
};

struct StoreStats {
  std::uint64_t entries = 0, bytes = 0, scopes = 0;
  std::uint64_t stored = 0, evicted = 0, expired = 0, erased = 0;  ///< Since open.
  std::uint64_t damaged = 0;  ///< Entries dropped since open, because what the file held of them was damaged.
};

/// Thread-safety: every method may be called concurrently.
/// Errors: unavailable, resource_exhausted (disk full), permission_denied, data_corruption. A failed write changes nothing; only of a
/// removal of many from a full disk some may be done.
class Store {
 public:
  virtual ~Store() = default;

  /// Adds, or replaces the entry of the same id. Durable, and visible to every reader, on return. May evict others.
  virtual Result<void> put(NewEntry entry) = 0;

  /// Living entries with this exact key, newest first.
  virtual Result<std::vector<std::shared_ptr<const Entry>>> exact(const base::Digest& exact_key, const Filter& filter) const = 0;

  /// The k nearest living entries of the partition. Exact: recall 1.
  virtual Result<Nearest> nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k, Similarity floor,
                                  const Filter& filter) const = 0;

  virtual Result<std::optional<Entry>> get(std::string_view id, TimePoint now) const = 0;

  /// Calls `visit` with living entries, each once, until it says no more. Whatever is put or removed meanwhile may be among
  /// them or not; every other one is. `visit` may call the store. Not a hit: nothing is touched.
  virtual Result<void> scan(TimePoint now, const std::function<bool(const Entry&)>& visit) const = 0;

  /// Calls `visit` with the places of all living entries that have a vector; but where a store is this process's alone, without those
  /// that it was told of by `note_encoder`. Reads no texts; `visit` must not call the store. Returns a mark for `note_encoder`.
  virtual Result<std::uint64_t> scan_places(TimePoint now, std::string_view encoder,
                                            const std::function<void(const Place&)>& visit) const = 0;

  /// Of all entries up to the mark none needs another vector for the sake of this encoder. One encoder at a time is remembered; mark 0:
  /// none is. A shared store, where others write for encoders of their own, forgets it.
  virtual Result<void> note_encoder(std::string_view encoder, std::uint64_t mark) = 0;

  /// Gives entries other vectors, and leaves all else as it is. Returns how many.
  virtual Result<std::uint64_t> move(std::span<const Move> moves) = 0;

  /// The entry was returned to somebody: counts for eviction, and moves a sliding expiry. Waits for nobody: it may be written
  /// later, with the calls that follow, a sweep or the closing at the latest.
  virtual void touch(std::string_view id, TimePoint now) const = 0;

  virtual Result<bool> erase(std::string_view id) = 0;
  virtual Result<std::uint64_t> erase(std::string_view scope, const Attributes& attributes) = 0;
  /// Unset: every scope.
  virtual Result<std::uint64_t> clear(std::optional<std::string_view> scope) = 0;
  /// Removes entries expired at `now`.
  virtual Result<std::uint64_t> sweep(TimePoint now) = 0;

  /// False: the scope surely has no entry. Never waits.
  virtual bool may_have(std::string_view scope) const = 0;

  /// Whether the scope has entries with vectors in other partitions, where no search of `partition` sees them. Those that have
  /// expired and are not removed yet may count, too; with a server it is asked about some of the scope's entries.
  virtual Result<bool> has_others(std::string_view scope, const base::Digest& partition) const = 0;

  virtual StoreStats stats() const = 0;

  /// Whether entries can be read and written now; what is not there says so. May wait for a server, changes nothing.
  /// Errors: unavailable (the server does not answer, or the store's file is gone or was replaced), permission_denied (it
  /// cannot be written any more); with a server those of every call.
  virtual Result<void> check() const = 0;

  /// Whether it is kept by this process itself, so that `exact`, `get` and `stats` wait for no other.
  virtual bool is_local() const noexcept = 0;
};

}  // namespace sosie::store
