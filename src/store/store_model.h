// store_model.h: what a store should hold, by the simplest means; for tests.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace sosie::store {

namespace conformance {

using std::chrono::milliseconds;

inline TimePoint at(std::int64_t ms) { return TimePoint(milliseconds(ms)); }

/// A unit vector whose products with others of its kind are exact in float, so that ties are ties on every machine.
inline std::vector<float> exact_unit(std::mt19937& random) {
  std::vector<float> v(8, 0.0f);
  const auto sign = [&] { return random() % 2 == 0 ? 1.0f : -1.0f; };
  if (random() % 4 == 0) {
    v[random() % 8] = sign();
    return v;
  }
  for (int set = 0; set < 4;) {
    float& x = v[random() % 8];
    if (x != 0) continue;
    x = 0.5f * sign();
    ++set;
  }
  return v;
}

inline double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

inline std::string folded(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

inline base::Digest exact_key(const std::string& scope, const std::string& prompt) {
  return base::DigestBuilder().add("exact").add(scope).add(folded(prompt)).finish();
}
inline base::Digest partition(const std::string& scope, const std::string& encoder = "") {
  return base::DigestBuilder().add("partition").add(scope).add(encoder).finish();
}

inline NewEntry make_entry(std::string scope, std::string prompt, std::string response, std::vector<float> vector, TimePoint created,
                           Attributes attributes = {}) {
  NewEntry made;
  base::DigestBuilder id;
  id.add(scope).add(prompt);
  for (const auto& [name, value] : attributes) id.add(name).add(value);
  made.entry.id = base::to_hex(id.finish()).substr(0, 32);
  made.exact_key = exact_key(scope, prompt);
  made.partition = partition(scope);
  made.entry.scope = std::move(scope);
  made.entry.prompt = std::move(prompt);
  made.entry.response = std::move(response);
  made.entry.attributes = std::move(attributes);
  made.entry.created = created;
  made.vector = std::move(vector);
  return made;
}

inline NewEntry without_vector(NewEntry made) {
  made.partition = {};
  made.vector.clear();
  made.entry.exact_only = true;
  return made;
}

/// What a store should hold, by the simplest means.
class Model {
 public:
  std::map<EntryId, NewEntry> entries;

  static bool lives(const NewEntry& e, TimePoint now) { return !e.entry.expires || now < *e.entry.expires; }
  static bool has(const NewEntry& e, const Attributes& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
      const auto found = e.entry.attributes.find(pair.first);
      return found != e.entry.attributes.end() && found->second == pair.second;
    });
  }
  static bool passes(const NewEntry& e, const Filter& filter) {
    return (!filter.not_before || e.entry.created >= *filter.not_before) &&
           (filter.attributes == nullptr || has(e, *filter.attributes));
  }

  std::vector<const NewEntry*> exact(const base::Digest& key, const Filter& filter) const {
    std::vector<const NewEntry*> found;
    for (const auto& [id, e] : entries) {
      if (e.exact_key == key && lives(e, filter.now) && passes(e, filter)) found.push_back(&e);
    }
    std::sort(found.begin(), found.end(), [](const NewEntry* a, const NewEntry* b) { return a->entry.created > b->entry.created; });
    return found;
  }

  struct Near {
    std::vector<std::pair<double, const NewEntry*>> found;
    std::optional<double> nearest;
    bool filtered = false;
  };
  Near nearest(const base::Digest& place, const std::vector<float>& vector, std::size_t k, double floor, const Filter& filter) const {
    Near near;
    for (const auto& [id, e] : entries) {
      if (e.entry.exact_only || e.partition != place || !lives(e, filter.now)) continue;
      const double similarity = dot(e.vector, vector);
      near.nearest = std::max(near.nearest.value_or(-2), similarity);
      if (similarity < floor) continue;
      if (passes(e, filter)) {
        near.found.push_back({similarity, &e});
      } else {
        near.filtered = true;
      }
    }
    std::sort(near.found.begin(), near.found.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second->entry.id < b.second->entry.id;
    });
    if (near.found.size() > k) near.found.resize(k);
    return near;
  }

  std::uint64_t move(const Move& move) {
    const auto found = entries.find(move.id);
    if (found == entries.end() || found->second.entry.exact_only || found->second.partition != move.from) return 0;
    found->second.partition = move.to;
    found->second.vector = move.vector;
    return 1;
  }

  void touch(const EntryId& id, TimePoint now) {
    const auto found = entries.find(id);
    if (found == entries.end() || !lives(found->second, now) || !found->second.sliding_ttl) return;
    found->second.entry.expires = now + *found->second.sliding_ttl;
  }
  template <class Condition>
  std::uint64_t erase_if(Condition condition) {
    return std::erase_if(entries, [&](const auto& item) { return condition(item.second); });
  }
};

inline void expect_equal(const Entry& got, const Entry& want) {
  EXPECT_EQ(got.id, want.id);
  EXPECT_EQ(got.scope, want.scope);
  EXPECT_EQ(got.prompt, want.prompt);
  EXPECT_EQ(got.response, want.response);
  EXPECT_EQ(got.attributes, want.attributes);
  EXPECT_EQ(got.created, want.created);
  EXPECT_EQ(got.expires, want.expires);
  EXPECT_EQ(got.exact_only, want.exact_only);
}

}  // namespace conformance

}  // namespace sosie::store
