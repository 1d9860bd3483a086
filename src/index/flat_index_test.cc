#include "index/flat_index.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

namespace sosie::index {
namespace {

std::vector<float> unit(std::size_t dimension, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> v(dimension);
  double length = 0;
  for (float& x : v) {
    x = normal(random);
    length += double{x} * x;
  }
  for (float& x : v) x = static_cast<float>(x / std::sqrt(length));
  return v;
}

constexpr auto kAcceptAll = [](std::size_t) { return Verdict::accepted; };

TEST(FlatIndex, FindsWhatBruteForceFindsThroughAddsReplacesAndRemoves) {
  std::mt19937 random(7);
  // 5000 floats a row: 104 rows a block, so that several blocks fill and empty.
  for (std::size_t dimension : {1, 3, 16, 384, 5000}) {
    FlatIndex index(dimension);
    std::map<RowId, std::vector<float>> model;
    std::vector<RowId> rows;
    for (int step = 0; step < 900; ++step) {
      const unsigned action = random() % 10;
      if (rows.empty() || action < 5) {
        const RowId id{random(), random()};
        const auto v = unit(dimension, random);
        EXPECT_EQ(index.add(id, v), rows.size());
        rows.push_back(id);
        model[id] = v;
      } else if (action < 7) {
        const std::size_t row = random() % rows.size();
        model[rows[row]] = unit(dimension, random);
        index.replace(row, rows[row], model[rows[row]]);
      } else {
        const std::size_t row = random() % rows.size();
        model.erase(rows[row]);
        index.remove(row);
        rows[row] = rows.back();
        rows.pop_back();
      }
      ASSERT_EQ(index.size(), model.size());
      if (step % 45 != 0 || rows.empty()) continue;
      const auto query = unit(dimension, random);
      std::vector<std::pair<double, RowId>> expected;
      for (const auto& [id, v] : model) {
        std::vector<float> a = query, b = v;
        a.resize((dimension + 15) / 16 * 16);
        b.resize(a.size());
        expected.push_back({-double{kernels().dot(a.data(), b.data(), a.size())}, id});
      }
      std::sort(expected.begin(), expected.end());
      const Scan scan = index.search(query, {.k = 10}, kAcceptAll);
      ASSERT_EQ(scan.found.size(), std::min<std::size_t>(10, expected.size()));
      for (std::size_t i = 0; i < scan.found.size(); ++i) {
        EXPECT_EQ(index.id(scan.found[i].row), expected[i].second);
        EXPECT_EQ(scan.found[i].similarity, -expected[i].first);
      }
      EXPECT_EQ(*scan.nearest, -expected[0].first);
    }
  }
}

TEST(FlatIndex, EqualSimilaritiesAreOrderedById) {
  FlatIndex index(8);
  const std::vector<float> v{1, 0, 0, 0, 0, 0, 0, 0};
  for (std::uint64_t i : {5, 3, 9, 1, 7}) index.add({0, i}, v);
  const Scan scan = index.search(v, {.k = 3}, kAcceptAll);
  ASSERT_EQ(scan.found.size(), 3u);
  EXPECT_EQ(index.id(scan.found[0].row), (RowId{0, 1}));
  EXPECT_EQ(index.id(scan.found[1].row), (RowId{0, 3}));
  EXPECT_EQ(index.id(scan.found[2].row), (RowId{0, 5}));
}

TEST(FlatIndex, JudgeAndFloor) {
  FlatIndex index(2);
  // Similarities to (1, 0): 1, .8, .6, 0.
  index.add({0, 0}, std::vector<float>{1, 0});
  index.add({0, 1}, std::vector<float>{.8f, .6f});
  index.add({0, 2}, std::vector<float>{.6f, .8f});
  index.add({0, 3}, std::vector<float>{0, 1});
  const std::vector<float> query{1, 0};
  auto judge = [](std::size_t row) {
    return row == 0 ? Verdict::absent : row == 1 ? Verdict::rejected : Verdict::accepted;
  };
  Scan scan = index.search(query, {.k = 5, .floor = Similarity{.5}, .may_reject = true}, judge);
  ASSERT_EQ(scan.found.size(), 1u);
  EXPECT_EQ(scan.found[0].row, 2u);
  EXPECT_EQ(*scan.nearest, .8f);
  EXPECT_TRUE(scan.rejected);

  scan = index.search(query, {.k = 5, .floor = Similarity{.9}, .may_reject = true}, judge);
  EXPECT_TRUE(scan.found.empty());
  EXPECT_EQ(*scan.nearest, .8f);
  EXPECT_FALSE(scan.rejected);

  scan = index.search(query, {.k = 5}, [](std::size_t) { return Verdict::absent; });
  EXPECT_FALSE(scan.nearest.has_value());
}

TEST(FlatIndex, ARejectedRowIsReportedThoughBetterOnesFillTheResult) {
  FlatIndex index(2);
  const std::vector<float> query{1, 0};
  index.add({0, 0}, query);
  index.add({0, 1}, std::vector<float>{.8f, .6f});
  const Scan scan = index.search(query, {.k = 1, .floor = Similarity{.5}, .may_reject = true},
                                 [](std::size_t row) { return row == 1 ? Verdict::rejected : Verdict::accepted; });
  EXPECT_EQ(scan.found.size(), 1u);
  EXPECT_TRUE(scan.rejected);
}

TEST(FlatIndex, EveryIsaFindsTheSameRows) {
  std::mt19937 random(11);
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 2000; ++i) vectors.push_back(unit(384, random));
  const auto query = unit(384, random);
  std::set<std::vector<std::size_t>> answers;
  for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon}) {
    const Kernels* kernels = kernels_for(isa);
    if (kernels == nullptr) continue;
    FlatIndex index(384, *kernels);
    EXPECT_EQ(index.kernel_name(), to_string(isa));
    for (std::uint64_t i = 0; i < vectors.size(); ++i) index.add({0, i}, vectors[i]);
    std::vector<std::size_t> rows;
    for (const Match& match : index.search(query, {.k = 20}, kAcceptAll).found) rows.push_back(match.row);
    answers.insert(rows);
  }
  EXPECT_EQ(answers.size(), 1u);
}

TEST(FlatIndex, MemoryIsCountedAndGivenBack) {
  FlatIndex index(384);
  EXPECT_EQ(index.memory_bytes(), 0u);
  const std::vector<float> v(384, 0.05f);
  index.add({0, 0}, v);
  EXPECT_LE(index.memory_bytes(), 2u * 384 * sizeof(float)) << "a scope with one entry must stay small";
  for (std::uint64_t i = 1; i < 10000; ++i) index.add({0, i}, v);
  EXPECT_GE(index.memory_bytes(), 10000u * 384 * sizeof(float));
  EXPECT_LE(index.memory_bytes(), 10000u * 384 * sizeof(float) * 5 / 4);
  while (index.size() > 1) index.remove(0);
  EXPECT_LE(index.memory_bytes(), std::size_t{5} << 20);
}

}  // namespace
}  // namespace sosie::index
