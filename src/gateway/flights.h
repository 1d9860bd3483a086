// flights.h: the flights that others may join: of a scope, by the same text or by meaning.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "gateway/flight.h"

namespace sosie::gateway {

/// Thread-safety: every method may be called from any thread.
class Flights {
 public:
  /// `held` counts what the flights hold for their readers, and outlives them.
  explicit Flights(net::HeldBytes& held) : held_(held) {}

  struct Match {
    std::shared_ptr<Flight> flight;
    bool same_text = true;
    Similarity similarity{1};
  };

  /// Whether another question's embedding is near enough: the cache's own decision. Unset: it is not.
  using Near = std::function<std::optional<Similarity>(const Embedding&)>;

  /// The newest flight with the same text, else the nearest by meaning (`near` may be empty; only flights whose answers may be used
  /// so). None that is among `tried`.
  std::optional<Match> find(std::string_view scope, std::string_view prompt, const Near& near,
                            const std::vector<std::shared_ptr<Flight>>& tried) const;

  /// As `find`; where nothing is found `mine` joins the registry, in one step.
  std::optional<Match> find_or_add(const std::shared_ptr<Flight>& mine, const Near& near,
                                   const std::vector<std::shared_ptr<Flight>>& tried);

  void add(const std::shared_ptr<Flight>& flight);
  /// Does nothing where it is not there.
  void remove(const std::shared_ptr<Flight>& flight);

  /// Whether there is one with the same text that is complete and may answer. Cheap where nothing flies.
  bool has_landed(std::string_view scope, std::string_view prompt) const;

  /// The newest few of the scope that may answer by meaning, and have no embedding yet: whoever embeds them holds up other tenants.
  std::vector<std::shared_ptr<Flight>> unembedded(std::string_view scope) const;

  /// Whether there is a flight in the scope.
  bool any(std::string_view scope) const;

  net::HeldBytes& held() const noexcept { return held_; }

 private:
  static constexpr std::size_t kMostUnembedded = 4;

  std::optional<Match> find_locked(std::string_view scope, std::string_view prompt, const Near& near,
                                   const std::vector<std::shared_ptr<Flight>>& tried) const;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  net::HeldBytes& held_;
  std::atomic<std::size_t> count_{0};
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::vector<std::shared_ptr<Flight>>, Hash, std::equal_to<>> by_scope_;
};

/// Whoever makes a flight owns one of these from before the flight can be found until its call is over. When it goes, also by an
/// exception before the call was begun, the flight is found no more, and where it has not ended those who wait for it see it fail.
class FlightOwner {
 public:
  /// `flights` outlives it.
  FlightOwner(Flights& flights, Flight::Asked asked) : flights_(&flights), flight_(std::make_shared<Flight>(std::move(asked), flights.held())) {}
  FlightOwner(FlightOwner&&) noexcept = default;
  FlightOwner& operator=(FlightOwner&&) = delete;
  ~FlightOwner();

  const std::shared_ptr<Flight>& flight() const noexcept { return flight_; }

 private:
  Flights* flights_;
  std::shared_ptr<Flight> flight_;
};

}  // namespace sosie::gateway
