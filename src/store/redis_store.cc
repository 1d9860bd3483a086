#include "store/redis_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "redis/semantic_index.h"
#include "store/redis_connection.h"
#include "store/redis_schema.h"
#include "store/redis_scripts.h"

namespace sosie::store {
namespace {

using redis::Pipeline;
using redis::Reply;

// A reader that lost the race against a writer tries again, so often.
constexpr int kMostRaces = 16;
// Rows looked at beyond those wanted, so that equals and the filter seldom need another question.
constexpr std::size_t kSpareRows = 3;
constexpr std::size_t kWidening = 8;
// Of one exact key; more are the newest ones only.
constexpr const char* kMostExact = "256";
constexpr const char* kMostPerStep = "200";
// The most that the search module takes.
constexpr std::size_t kMostDimensions = 32768;
// What the server keeps an entry beyond its life, so that the given time decides alone.
constexpr std::int64_t kAfterlifeMs = 3'600'000;

std::string milliseconds(TimePoint time) { return std::to_string(time.time_since_epoch().count()); }

bool all_finite(std::span<const float> vector) {
  return std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); });
}

bool is_id(std::string_view id) {
  return id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string exact_digits(double value) {
  char text[32];
  return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.17g", value))};
}

std::uint64_t bytes_of(const NewEntry& entry) {
  std::uint64_t bytes = entry.entry.prompt.size() + entry.entry.response.size() + entry.vector.size() * sizeof(float);
  for (const auto& [name, value] : entry.entry.attributes) bytes += name.size() + value.size();
  return bytes;
}

bool has_conditions(const Filter& filter) {
  return filter.not_before || (filter.attributes != nullptr && !filter.attributes->empty());
}

bool passes(const Entry& entry, const Filter& filter) {
  if (filter.not_before && entry.created < *filter.not_before) return false;
  if (filter.attributes == nullptr) return true;
  return std::all_of(filter.attributes->begin(), filter.attributes->end(), [&](const auto& wanted) {
    const auto found = entry.attributes.find(wanted.first);
    return found != entry.attributes.end() && found->second == wanted.second;
  });
}

std::uint64_t number(const Reply& reply) {
  if (reply.kind == Reply::Kind::integer) return static_cast<std::uint64_t>(std::max<std::int64_t>(0, reply.integer));
  if (reply.kind == Reply::Kind::number) return static_cast<std::uint64_t>(std::max(0.0, reply.number));
  std::uint64_t value = 0;
  std::from_chars(reply.text.data(), reply.text.data() + reply.text.size(), value);
  return value;
}

Error not_understood() {
  return {ErrorCode::internal, "the Redis server's reply is not what was asked for; the versions that work are listed in docs/redis-store.md"};
}

Error newer_format() {
  return {ErrorCode::unsupported, "the store in Redis was written by a newer sosie: use that version, or another name"};
}

Error other_dimension(std::size_t dimension, std::uint64_t beside) {
  return {ErrorCode::invalid_argument,
          "the vector has " + std::to_string(dimension) + " dimensions, the others beside it have " + std::to_string(beside)};
}

Error damaged(std::string_view id) {
  return {ErrorCode::data_corruption, "entry " + std::string(id) + " is not as it was written: erase it"};
}

class RedisStore final : public Store {
 public:
  RedisStore(RedisConnection connection, const RedisKeys& keys, std::uint64_t max_bytes)
      : connection_(std::move(connection)), keys_(keys), max_bytes_(max_bytes) {}

  Result<void> open();

  Result<void> put(NewEntry entry) override;
  Result<std::vector<std::shared_ptr<const Entry>>> exact(const base::Digest& exact_key, const Filter& filter) const override;
  Result<Nearest> nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k, Similarity floor,
                          const Filter& filter) const override;
  Result<std::optional<Entry>> get(std::string_view id, TimePoint now) const override;
  void touch(std::string_view id, TimePoint now) const override;
  Result<bool> erase(std::string_view id) override;
  Result<std::uint64_t> erase(std::string_view scope, const Attributes& attributes) override;
  Result<std::uint64_t> clear(std::optional<std::string_view> scope) override;
  Result<std::uint64_t> sweep(TimePoint now) override;
  StoreStats stats() const override;
  bool is_local() const noexcept override { return false; }

 private:
  /// The place that a search goes to.
  struct Place {
    std::string partition;  // Hex.
    std::string vector;     // Bytes.
    std::size_t dimension = 0;
  };
  struct Question {
    Seen seen;
    std::size_t k = 1;
    bool with_entries = false;
  };
  using Rows = std::vector<SearchRow>;

  Result<Reply> write(const RedisScript& script, std::vector<std::string> arguments) const;
  Result<void> make_index(std::size_t dimension, bool was_lost, net::SteadyTime deadline) const;
  Result<std::vector<Rows>> search(const Place& place, std::span<const Question> questions) const;
  Result<std::optional<Nearest>> nearest_at_first_sight(const Place& place, std::size_t k, double floor, const Filter& filter) const;
  Result<std::optional<Nearest>> nearest_in_depth(const Place& place, std::size_t k, double floor, const Filter& filter) const;
  Result<void> discard_strays();
  void observe(TimePoint now) const {
    const std::int64_t ms = now.time_since_epoch().count();
    std::int64_t last = last_now_ms_.load(std::memory_order_relaxed);
    while (last < ms && !last_now_ms_.compare_exchange_weak(last, ms, std::memory_order_relaxed)) {
    }
  }

  mutable RedisConnection connection_;
  const RedisKeys keys_;
  const std::uint64_t max_bytes_;
  mutable std::atomic<std::int64_t> last_now_ms_{0};
  std::atomic<std::uint64_t> stored_{0}, evicted_{0}, expired_{0}, erased_{0};
  std::mutex check_mutex_;
  std::string check_cursor_ = "0";
  mutable std::mutex stats_mutex_;
  mutable StoreStats last_stats_;
};

Result<Reply> RedisStore::write(const RedisScript& script, std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), keys_.prefix);
  const std::array keys{keys_.meta, keys_.accounts, keys_.priorities, keys_.expiries, keys_.hits, keys_.partitions};
  return connection_.call(script, keys, arguments);
}

Result<void> RedisStore::open() {
  Pipeline commands;
  const std::string no_index = keys_.index(0);
  commands.add({"HMGET", keys_.meta, "format", "bytes"});
  commands.add({"FT.SEARCH", no_index, "*", "LIMIT", "0", "0"});  // Answers in any case that there is none; where searches exist.
  auto replies = connection_.send(std::move(commands));
  if (!replies) {
    const ErrorCode code = replies.error().code;
    if (code != ErrorCode::unavailable && code != ErrorCode::deadline_exceeded) return std::move(replies).error();
    base::log_warning("the store opens, but its server does not answer yet: " + replies.error().message);
    return {};
  }
  const Reply& found = (*replies)[0];
  if (found.is_error()) {
    Error error = redis::to_error(found);
    if (error.code != ErrorCode::unavailable) return error;
    base::log_warning("the store opens, but its server cannot be used yet: " + error.message);
    return {};
  }
  const Reply& searched = (*replies)[1];
  if (searched.is_error() && searched.text.starts_with("ERR unknown command")) return connection_.no_search_module();
  if (searched.is_error() && searched.text.starts_with("NOPERM")) return redis::to_error(searched);
  if (!found.is_list() || found.items.size() != 2) return not_understood();
  if (found.items[0].kind == Reply::Kind::string && found.items[0].text != "1") return newer_format();
  if (max_bytes_ == 0 || number(found.items[1]) <= max_bytes_) return {};
  while (true) {
    auto evicted = write(redis_scripts().evict, {std::to_string(max_bytes_), kMostPerStep});
    if (!evicted) return std::move(evicted).error();
    if (!evicted->is_list() || evicted->items.size() != 2) return not_understood();
    evicted_ += number(evicted->items[0]);
    if (number(evicted->items[1]) == 0) return {};
  }
}

Result<void> RedisStore::make_index(std::size_t dimension, bool was_lost, net::SteadyTime deadline) const {
  const std::string mark = RedisKeys::index_mark(dimension), index = keys_.index(dimension);
  if (was_lost) {  // Others must not take the new one for whole before it is.
    Pipeline commands;
    commands.add({"HDEL", keys_.meta, mark});
    if (auto done = connection_.send(std::move(commands)); !done) return std::move(done).error();
  }
  while (true) {
    Pipeline commands;
    add_create_index(commands, keys_, dimension);
    commands.add({"FT.INFO", index});
    auto replies = connection_.send(std::move(commands));
    if (!replies) return std::move(replies).error();
    const Reply& created = (*replies)[0];
    if (created.is_error() && created.text.find("already exists") == std::string::npos) {
      if (created.text.starts_with("ERR unknown command")) return connection_.no_search_module();
      return redis::to_error(created);
    }
    const Reply& info = (*replies)[1];
    if (info.is_error()) return redis::to_error(info);
    const Reply* indexing = info.find("indexing");
    if (indexing == nullptr) return not_understood();
    if (number(*indexing) == 0) break;
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{ErrorCode::unavailable, "the search index is being built; try again later"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  Pipeline commands;
  commands.add({"HSETNX", keys_.meta, "format", "1"});
  commands.add({"HSET", keys_.meta, mark, "1"});
  auto replies = connection_.send(std::move(commands));
  if (!replies) return std::move(replies).error();
  for (const Reply& reply : *replies) {
    if (reply.is_error()) return redis::to_error(reply);
  }
  return {};
}

Result<void> RedisStore::put(NewEntry entry) {
  if (!is_id(entry.entry.id)) return Error{ErrorCode::invalid_argument, "an entry's id must be 32 lower-case hex digits"};
  if (entry.vector.empty() || !all_finite(entry.vector)) {
    return Error{ErrorCode::invalid_argument, "an entry's vector must not be empty, and its floats must be finite"};
  }
  if (entry.vector.size() > kMostDimensions) {
    return Error{ErrorCode::invalid_argument, "an entry's vector may have " + std::to_string(kMostDimensions) + " floats in Redis"};
  }
  if (!(entry.cost >= 0) || !std::isfinite(entry.cost)) return Error{ErrorCode::invalid_argument, "a cost must be finite and >= 0"};
  if (entry.sliding_ttl && entry.sliding_ttl->count() <= 0) return Error{ErrorCode::invalid_argument, "a sliding ttl must be > 0"};
  const std::uint64_t bytes = bytes_of(entry);
  if (max_bytes_ != 0 && bytes > max_bytes_) {
    return Error{ErrorCode::resource_exhausted, "the entry has " + std::to_string(bytes) + " bytes, the whole store may have " +
                                                    std::to_string(max_bytes_) + ": raise the bound"};
  }
  const std::size_t dimension = entry.vector.size();
  const double value = entry.cost > 0 ? entry.cost : static_cast<double>(entry.entry.response.size());
  const std::int64_t sliding = entry.sliding_ttl ? entry.sliding_ttl->count() : 0;
  std::string expires, life;
  if (entry.entry.expires) {
    // Who decides that an entry has expired is the given time; the server's clock only clears away what nobody swept.
    const std::int64_t ttl = sliding > 0 ? sliding : (*entry.entry.expires - entry.entry.created).count();
    expires = milliseconds(*entry.entry.expires);
    life = std::to_string(std::max<std::int64_t>(0, ttl) + kAfterlifeMs);
  }
  std::vector<std::string> arguments{entry.entry.id,
                                     std::to_string(dimension),
                                     base::to_hex(entry.partition),
                                     base::to_hex(entry.exact_key),
                                     scope_key(entry.entry.scope),
                                     std::to_string(bytes),
                                     exact_digits(value / static_cast<double>(bytes)),
                                     std::to_string(sliding),
                                     std::move(expires),
                                     std::move(life),
                                     std::to_string(max_bytes_),
                                     std::to_string(last_now_ms_.load(std::memory_order_relaxed))};
  for (std::string& field : entry_fields(entry)) arguments.push_back(std::move(field));

  const auto deadline = connection_.deadline();
  for (bool made = false;; made = true) {
    auto done = write(redis_scripts().put, arguments);
    if (!done) return std::move(done).error();
    if (!done->is_list() || done->items.empty()) return not_understood();
    const std::string& outcome = done->items[0].text;
    if (outcome == "index" && !made) {
      if (auto indexed = make_index(dimension, false, deadline); !indexed) return indexed;
      continue;
    }
    if (outcome == "format") return newer_format();
    if (outcome == "dimension" && done->items.size() == 2) return other_dimension(dimension, number(done->items[1]));
    if (outcome != "ok" || done->items.size() != 4) return not_understood();
    ++stored_;
    expired_ += number(done->items[1]);
    evicted_ += number(done->items[2]);
    bool above = number(done->items[3]) != 0;
    while (above) {
      auto evicted = write(redis_scripts().evict, {std::to_string(max_bytes_), kMostPerStep});
      if (!evicted || !evicted->is_list() || evicted->items.size() != 2) break;  // The entry is there; the next write goes on.
      evicted_ += number(evicted->items[0]);
      above = number(evicted->items[1]) != 0;
    }
    return {};
  }
}

Result<std::vector<std::shared_ptr<const Entry>>> RedisStore::exact(const base::Digest& exact_key, const Filter& filter) const {
  observe(filter.now);
  std::vector<std::string> arguments{keys_.prefix, milliseconds(filter.now), filter.not_before ? milliseconds(*filter.not_before) : "", kMostExact};
  if (filter.attributes != nullptr) {
    for (std::string& tag : attribute_tags(*filter.attributes)) arguments.push_back(std::move(tag));
  }
  auto found = connection_.call_reading(redis_scripts().exact, std::array{keys_.exact(base::to_hex(exact_key))}, arguments);
  if (!found) return std::move(found).error();
  if (!found->is_list()) return not_understood();
  std::vector<std::shared_ptr<const Entry>> entries;
  for (Reply& row : found->items) {
    if (!row.is_list() || row.items.empty()) return not_understood();
    auto entry = read_entry(row.items[0].text, std::span(row.items).subspan(1));
    if (!entry) return damaged(row.items[0].text);
    entries.push_back(std::make_shared<const Entry>(*std::move(entry)));
  }
  return entries;
}

Result<std::vector<RedisStore::Rows>> RedisStore::search(const Place& place, std::span<const Question> questions) const {
  const std::string mark = RedisKeys::index_mark(place.dimension);
  const auto deadline = connection_.deadline();
  for (bool made = false;; made = true) {
    Pipeline commands;
    commands.add({"HGET", keys_.partitions, place.partition});
    commands.add({"HGET", keys_.meta, mark});
    for (const Question& question : questions) {
      add_search(commands, keys_, question.seen, place.vector, place.dimension, question.k, question.with_entries);
    }
    auto replies = connection_.send(std::move(commands));
    if (!replies) return std::move(replies).error();
    for (const Reply& reply : std::span(*replies).first(2)) {
      if (reply.is_error()) return redis::to_error(reply);
    }
    std::vector<Rows> all;
    // Kept as entries x 65536 + dimension.
    const std::uint64_t beside = number((*replies)[0]);
    if (beside == 0) return std::vector<Rows>(questions.size());
    if (beside % 65536 != place.dimension) return other_dimension(place.dimension, beside % 65536);
    bool lost = (*replies)[1].kind == Reply::Kind::null;
    for (const Reply& reply : std::span(*replies).subspan(2)) {
      if (lost || redis::is_unknown_index(reply)) {
        lost = true;
        break;
      }
      if (reply.is_error()) return redis::to_error(reply);
      auto rows = read_rows(reply, keys_, questions[0].with_entries);
      if (!rows) return not_understood();
      std::sort(rows->begin(), rows->end(), [](const SearchRow& a, const SearchRow& b) {
        return a.similarity != b.similarity ? a.similarity > b.similarity : a.id < b.id;
      });
      all.push_back(*std::move(rows));
    }
    if (!lost) return all;
    if (made) return Error{ErrorCode::unavailable, "the search index went away while it was used; try again"};
    if (auto indexed = make_index(place.dimension, true, deadline); !indexed) return std::move(indexed).error();
  }
}

// One question, its conditions looked at here: it answers nearly always, as few entries are near enough.
Result<std::optional<Nearest>> RedisStore::nearest_at_first_sight(const Place& place, std::size_t k, double floor, const Filter& filter) const {
  const Question question{{.partition = place.partition, .now = filter.now}, k + kSpareRows, true};
  auto searched = search(place, {&question, 1});
  if (!searched) return std::move(searched).error();
  Rows& rows = searched->front();
  // Whatever was not seen is at most so near.
  const bool all_seen = rows.size() < question.k || rows.back().similarity < floor;
  const double edge = all_seen ? -2 : rows.back().similarity;
  Nearest nearest;
  bool enough = false;
  for (SearchRow& row : rows) {
    if (row.gone) continue;
    if (!nearest.nearest) nearest.nearest = Similarity{row.similarity};
    if (row.similarity < floor) break;
    if (!passes(*row.entry, filter)) {
      nearest.filtered = true;
    } else if (nearest.found.size() < k) {
      nearest.found.push_back({std::make_shared<const Entry>(*std::move(row.entry)), Similarity{row.similarity}});
      enough = nearest.found.size() == k && row.similarity > edge;
    }
  }
  const bool certain = all_seen ? (nearest.nearest || rows.size() < question.k) : enough && (nearest.filtered || !has_conditions(filter));
  if (!certain) return std::optional<Nearest>();
  return std::optional(std::move(nearest));
}

// The server looks at the conditions, and as many rows are asked for as there are equals.
Result<std::optional<Nearest>> RedisStore::nearest_in_depth(const Place& place, std::size_t k, double floor, const Filter& filter) const {
  std::vector<Question> questions{{{.partition = place.partition, .now = filter.now}, 0, false}};
  if (has_conditions(filter)) {
    questions.push_back(questions[0]);
    questions[0].seen.of = Seen::Of::passing;
    questions[1].seen.of = Seen::Of::failing;
    questions[1].k = 1 + kSpareRows;
  }
  for (Question& question : questions) question.seen.filter = &filter;
  for (questions[0].k = kWidening * (k + kSpareRows);; questions[0].k *= kWidening) {
    auto searched = search(place, questions);
    if (!searched) return std::move(searched).error();
    Rows& rows = searched->front();
    const bool all_seen = rows.size() < questions[0].k || rows.back().similarity < floor;
    const double edge = all_seen ? -2 : rows.back().similarity;
    std::erase_if(rows, [](const SearchRow& row) { return row.gone; });
    if (!all_seen && (rows.size() < k || rows[k - 1].similarity <= edge)) continue;

    Nearest nearest;
    const auto consider = [&](const Rows& seen) {
      const auto first = std::find_if(seen.begin(), seen.end(), [](const SearchRow& row) { return !row.gone; });
      if (first == seen.end()) return false;
      nearest.nearest = std::max(nearest.nearest.value_or(Similarity{-2}), Similarity{first->similarity});
      return first->similarity >= floor;
    };
    consider(rows);
    if (searched->size() > 1) nearest.filtered = consider((*searched)[1]);

    std::erase_if(rows, [&](const SearchRow& row) { return row.similarity < floor; });
    if (rows.size() > k) rows.resize(k);
    if (rows.empty()) return std::optional(std::move(nearest));
    Pipeline commands;
    for (const SearchRow& row : rows) add_read_entry(commands, keys_, row.id);
    auto texts = connection_.send(std::move(commands));
    if (!texts) return std::move(texts).error();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if ((*texts)[i].is_error()) return redis::to_error((*texts)[i]);
      auto entry = read_entry(rows[i].id, (*texts)[i].items);
      if (!entry || !passes(*entry, filter)) return std::optional<Nearest>();  // Replaced or removed since it was found.
      nearest.found.push_back({std::make_shared<const Entry>(*std::move(entry)), Similarity{rows[i].similarity}});
    }
    return std::optional(std::move(nearest));
  }
}

Result<Nearest> RedisStore::nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k, Similarity floor,
                                    const Filter& filter) const {
  observe(filter.now);
  if (k == 0) return Error{ErrorCode::invalid_argument, "at least one neighbour must be asked for"};
  if (vector.empty() || !all_finite(vector)) return Error{ErrorCode::invalid_argument, "a vector must not be empty, and its floats must be finite"};
  const Place place{base::to_hex(partition), std::string(reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)),
                    vector.size()};
  for (int race = 1; race <= kMostRaces; ++race) {
    auto found = nearest_at_first_sight(place, k, floor.value, filter);
    if (found && !*found) found = nearest_in_depth(place, k, floor.value, filter);
    if (!found) return std::move(found).error();
    if (*found) return **std::move(found);
  }
  return Error{ErrorCode::unavailable, "the entries near the question change too fast; try again"};
}

Result<std::optional<Entry>> RedisStore::get(std::string_view id, TimePoint now) const {
  observe(now);
  if (!is_id(id)) return std::optional<Entry>();
  Pipeline commands;
  add_read_entry(commands, keys_, id);
  auto replies = connection_.send(std::move(commands));
  if (!replies) return std::move(replies).error();
  if (replies->front().is_error()) return redis::to_error(replies->front());
  auto entry = read_entry(id, replies->front().items);
  if (!entry) {
    const auto& values = replies->front().items;
    const bool there = std::any_of(values.begin(), values.end(), [](const Reply& value) { return value.kind != Reply::Kind::null; });
    if (there) return damaged(id);
  }
  if (entry && entry->expires && now >= *entry->expires) entry.reset();
  return entry;
}

void RedisStore::touch(std::string_view id, TimePoint now) const {
  if (is_id(id)) (void)write(redis_scripts().touch, {std::string(id), milliseconds(now), std::to_string(kAfterlifeMs)});  // Lost with the server: only a hit less.
}

Result<bool> RedisStore::erase(std::string_view id) {
  if (!is_id(id)) return false;
  auto erased = write(redis_scripts().erase, {std::string(id)});
  if (!erased) return std::move(erased).error();
  erased_ += number(*erased);
  return number(*erased) > 0;
}

Result<std::uint64_t> RedisStore::erase(std::string_view scope, const Attributes& attributes) {
  std::vector<std::string> arguments{scope_key(scope), "0"};
  for (std::string& tag : attribute_tags(attributes)) arguments.push_back(std::move(tag));
  std::uint64_t count = 0;
  do {
    auto step = write(redis_scripts().erase_matching, arguments);
    if (!step) return std::move(step).error();
    if (!step->is_list() || step->items.size() != 2) return not_understood();
    arguments[1] = step->items[0].text;
    count += number(step->items[1]);
    erased_ += number(step->items[1]);
  } while (arguments[1] != "0");
  return count;
}

Result<std::uint64_t> RedisStore::clear(std::optional<std::string_view> scope) {
  if (scope) return erase(*scope, {});
  std::uint64_t count = 0;
  std::string cursor = "0";
  do {
    Pipeline commands;
    commands.add({"HSCAN", keys_.accounts, cursor, "COUNT", kMostPerStep});
    auto replies = connection_.send(std::move(commands));
    if (!replies) return std::move(replies).error();
    Reply& found = replies->front();
    if (found.is_error()) return redis::to_error(found);
    if (!found.is_list() || found.items.size() != 2) return not_understood();
    cursor = found.items[0].text;
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < found.items[1].items.size(); i += 2) ids.push_back(std::move(found.items[1].items[i].text));
    if (ids.empty()) continue;
    auto erased = write(redis_scripts().erase, std::move(ids));
    if (!erased) return std::move(erased).error();
    count += number(*erased);
    erased_ += number(*erased);
  } while (cursor != "0");
  return count;
}

Result<std::uint64_t> RedisStore::sweep(TimePoint now) {
  observe(now);
  std::uint64_t count = 0;
  while (true) {
    auto step = write(redis_scripts().expire, {milliseconds(now), kMostPerStep});
    if (!step) return std::move(step).error();
    count += number(*step);
    expired_ += number(*step);
    if (std::to_string(number(*step)) != kMostPerStep) break;
  }
  std::lock_guard lock(check_mutex_);
  auto checked = write(redis_scripts().check, {check_cursor_});
  if (!checked) return std::move(checked).error();
  check_cursor_ = checked->text;
  if (check_cursor_ == "broken") {
    check_cursor_ = "0";
    base::log_warning("the accounts of the store in Redis are gone, evicted perhaps: it is emptied. Give Redis an eviction policy of noeviction or volatile-…");
    if (auto discarded = discard_strays(); !discarded) return std::move(discarded).error();
  }
  return count;
}

Result<void> RedisStore::discard_strays() {
  const std::string pattern = keys_.prefix + "*";
  std::string cursor = "0";
  do {
    Pipeline commands;
    commands.add({"SCAN", cursor, "MATCH", pattern, "COUNT", kMostPerStep});
    auto replies = connection_.send(std::move(commands));
    if (!replies) return std::move(replies).error();
    Reply& found = replies->front();
    if (found.is_error()) return redis::to_error(found);
    if (!found.is_list() || found.items.size() != 2) return not_understood();
    cursor = found.items[0].text;
    std::vector<std::string> keys;
    for (Reply& key : found.items[1].items) keys.push_back(std::move(key.text));
    if (keys.empty()) continue;
    if (auto done = write(redis_scripts().discard, std::move(keys)); !done) return std::move(done).error();
  } while (cursor != "0");
  return {};
}

StoreStats RedisStore::stats() const {
  Pipeline commands;
  commands.add({"HMGET", keys_.meta, "bytes", "scopes"});
  commands.add({"HLEN", keys_.accounts});
  auto replies = connection_.send(std::move(commands));
  std::lock_guard lock(stats_mutex_);
  if (replies && (*replies)[0].is_list() && (*replies)[0].items.size() == 2) {
    last_stats_.bytes = number((*replies)[0].items[0]);
    last_stats_.scopes = number((*replies)[0].items[1]);
    last_stats_.entries = number((*replies)[1]);
  }
  StoreStats stats = last_stats_;
  stats.stored = stored_;
  stats.evicted = evicted_;
  stats.expired = expired_;
  stats.erased = erased_;
  return stats;
}

}  // namespace

Result<std::unique_ptr<Store>> open_redis_store(const RedisStoreOptions& options, std::uint64_t max_bytes) {
  const bool fits = !options.name.empty() && options.name.size() <= 64 && std::all_of(options.name.begin(), options.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  if (!fits) return Error{ErrorCode::invalid_argument, "a store's name in Redis has 1 to 64 letters, digits, '_', '-' or '.'"};
  auto connection = RedisConnection::make(options.connection);
  if (!connection) return std::move(connection).error();
  auto store = std::make_unique<RedisStore>(*std::move(connection), RedisKeys(options.name), max_bytes);
  if (auto opened = store->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace sosie::store
