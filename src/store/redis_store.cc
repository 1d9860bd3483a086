#include "store/redis_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "redis/semantic_index.h"
#include "redis/vector_bytes.h"
#include "store/finite.h"
#include "store/redis_connection.h"
#include "store/redis_index.h"
#include "store/redis_put.h"
#include "store/redis_schema.h"
#include "store/redis_scripts.h"

namespace sosie::store {
namespace {

using redis::Pipeline;
using redis::Reply;

// Of one exact key; more are the newest ones only.
constexpr const char* kMostExact = "256";
constexpr const char* kMostPerStep = "200";
constexpr const char* kMostOthers = "20";
// Of a check of the accounts, each about a millisecond of the server's.
constexpr int kMostChecks = 200;
// Whole entries, which may be long.
constexpr std::size_t kReadAtOnce = 20;

std::string milliseconds(TimePoint time) { return std::to_string(time.time_since_epoch().count()); }

// Without a colon, so that no store's keys begin like another's.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

std::string text_of(std::uint64_t number) { return std::to_string(number); }

class RedisStore final : public Store {
 public:
  RedisStore(RedisConnection connection, std::uint64_t max_bytes) : connection_(std::move(connection)), max_bytes_(max_bytes) {}
  ~RedisStore() override { connection_.flush_touches(); }

  Result<void> open();

  Result<void> put(NewEntry entry) override;
  Result<std::vector<std::shared_ptr<const Entry>>> exact(const base::Digest& exact_key,
                                                          const Filter& filter) const override;
  Result<Nearest> nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k, Similarity floor,
                          const Filter& filter) const override;
  Result<std::optional<Entry>> get(std::string_view id, TimePoint now) const override;
  Result<void> scan(TimePoint now, const std::function<bool(const Entry&)>& visit) const override;
  Result<std::uint64_t> scan_places(TimePoint now, std::string_view encoder, const std::function<void(const Place&)>& visit) const override;
  Result<void> note_encoder(std::string_view, std::uint64_t) override { return {}; }
  Result<std::uint64_t> move(std::span<const Move> moves) override;
  void touch(std::string_view id, TimePoint now) const override;
  Result<bool> erase(std::string_view id) override;
  Result<std::uint64_t> erase(std::string_view scope, const Attributes& attributes) override;
  Result<std::uint64_t> clear(std::optional<std::string_view> scope) override;
  Result<std::uint64_t> sweep(TimePoint now) override;
  bool may_have(std::string_view) const override { return true; }  // Only the server knows.
  Result<bool> has_others(std::string_view scope, const base::Digest& partition) const override;
  StoreStats stats() const override;
  Result<void> check() const override;
  bool is_local() const noexcept override { return false; }

 private:
  // Until it says no more; some ids may come twice.
  Result<void> for_ids(const std::function<Result<bool>(std::vector<std::string>)>& take) const;
  Result<void> evict_above_bound();
  Result<void> check_accounts();
  Result<void> discard_strays();
  void observe(TimePoint now) const {
    const std::int64_t ms = now.time_since_epoch().count();
    std::int64_t last = last_now_ms_.load(std::memory_order_relaxed);
    while (last < ms && !last_now_ms_.compare_exchange_weak(last, ms, std::memory_order_relaxed)) {
    }
  }

  mutable RedisConnection connection_;
  const RedisKeys& keys_ = connection_.keys();
  const RedisIndex index_{connection_, keys_};
  const std::uint64_t max_bytes_;
  mutable std::atomic<std::int64_t> last_now_ms_{0};
  std::atomic<std::uint64_t> stored_{0}, evicted_{0}, expired_{0}, erased_{0};
  mutable std::mutex stats_mutex_;
  mutable StoreStats last_stats_;
};

Result<void> RedisStore::open() {
  Pipeline commands;
  const std::string no_index = keys_.index(0);
  commands.add({"HMGET", keys_.meta, "format", "bytes"});
  commands.add({"FT.SEARCH", no_index, "*", "LIMIT", "0", "0"});  // There is none: the question is who says so.
  commands.add({"INFO", "memory"});
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
  if (searched.is_error() && !redis::is_unknown_index(searched)) return connection_.cannot_search(searched);
  if (!found.is_list() || found.items.size() != 2) return not_understood();
  if ((*replies)[2].text.find("maxmemory_policy:allkeys") != std::string::npos) {
    base::log_warning("this Redis may evict any key, also those that the store keeps account by: set its "
                      "maxmemory-policy to noeviction or volatile-lru");
  }
  if (found.items[0].kind == Reply::Kind::string && found.items[0].text != "1") return newer_format();
  const std::uint64_t bytes = read_number(found.items[1]);
  // An older version's store is counted by scope here; what is left of that, the sweeps do, and it hinders nobody.
  if (bytes > 0) (void)check_accounts();
  return max_bytes_ == 0 || bytes <= max_bytes_ ? Result<void>() : evict_above_bound();
}

Result<void> RedisStore::evict_above_bound() {
  while (true) {
    auto step = connection_.write(redis_scripts().evict, {text_of(max_bytes_), kMostPerStep});
    if (!step) return std::move(step).error();
    if (!step->is_list() || step->items.size() != 2) return not_understood();
    evicted_ += read_number(step->items[0]);
    if (read_number(step->items[1]) == 0) return {};
  }
}

Result<void> RedisStore::put(NewEntry entry) {
  auto arguments = put_arguments(entry, max_bytes_, last_now_ms_.load(std::memory_order_relaxed));
  if (!arguments) return std::move(arguments).error();
  const std::size_t dimension = entry.vector.size();
  const auto deadline = connection_.deadline();
  for (bool made = false;; made = true) {
    auto done = connection_.write(redis_scripts().put, *arguments);
    if (!done) return std::move(done).error();
    if (!done->is_list() || done->items.empty()) return not_understood();
    const std::string& outcome = done->items[0].text;
    if (outcome == "index" && !made) {
      if (auto indexed = index_.make(dimension, false, deadline); !indexed) return indexed;
      continue;
    }
    if (outcome == "format") return newer_format();
    if (outcome == "dimension" && done->items.size() == 2) {
      return other_dimension(dimension, read_number(done->items[1]));
    }
    if (outcome != "ok" || done->items.size() != 4) return not_understood();
    ++stored_;
    expired_ += read_number(done->items[1]);
    evicted_ += read_number(done->items[2]);
    // The entry is there, whatever becomes of the others: the next write goes on.
    if (read_number(done->items[3]) != 0) (void)evict_above_bound();
    return {};
  }
}

Result<std::vector<std::shared_ptr<const Entry>>> RedisStore::exact(const base::Digest& exact_key,
                                                                    const Filter& filter) const {
  observe(filter.now);
  std::vector<std::string> arguments{keys_.prefix, milliseconds(filter.now),
                                     filter.not_before ? milliseconds(*filter.not_before) : "", kMostExact};
  if (filter.attributes != nullptr) {
    for (std::string& tag : attribute_tags(*filter.attributes)) arguments.push_back(std::move(tag));
  }
  const std::array keys{keys_.exact(base::to_hex(exact_key))};
  auto found = connection_.call_reading(redis_scripts().exact, keys, arguments);
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

Result<Nearest> RedisStore::nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k,
                                    Similarity floor, const Filter& filter) const {
  observe(filter.now);
  if (k == 0) return Error{ErrorCode::invalid_argument, "at least one neighbour must be asked for"};
  if (vector.empty() || !all_finite(vector)) {
    return Error{ErrorCode::invalid_argument, "a vector must not be empty, and its floats must be finite"};
  }
  return index_.nearest(partition, vector, k, floor, filter);
}

Result<std::optional<Entry>> RedisStore::get(std::string_view id, TimePoint now) const {
  observe(now);
  if (!is_id(id)) return std::optional<Entry>();
  Pipeline commands;
  add_read_entry(commands, keys_, id);
  auto replies = connection_.send_all(std::move(commands));
  if (!replies) return std::move(replies).error();
  const auto& values = replies->front().items;
  auto entry = read_entry(id, values);
  const auto is_set = [](const Reply& value) { return value.kind != Reply::Kind::null; };
  if (!entry && std::any_of(values.begin(), values.end(), is_set)) return damaged(id);
  if (entry && entry->expires && now >= *entry->expires) entry.reset();
  return entry;
}

void RedisStore::touch(std::string_view id, TimePoint now) const {
  if (is_id(id)) connection_.touch(id, now.time_since_epoch().count());
}

Result<bool> RedisStore::erase(std::string_view id) {
  if (!is_id(id)) return false;
  auto erased = connection_.write(redis_scripts().erase, {std::string(id)});
  if (!erased) return std::move(erased).error();
  erased_ += read_number(*erased);
  return read_number(*erased) > 0;
}

Result<std::uint64_t> RedisStore::erase(std::string_view scope, const Attributes& attributes) {
  std::vector<std::string> arguments{scope_key(scope), "0"};
  for (std::string& tag : attribute_tags(attributes)) arguments.push_back(std::move(tag));
  std::uint64_t count = 0;
  do {
    auto step = connection_.write(redis_scripts().erase_matching, arguments);
    if (!step) return std::move(step).error();
    if (!step->is_list() || step->items.size() != 2) return not_understood();
    arguments[1] = step->items[0].text;
    count += read_number(step->items[1]);
    erased_ += read_number(step->items[1]);
  } while (arguments[1] != "0");
  return count;
}

Result<void> RedisStore::for_ids(const std::function<Result<bool>(std::vector<std::string>)>& take) const {
  std::string cursor = "0";
  do {
    Pipeline commands;
    commands.add({"HSCAN", keys_.accounts, cursor, "COUNT", kMostPerStep});
    auto replies = connection_.send_all(std::move(commands));
    if (!replies) return std::move(replies).error();
    const Reply& found = replies->front();
    if (!found.is_list() || found.items.size() != 2) return not_understood();
    cursor = found.items[0].text;
    std::vector<std::string> ids;
    const auto& pairs = found.items[1].items;
    for (std::size_t i = 0; i < pairs.size(); i += 2) ids.push_back(pairs[i].text);
    if (ids.empty()) continue;
    auto more = take(std::move(ids));
    if (!more) return std::move(more).error();
    if (!*more) return {};
  } while (cursor != "0");
  return {};
}

Result<void> RedisStore::scan(TimePoint now, const std::function<bool(const Entry&)>& visit) const {
  observe(now);
  std::unordered_set<std::string> seen;  // The server may tell of one again while others come and go.
  return for_ids([&](std::vector<std::string> ids) -> Result<bool> {
    std::erase_if(ids, [&](const std::string& id) { return !seen.insert(id).second; });
    for (std::size_t first = 0; first < ids.size(); first += kReadAtOnce) {
      const std::size_t end = std::min(ids.size(), first + kReadAtOnce);
      Pipeline commands;
      for (std::size_t i = first; i < end; ++i) add_read_entry(commands, keys_, ids[i]);
      auto replies = connection_.send_all(std::move(commands));
      if (!replies) return std::move(replies).error();
      for (std::size_t i = first; i < end; ++i) {
        const auto entry = read_entry(ids[i], (*replies)[i - first].items);
        if (!entry || (entry->expires && now >= *entry->expires)) continue;
        if (!visit(*entry)) return false;
      }
    }
    return true;
  });
}

Result<std::uint64_t> RedisStore::scan_places(TimePoint now, std::string_view, const std::function<void(const Place&)>& visit) const {
  observe(now);
  std::unordered_set<std::string> seen;
  auto done = for_ids([&](std::vector<std::string> ids) -> Result<bool> {
    std::erase_if(ids, [&](const std::string& id) { return !seen.insert(id).second; });
    if (ids.empty()) return true;
    Pipeline commands;
    for (const std::string& id : ids) commands.add({"HMGET", keys_.entry(id), "scope", "partition", "expires"});
    auto replies = connection_.send_all(std::move(commands));
    if (!replies) return std::move(replies).error();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto& fields = (*replies)[i].items;
      if (fields.size() != 3) return not_understood();
      const auto partition = base::digest_from_hex(fields[1].text);
      const bool expires = fields[2].kind == Reply::Kind::string;
      if (!partition || (expires && now.time_since_epoch().count() >= static_cast<std::int64_t>(read_number(fields[2])))) continue;
      visit({ids[i], fields[0].text, *partition});
    }
    return true;
  });
  if (!done) return std::move(done).error();
  return std::uint64_t{0};
}

Result<std::uint64_t> RedisStore::move(std::span<const Move> moves) {
  if (auto checked = check_moves(moves); !checked) return std::move(checked).error();
  const auto deadline = connection_.deadline();
  std::uint64_t count = 0;
  bool made = false;
  for (std::size_t i = 0; i < moves.size();) {
    const Move& move = moves[i];
    const std::size_t dimension = move.vector.size();
    if (!is_id(move.id)) {
      ++i;
      continue;
    }
    auto done = connection_.write(redis_scripts().move, {move.id, text_of(dimension), base::to_hex(move.from), base::to_hex(move.to),
                                                         redis::vector_bytes(move.vector)});
    if (!done) return std::move(done).error();
    if (!done->is_list() || done->items.empty()) return not_understood();
    const std::string& outcome = done->items[0].text;
    if (outcome == "index" && !made) {
      if (auto indexed = index_.make(dimension, false, deadline); !indexed) return std::move(indexed).error();
      made = true;
      continue;
    }
    if (outcome == "format") return newer_format();
    if (done->items.size() != 2) return not_understood();
    if (outcome == "dimension") return other_dimension(dimension, read_number(done->items[1]));
    if (outcome != "ok") return not_understood();
    count += read_number(done->items[1]);
    ++i;
  }
  return count;
}

Result<std::uint64_t> RedisStore::clear(std::optional<std::string_view> scope) {
  if (scope) return erase(*scope, {});
  std::uint64_t count = 0;
  auto done = for_ids([&](std::vector<std::string> ids) -> Result<bool> {
    auto erased = connection_.write(redis_scripts().erase, std::move(ids));
    if (!erased) return std::move(erased).error();
    count += read_number(*erased);
    erased_ += read_number(*erased);
    return true;
  });
  if (!done) return std::move(done).error();
  return count;
}

Result<std::uint64_t> RedisStore::sweep(TimePoint now) {
  observe(now);
  connection_.flush_touches();
  std::uint64_t count = 0;
  while (true) {
    auto step = connection_.write(redis_scripts().expire, {milliseconds(now), kMostPerStep});
    if (!step) return std::move(step).error();
    count += read_number(*step);
    expired_ += read_number(*step);
    if (read_number(*step) == 0) break;
  }
  if (auto checked = check_accounts(); !checked) return std::move(checked).error();
  return count;
}

// One step, or as many as there may be at once while the bytes of the scopes are counted.
Result<void> RedisStore::check_accounts() {
  for (int step = 0; step < kMostChecks; ++step) {
    auto checked = connection_.write(redis_scripts().check, {});
    if (!checked) return std::move(checked).error();
    if (checked->text == "broken") {
      base::log_warning("the accounts of the store in Redis are gone, evicted perhaps: it is emptied. Set its "
                        "maxmemory-policy to noeviction or volatile-lru");
      return discard_strays();
    }
    if (checked->text != "counting") break;
  }
  return {};
}

Result<void> RedisStore::discard_strays() {
  const std::string pattern = keys_.prefix + "*";
  std::string cursor = "0";
  do {
    Pipeline commands;
    commands.add({"SCAN", cursor, "MATCH", pattern, "COUNT", kMostPerStep});
    auto replies = connection_.send_all(std::move(commands));
    if (!replies) return std::move(replies).error();
    Reply& found = replies->front();
    if (!found.is_list() || found.items.size() != 2) return not_understood();
    cursor = found.items[0].text;
    std::vector<std::string> keys;
    for (Reply& key : found.items[1].items) keys.push_back(std::move(key.text));
    if (keys.empty()) continue;
    if (auto done = connection_.write(redis_scripts().discard, std::move(keys)); !done) return std::move(done).error();
  } while (cursor != "0");
  return {};
}

Result<bool> RedisStore::has_others(std::string_view scope, const base::Digest& partition) const {
  Pipeline some;
  some.add({"SRANDMEMBER", keys_.prefix + "scope:" + scope_key(scope), kMostOthers});
  auto ids = connection_.send_all(std::move(some));
  if (!ids) return std::move(ids).error();
  if (!ids->front().is_list()) return not_understood();
  if (ids->front().items.empty()) return false;
  Pipeline places;
  for (const Reply& id : ids->front().items) places.add({"HGET", keys_.entry(id.text), "partition"});
  auto found = connection_.send_all(std::move(places));
  if (!found) return std::move(found).error();
  const std::string own = base::to_hex(partition);
  return std::any_of(found->begin(), found->end(), [&own](const Reply& place) { return !place.text.empty() && place.text != own; });
}

StoreStats RedisStore::stats() const {
  Pipeline commands;
  commands.add({"HMGET", keys_.meta, "entries", "bytes", "scopes"});
  auto replies = connection_.send(std::move(commands));
  std::lock_guard lock(stats_mutex_);
  if (replies && replies->front().is_list() && replies->front().items.size() == 3) {
    const auto& values = replies->front().items;
    last_stats_.entries = read_number(values[0]);
    last_stats_.bytes = read_number(values[1]);
    last_stats_.scopes = read_number(values[2]);
  }
  StoreStats stats = last_stats_;
  stats.stored = stored_;
  stats.evicted = evicted_;
  stats.expired = expired_;
  stats.erased = erased_;
  return stats;
}

Result<void> RedisStore::check() const {
  Pipeline commands;
  commands.add({"PING"});  // A server that loads, or cannot save and therefore refuses writes, says so here, too.
  if (auto answered = connection_.send_all(std::move(commands)); !answered) return std::move(answered).error();
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_redis_store(const RedisStoreOptions& options, std::uint64_t max_bytes) {
  if (!is_name(options.name)) {
    return Error{ErrorCode::invalid_argument, "a store's name in Redis has 1 to 64 letters, digits, '_', '-' or '.'"};
  }
  auto connection = RedisConnection::make(options.connection, RedisKeys(options.name));
  if (!connection) return std::move(connection).error();
  auto store = std::make_unique<RedisStore>(*std::move(connection), max_bytes);
  if (auto opened = store->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace sosie::store
