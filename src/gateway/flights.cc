#include "gateway/flights.h"

#include <algorithm>

namespace sosie::gateway {

std::optional<Flights::Match> Flights::find_locked(std::string_view scope, std::string_view prompt, const Near& near,
                                                   const std::vector<std::shared_ptr<Flight>>& tried) const {
  const auto found = by_scope_.find(scope);
  if (found == by_scope_.end()) return std::nullopt;
  std::optional<Match> nearest;
  for (auto flight = found->second.rbegin(); flight != found->second.rend(); ++flight) {
    if (std::find(tried.begin(), tried.end(), *flight) != tried.end()) continue;
    if ((*flight)->asked().prompt == prompt) return Match{*flight, true, {1}};
    if (!near || (*flight)->asked().reuse != decide::Reuse::by_meaning) continue;
    const auto embedding = (*flight)->embedding();
    if (!embedding) continue;
    const auto similarity = near(*embedding);
    if (similarity && (!nearest || nearest->similarity < *similarity)) nearest = Match{*flight, false, *similarity};
  }
  return nearest;
}

std::optional<Flights::Match> Flights::find(std::string_view scope, std::string_view prompt, const Near& near,
                                            const std::vector<std::shared_ptr<Flight>>& tried) const {
  const std::lock_guard lock(mutex_);
  return find_locked(scope, prompt, near, tried);
}

std::optional<Flights::Match> Flights::find_or_add(const std::shared_ptr<Flight>& mine, const Near& near,
                                                   const std::vector<std::shared_ptr<Flight>>& tried) {
  const std::lock_guard lock(mutex_);
  auto match = find_locked(mine->asked().scope, mine->asked().prompt, near, tried);
  if (match) return match;
  by_scope_[mine->asked().scope].push_back(mine);
  ++count_;
  return std::nullopt;
}

void Flights::add(const std::shared_ptr<Flight>& flight) {
  const std::lock_guard lock(mutex_);
  by_scope_[flight->asked().scope].push_back(flight);
  ++count_;
}

void Flights::remove(const std::shared_ptr<Flight>& flight) {
  const std::lock_guard lock(mutex_);
  const auto found = by_scope_.find(flight->asked().scope);
  if (found == by_scope_.end()) return;
  count_ -= std::erase(found->second, flight);
  if (found->second.empty()) by_scope_.erase(found);
}

bool Flights::has_landed(std::string_view scope, std::string_view prompt) const {
  if (count_.load(std::memory_order_relaxed) == 0) return false;
  const auto match = find(scope, prompt, {}, {});
  return match && match->flight->answered();
}

std::vector<std::shared_ptr<Flight>> Flights::unembedded(std::string_view scope) const {
  std::vector<std::shared_ptr<Flight>> flights;
  const std::lock_guard lock(mutex_);
  const auto found = by_scope_.find(scope);
  if (found == by_scope_.end()) return flights;
  for (auto each = found->second.rbegin(); each != found->second.rend() && flights.size() < kMostUnembedded; ++each)
    if ((*each)->asked().reuse == decide::Reuse::by_meaning && !(*each)->embedding()) flights.push_back(*each);
  return flights;
}

bool Flights::any(std::string_view scope) const {
  const std::lock_guard lock(mutex_);
  return by_scope_.contains(scope);
}

FlightOwner::~FlightOwner() {
  if (!flight_) return;
  try {
    flights_->remove(flight_);
    flight_->fail({net::ClientFailure::cut, {ErrorCode::internal, "the call ended before its answer did"}});
  } catch (...) {
    // Out of memory even for this: the others wait until their own time is over.
  }
}

}  // namespace sosie::gateway
