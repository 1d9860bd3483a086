#include "store/redis_index.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "redis/semantic_index.h"
#include "redis/vector_bytes.h"
#include "store/finite.h"

namespace sosie::store {
namespace {

using redis::Pipeline;
using redis::Reply;

// A reader that lost the race against a writer tries again, so often.
constexpr int kMostTries = 16;
// Rows looked at beyond those wanted: one tells whether the last wanted one has equals. Each brings a whole entry.
constexpr std::size_t kSpareRows = 1;
constexpr std::size_t kWidening = 8;
// What the search module gives at most (its MAXSEARCHRESULTS).
constexpr std::size_t kMostAnswerRows = 1'000'000;
constexpr std::chrono::milliseconds kIndexingPause{2}, kLongestIndexingPause{50};

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

}  // namespace

Result<void> RedisIndex::make(std::size_t dimension, bool was_lost, net::SteadyTime deadline) const {
  const std::string mark = RedisKeys::index_mark(dimension), index = keys_.index(dimension);
  Pipeline before;
  if (was_lost) before.add({"HDEL", keys_.meta, mark});  // Others must not take the new one for whole before it is.
  before.add({"HLEN", keys_.accounts});
  const auto entries = connection_.send_all(std::move(before));
  if (!entries) return entries.error();
  // The server goes over all its keys, ours or not, and only by the way: that may take long.
  const bool may_hold_entries = read_number(entries->back()) != 0;
  for (auto pause = kIndexingPause;; pause = std::min(2 * pause, kLongestIndexingPause)) {
    Pipeline commands;
    add_create_index(commands, keys_, dimension, may_hold_entries);
    commands.add({"FT.INFO", index});
    auto replies = connection_.send(std::move(commands));
    if (!replies) return std::move(replies).error();
    const Reply &created = (*replies)[0], &info = (*replies)[1];
    if (created.is_error() && created.text.find("already exists") == std::string::npos) {
      return connection_.cannot_search(created);
    }
    if (info.is_error()) return redis::to_error(info);
    const Reply* indexing = info.find("indexing");
    if (indexing == nullptr) return not_understood();
    if (read_number(*indexing) == 0) break;
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{ErrorCode::unavailable, "the search index in Redis is being built; try again later"};
    }
    std::this_thread::sleep_for(pause);
  }
  Pipeline commands;
  commands.add({"HSETNX", keys_.meta, "format", kRedisFormat});
  commands.add({"HSET", keys_.meta, mark, "1"});
  if (auto done = connection_.send_all(std::move(commands)); !done) return std::move(done).error();
  return {};
}

Result<std::vector<RedisIndex::Seen>> RedisIndex::search(const Place& place,
                                                         std::span<const Question> questions) const {
  const std::string mark = RedisKeys::index_mark(place.dimension);
  const auto deadline = connection_.deadline();
  for (bool made = false;; made = true) {
    Pipeline commands;
    commands.add({"HGET", keys_.partitions, place.partition});
    commands.add({"HGET", keys_.meta, mark});
    for (const Question& question : questions) {
      const SearchScope scope{place.partition, question.of, place.filter};
      add_search(commands, keys_, scope, place.vector, place.dimension, question.rows, question.with_entries);
    }
    auto replies = connection_.send(std::move(commands));
    if (!replies) return std::move(replies).error();
    for (const Reply& reply : std::span(*replies).first(2)) {
      if (reply.is_error()) return redis::to_error(reply);
    }
    const std::uint64_t beside = read_number((*replies)[0]), dimension = dimension_of(beside);
    if (beside != 0 && dimension != place.dimension) return other_dimension(place.dimension, dimension);
    bool lost = (*replies)[1].kind == Reply::Kind::null;
    std::vector<Seen> all;
    for (std::size_t i = 0; i < questions.size() && !lost; ++i) {
      const Reply& reply = (*replies)[i + 2];
      lost = redis::is_unknown_index(reply);
      if (lost) break;
      if (reply.is_error()) return redis::to_error(reply);
      auto rows = read_rows(reply, keys_, questions[i].with_entries);
      if (!rows) return not_understood();
      Seen seen{.rows = *std::move(rows)};
      seen.complete = seen.rows.size() < questions[i].rows;
      std::erase_if(seen.rows, [](const SearchRow& row) { return row.gone; });
      std::sort(seen.rows.begin(), seen.rows.end(), [](const SearchRow& a, const SearchRow& b) {
        return a.similarity != b.similarity ? a.similarity > b.similarity : a.id < b.id;
      });
      all.push_back(std::move(seen));
    }
    if (!lost) return all;
    if (beside == 0) return std::vector<Seen>(questions.size(), Seen{.complete = true});  // There is nothing to index.
    if (made) return Error{ErrorCode::unavailable, "the search index in Redis went away while it was used; try again"};
    if (auto indexed = make(place.dimension, true, deadline); !indexed) return std::move(indexed).error();
  }
}

// One question, its conditions looked at here: that answers nearly always, as few entries are near enough.
Result<std::optional<Nearest>> RedisIndex::look_once(const Place& place) const {
  const Question question{SearchOf::all, place.k + kSpareRows, true};
  auto searched = search(place, {&question, 1});
  if (!searched) return std::move(searched).error();
  Seen& seen = searched->front();
  const bool all_seen = seen.has_all_above(place.floor);
  const double edge = seen.edge();
  Nearest nearest;
  bool enough = false;
  for (SearchRow& row : seen.rows) {
    if (!nearest.nearest) nearest.nearest = Similarity{row.similarity};
    if (row.similarity < place.floor) break;
    if (!passes(*row.entry, place.filter)) {
      nearest.filtered = true;
    } else if (nearest.found.size() < place.k) {
      nearest.found.push_back({std::make_shared<const Entry>(*std::move(row.entry)), Similarity{row.similarity}});
      enough = nearest.found.size() == place.k && row.similarity > edge;
    }
  }
  if (!all_seen && !(enough && (nearest.filtered || !has_conditions(place.filter)))) return std::optional<Nearest>();
  return std::optional(std::move(nearest));
}

// The server looks at the conditions, and as many rows are asked for as there are equals.
Result<std::optional<Nearest>> RedisIndex::look_closely(const Place& place) const {
  std::vector<Question> questions{{SearchOf::all, kWidening * (place.k + kSpareRows)}};
  if (has_conditions(place.filter)) {
    questions[0].of = SearchOf::passing;
    questions.push_back({SearchOf::failing, 1 + kSpareRows});
  }
  for (;; questions[0].rows = std::min(kMostAnswerRows, questions[0].rows * kWidening)) {
    auto searched = search(place, questions);
    if (!searched) return std::move(searched).error();
    Seen& seen = searched->front();
    auto& rows = seen.rows;
    const bool enough = rows.size() >= place.k && rows[place.k - 1].similarity > seen.edge();
    if (!enough && !seen.has_all_above(place.floor)) {
      if (questions[0].rows < kMostAnswerRows) continue;
      return Error{ErrorCode::resource_exhausted, "too many entries are equally near: ask by attributes"};
    }

    Nearest nearest;
    if (!rows.empty()) nearest.nearest = Similarity{rows.front().similarity};
    if (searched->size() > 1 && !(*searched)[1].rows.empty()) {
      const Similarity failing{(*searched)[1].rows.front().similarity};
      nearest.nearest = std::max(nearest.nearest.value_or(failing), failing);
      nearest.filtered = failing.value >= place.floor;
    }
    std::erase_if(rows, [&](const SearchRow& row) { return row.similarity < place.floor; });
    if (rows.size() > place.k) rows.resize(place.k);
    return with_entries(place, rows, std::move(nearest));
  }
}

// Empty: one of them was replaced or removed since it was found.
Result<std::optional<Nearest>> RedisIndex::with_entries(const Place& place, const std::vector<SearchRow>& rows,
                                                        Nearest nearest) const {
  if (rows.empty()) return std::optional(std::move(nearest));
  Pipeline commands;
  for (const SearchRow& row : rows) add_read_entry(commands, keys_, row.id);
  auto texts = connection_.send_all(std::move(commands));
  if (!texts) return std::move(texts).error();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto entry = read_entry(rows[i].id, (*texts)[i].items);
    if (!entry || !passes(*entry, place.filter)) return std::optional<Nearest>();
    nearest.found.push_back({std::make_shared<const Entry>(*std::move(entry)), Similarity{rows[i].similarity}});
  }
  return std::optional(std::move(nearest));
}

Result<Nearest> RedisIndex::nearest(const base::Digest& partition, std::span<const float> vector, std::size_t k,
                                    Similarity floor, const Filter& filter) const {
  const Place place{base::to_hex(partition), redis::vector_bytes(vector), vector.size(), k, floor.value, filter};
  for (int race = 1; race <= kMostTries; ++race) {
    auto found = look_once(place);
    if (found && !*found) found = look_closely(place);
    if (!found) return std::move(found).error();
    if (*found) return **std::move(found);
  }
  return Error{ErrorCode::unavailable, "the entries near the question change too fast; try again"};
}

}  // namespace sosie::store
