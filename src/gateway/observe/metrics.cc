#include "gateway/observe/metrics.h"

#include <algorithm>
#include <charconv>

namespace sosie::gateway {
namespace {

void append_number(std::string& out, double number) {
  std::array<char, 40> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

void append_header(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
  out.append(" ").append(type).append("\n");
}

void append_sample(std::string& out, std::string_view name, std::string_view labels, std::uint64_t value) {
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(std::to_string(value)).append("\n");
}

void append_metric(std::string& out, std::string_view name, std::string_view type, std::string_view help,
                   std::uint64_t value) {
  append_header(out, name, type, help);
  append_sample(out, name, {}, value);
}

std::string label(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + std::string(value) + "\"";
}

template <class Counters, class Names>
void append_family(std::string& out, std::string_view name, std::string_view help, std::string_view label_name,
                   const Counters& counters, const Names& names) {
  append_header(out, name, "counter", help);
  for (std::size_t i = 0; i < names.size(); ++i)
    append_sample(out, name, label(label_name, names[i]), counters[i].load());
}

template <class Visit>
void for_each_api(Visit&& visit) {
  for (std::size_t api = 0; api < protocol::kSurfaces; ++api)
    visit(api, label("api", protocol::to_string(static_cast<protocol::Surface>(api))));
}

}  // namespace

void Histogram::observe(std::chrono::nanoseconds time) noexcept {
  const double seconds = std::chrono::duration<double>(time).count();
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  const auto bucket = static_cast<std::size_t>(bound - kBounds.begin());
  buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(static_cast<std::uint64_t>(time.count()), std::memory_order_relaxed);
}

void Histogram::append(std::string& out, std::string_view name, std::string_view labels) const {
  std::uint64_t below = 0;
  const std::string bucket = std::string(name) + "_bucket";
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    below += buckets_[i].load(std::memory_order_relaxed);
    std::string bound;
    i < kBounds.size() ? append_number(bound, kBounds[i]) : static_cast<void>(bound = "+Inf");
    append_sample(out, bucket, std::string(labels) + "," + label("le", bound), below);
  }
  out.append(name).append("_sum{").append(labels).append("} ");
  append_number(out, static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) * 1e-9);
  // The buckets' own sum, so that the exposition is consistent while counting goes on.
  out.append("\n").append(name).append("_count{").append(labels).append("} ");
  out.append(std::to_string(below)).append("\n");
}

void Metrics::request(Route route, int status, std::chrono::nanoseconds time) noexcept {
  const auto row = static_cast<std::size_t>(route);
  add(requests_[row][static_cast<std::size_t>(std::clamp(status - kFirstStatus, 0, kStatuses - 1))]);
  times_[row].observe(time);
}

void Metrics::answered(protocol::Surface api, const Outcome& outcome) noexcept {
  const auto row = static_cast<std::size_t>(api);
  if (outcome.cache_status == CacheStatus::hit) return add(hits_[row][static_cast<std::size_t>(outcome.layer)]);
  if (outcome.cache_status == CacheStatus::coalesced) return add(coalesced_[row]);
  add(uncached_[row][static_cast<std::size_t>(outcome.reason)]);
}

std::string Metrics::render(const std::optional<CacheStats>& stats, const Gauges& gauges) const {
  std::string out;
  append_header(out, "sosie_requests_total", "counter", "Requests answered, by route and status.");
  for (std::size_t route = 0; route < kRouteNames.size(); ++route)
    for (int i = 0; i < kStatuses; ++i)
      if (const std::uint64_t count = requests_[route][static_cast<std::size_t>(i)].load(); count != 0)
        append_sample(out, "sosie_requests_total",
                      label("route", kRouteNames[route]) + "," + label("status", std::to_string(i + kFirstStatus)), count);
  append_header(out, "sosie_request_duration_seconds", "histogram", "From the request read to the answer written.");
  for (std::size_t route = 0; route < kRouteNames.size(); ++route)
    if (!times_[route].empty())
      times_[route].append(out, "sosie_request_duration_seconds", label("route", kRouteNames[route]));

  constexpr std::array<std::string_view, 2> kLayers = {"exact", "semantic"};
  append_header(out, "sosie_hits_total", "counter", "Requests answered from the cache.");
  for_each_api([&](std::size_t api, const std::string& labels) {
    for (std::size_t layer = 0; layer < kLayers.size(); ++layer)
      append_sample(out, "sosie_hits_total", labels + "," + label("layer", kLayers[layer]), hits_[api][layer].load());
  });
  append_header(out, "sosie_coalesced_total", "counter", "Requests answered by another request's call to the upstream.");
  for_each_api([&](std::size_t api, const std::string& labels) {
    append_sample(out, "sosie_coalesced_total", labels, coalesced_[api].load());
  });
  append_header(out, "sosie_uncached_total", "counter", "Requests not answered by the cache.");
  for_each_api([&](std::size_t api, const std::string& labels) {
    std::uint64_t others = 0;
    for (std::size_t i = 0; i < decide::kReasons; ++i) {
      const auto reason = static_cast<Reason>(i);
      const std::uint64_t count = uncached_[api][i].load();
      if (!is_counted(reason)) {
        others += count;
      } else {
        append_sample(out, "sosie_uncached_total", labels + "," + label("reason", to_string(reason)), count);
      }
    }
    append_sample(out, "sosie_uncached_total", labels + "," + label("reason", "other"), others);
  });
  append_family(out, "sosie_langcache_hits_total", "LangCache searches that found an entry, by the best one's layer.",
                "layer", langcache_hits_, kLayers);
  append_metric(out, "sosie_langcache_misses_total", "counter", "LangCache searches that found nothing.",
                langcache_misses_.load());
  append_metric(out, "sosie_stored_total", "counter", "Answers stored.", stored_.load());
  append_metric(out, "sosie_not_kept_total", "counter",
                "Answers of the upstream that were incomplete or failed, and not stored.", not_kept_.load());
  append_metric(out, "sosie_store_failures_total", "counter", "Answers that the store did not take.",
                store_failures_.load());
  append_metric(out, "sosie_upstream_calls_total", "counter", "Calls to the upstream.", upstream_calls_.load());
  append_family(out, "sosie_upstream_failures_total", "Calls to the upstream that brought no whole answer.", "kind",
                upstream_failures_, kClientFailureNames);
  append_metric(out, "sosie_in_flight", "gauge", "Requests being answered.",
                static_cast<std::uint64_t>(std::max<std::int64_t>(in_flight.load(), 0)));
  append_metric(out, "sosie_connections", "gauge", "Client connections open.", gauges.connections);
  append_metric(out, "sosie_queued", "gauge", "Lookups and stores waiting for a worker.", gauges.queued);
  append_metric(out, "sosie_upstream_calls_under_way", "gauge", "Calls to the upstream that have not ended.", gauges.upstream_calls);
  append_metric(out, "sosie_held_bytes", "gauge", "Bytes held for clients that have not read them yet.", gauges.held_bytes);
  append_metric(out, "sosie_slow_readers_ended_total", "counter", "Clients ended because too much was held for them.", gauges.ended_readers);

  if (!stats) return out;
  append_metric(out, "sosie_cache_entries", "gauge", "Entries in the cache.", stats->entries);
  append_metric(out, "sosie_cache_bytes", "gauge", "Bytes of the entries, as bounded.", stats->bytes);
  append_metric(out, "sosie_cache_scopes", "gauge", "Scopes that have entries.", stats->scopes);
  append_metric(out, "sosie_cache_embeddings_total", "counter", "Texts embedded by the cache.", stats->embeddings);
  append_metric(out, "sosie_cache_reembedded_total", "counter", "Entries of a former encoder that were embedded anew.", stats->reembedded.moved);
  append_metric(out, "sosie_cache_reembed_left", "gauge", "Entries still to be looked at, whether a former encoder made their vectors.",
                stats->reembedded.left);
  append_metric(out, "sosie_cache_stored_total", "counter", "Entries stored, from all routes.", stats->stored);
  append_metric(out, "sosie_cache_evicted_total", "counter", "Entries evicted for space.", stats->evicted);
  append_metric(out, "sosie_cache_expired_total", "counter", "Entries removed after their time.", stats->expired);
  append_metric(out, "sosie_cache_erased_total", "counter", "Entries erased on request.", stats->erased);
  append_metric(out, "sosie_cache_damaged_total", "counter", "Entries dropped because the store's file was damaged.", stats->damaged);
  return out;
}

}  // namespace sosie::gateway
