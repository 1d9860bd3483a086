#include "store/embedded_store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace sosie::store {
namespace {

TimePoint at(std::int64_t ms) { return TimePoint(std::chrono::milliseconds(ms)); }

NewEntry entry(int i) {
  NewEntry made;
  made.entry.id = base::to_hex(base::sha256(std::to_string(i))).substr(0, 32);
  made.entry.scope = "s";
  made.entry.prompt = "p" + std::to_string(i);
  made.entry.response = "r" + std::to_string(i);
  made.entry.attributes = {{"n", std::to_string(i % 3)}};
  made.entry.created = at(i);
  made.exact_key = base::sha256(made.entry.prompt);
  made.vector = {static_cast<float>(i % 2), static_cast<float>((i + 1) % 2), 0};
  return made;
}

TEST(EmbeddedStore, KeepsEntriesAcrossOpenings) {
  char folder[] = "/tmp/sosie_store_XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  for (int round = 0; round < 3; ++round) {
    auto store = open_embedded_store({.folder = folder});
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ((*store)->stats().entries, round * 10u);
    for (int i = round * 10; i < round * 10 + 10; ++i) ASSERT_TRUE((*store)->put(entry(i)));
    for (int i = 0; i < round * 10 + 10; ++i) {
      auto found = (*store)->exact(entry(i).exact_key, {.now = at(0)});
      ASSERT_TRUE(found) << found.error().message;
      ASSERT_EQ(found->size(), 1u);
      EXPECT_EQ(found->front()->response, entry(i).entry.response);
      EXPECT_EQ(found->front()->attributes, entry(i).entry.attributes);
    }
    auto near = (*store)->nearest({}, std::vector<float>{1, 0, 0}, 3, Similarity{0.5}, {.now = at(0)});
    ASSERT_TRUE(near) << near.error().message;
    EXPECT_EQ(near->found.size(), 3u);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace sosie::store
