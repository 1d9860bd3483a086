// SemanticCache::reembed, with encoders that agree on nothing but the texts.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "redis/test_server.h"
#include "sosie/cache.h"

namespace sosie {
namespace {

/// A vector for each first letter; what follows a bar is not seen.
class Letters final : public Embedder {
 public:
  explicit Letters(std::string name, std::vector<std::string> replaced = {}) : name_(std::move(name)), replaced_(std::move(replaced)) {}
  std::size_t dimension() const noexcept override { return name_.size(); }
  std::string_view fingerprint() const noexcept override { return name_; }
  std::vector<std::string> replaces() const override { return replaced_; }
  std::string unseen(std::string_view text) const override { return std::string(text.substr(std::min(text.find('|'), text.size()))); }
  std::size_t max_tokens() const noexcept override { return 1'000; }
  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
    if (fails) return Error{ErrorCode::unavailable, "no embeddings today"};
    std::vector<Embedding> out;
    for (const std::string_view text : texts) {
      ++embedded;
      Embedding made{.vector = std::vector<float>(dimension()), .unseen = unseen(text)};
      made.vector[static_cast<unsigned char>(text[0]) % dimension()] = 1;
      out.push_back(std::move(made));
    }
    return out;
  }

  mutable std::atomic<std::size_t> embedded{0};
  std::atomic<bool> fails{false};

 private:
  const std::string name_;
  const std::vector<std::string> replaced_;
};

SemanticCache open(CacheOptions options, std::shared_ptr<Letters> encoder) {
  options.embedder = std::move(encoder);
  auto cache = SemanticCache::open(std::move(options));
  EXPECT_TRUE(cache) << cache.error().message;
  return std::move(*cache);
}

void store(SemanticCache& cache, std::string_view prompt, bool exact_only = false) {
  const auto id = cache.store({.prompt = prompt, .scope = "s", .attributes = {{"k", "v"}}}, "of " + std::string(prompt), {.exact_only = exact_only});
  EXPECT_TRUE(id) << id.error().message;
}

/// The response; "" on a miss.
std::string ask(const SemanticCache& cache, std::string_view prompt, Layers layers = Layers::semantic) {
  const auto found = cache.lookup({.prompt = prompt, .scope = "s"}, {.layers = layers});
  EXPECT_TRUE(found) << found.error().message;
  return found->hit() ? found->hits[0].entry->response : "";
}

Reembedded reembed(SemanticCache& cache, std::size_t most) {
  const auto done = cache.reembed(most);
  EXPECT_TRUE(done) << done.error().message;
  return done ? *done : Reembedded{};
}

std::uint64_t reembed_all(SemanticCache& cache) {
  while (reembed(cache, 2).left > 0) {
  }
  return cache.stats().reembedded.moved;
}

/// A folder of a test's own: tests run beside each other.
std::filesystem::path new_folder() {
  std::string pattern = (std::filesystem::path(testing::TempDir()) / "sosie_reembed_XXXXXX").string();
  return mkdtemp(pattern.data());
}

class ReembedFolder : public testing::Test {
 protected:
  ~ReembedFolder() override { std::filesystem::remove_all(options_.data); }

  CacheOptions options_{.data = new_folder(), .durability = Durability::process_crash};
  std::shared_ptr<Letters> former_ = std::make_shared<Letters>("former"), present_ = std::make_shared<Letters>("the present one");
};

TEST_F(ReembedFolder, EntriesOfAFormerEncoderAreFoundByMeaningAgain) {
  std::vector<Entry> before;
  {
    auto cache = open(options_, former_);
    for (const char* prompt : {"a1", "b1", "c1|unseen", "d1"}) store(cache, prompt);
    store(cache, "e1", true);
    EXPECT_EQ(ask(cache, "a2"), "of a1");
    EXPECT_EQ(reembed_all(cache), 0u);
    ASSERT_TRUE(cache.for_each([&](const Entry& entry) { return before.push_back(entry), true; }));
  }
  {
    auto cache = open(options_, present_);
    EXPECT_EQ(ask(cache, "a2"), "") << "as long as nobody has embedded it anew";
    EXPECT_EQ(ask(cache, "a1", Layers::exact), "of a1");
    store(cache, "f1|x");
    const std::size_t others = present_->embedded;
    EXPECT_EQ(reembed(cache, 0).left, 5u) << "four of the former one, and one looked at only";
    EXPECT_EQ(reembed_all(cache), 4u);
    EXPECT_EQ(present_->embedded - others, 4u);
    EXPECT_EQ(cache.stats().reembedded.left, 0u);
    EXPECT_EQ(ask(cache, "a2"), "of a1");
    EXPECT_EQ(ask(cache, "c2|unseen"), "of c1|unseen");
    EXPECT_EQ(ask(cache, "c2|other"), "") << "what is not seen must still be equal";
    EXPECT_EQ(ask(cache, "e2"), "") << "by its text only, as it was stored";
    EXPECT_EQ(cache.stats().entries, 6u);
    for (const Entry& entry : before) {
      const auto after = cache.get(entry.id);
      ASSERT_TRUE(after && after->has_value());
      EXPECT_EQ((*after)->created, entry.created);
      EXPECT_EQ((*after)->attributes, entry.attributes);
      EXPECT_EQ((*after)->exact_only, entry.exact_only);
    }
  }
  const std::size_t all = present_->embedded;
  {
    auto cache = open(options_, present_);
    EXPECT_EQ(reembed_all(cache), 0u);
    EXPECT_EQ(present_->embedded, all) << "a pass that is over is remembered";
    EXPECT_EQ(ask(cache, "b2"), "of b1");
  }
  auto cache = open(options_, former_);
  EXPECT_EQ(reembed_all(cache), 5u) << "whoever comes back finds them, too";
  EXPECT_EQ(ask(cache, "f2|x"), "of f1|x");
}

TEST_F(ReembedFolder, APassThatWasCutShortIsGoneOnWith) {
  constexpr int kEntries = 12;
  const auto prompt = [](int i) { return std::string(1, static_cast<char>('a' + i)) + "1"; };
  {
    auto cache = open(options_, former_);
    for (int i = 0; i < kEntries; ++i) store(cache, prompt(i));
    reembed_all(cache);
  }
  {
    auto cache = open(options_, present_);
    EXPECT_EQ(reembed(cache, 7).left, 5u);
  }
  {
    auto cache = open(options_, former_);  // Someone has changed their mind, for a while.
    EXPECT_EQ(reembed(cache, 3).moved, 3u);
    store(cache, "m1");
  }
  auto cache = open(options_, present_);
  EXPECT_EQ(reembed_all(cache), 5u + 3 + 1);
  EXPECT_EQ(cache.stats().entries, kEntries + 1u);
  for (int i = 0; i <= kEntries; ++i) EXPECT_EQ(ask(cache, prompt(i)), "of " + prompt(i));
}

TEST_F(ReembedFolder, WhatFailsIsLeft) {
  {
    auto cache = open(options_, former_);
    for (const char* prompt : {"a1", "b1", "c1"}) store(cache, prompt);
  }
  auto cache = open(options_, present_);
  present_->fails = true;
  const auto failed = cache.reembed(2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::unavailable);
  EXPECT_EQ(cache.stats().reembedded.left, 3u);
  EXPECT_EQ(ask(cache, "a1", Layers::exact), "of a1");
  present_->fails = false;
  EXPECT_EQ(reembed_all(cache), 3u);
}

TEST_F(ReembedFolder, AnyThreadMayHelpWhileEntriesComeAndGo) {
  constexpr int kEntries = 400;
  const auto prompt = [](int i) { return std::string(1, static_cast<char>('a' + i % 15)) + std::to_string(i) + (i % 3 == 0 ? "|x" : ""); };
  {
    auto cache = open(options_, former_);
    for (int i = 0; i < kEntries; ++i) store(cache, prompt(i));
  }
  auto cache = open(options_, present_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) threads.emplace_back([&] { reembed_all(cache); });
  for (int i = 0; i < kEntries; i += 2) {
    i % 4 == 0 ? store(cache, prompt(i)) : static_cast<void>(cache.erase(cache.lookup({.prompt = prompt(i), .scope = "s"})->hits.at(0).entry->id));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.stats().entries, kEntries * 3u / 4);
  for (int i = 0; i < kEntries; ++i) {
    const auto found = cache.lookup({.prompt = prompt(i), .scope = "s"}, {.layers = Layers::semantic, .max_results = 100});
    ASSERT_TRUE(found);
    const bool there = std::any_of(found->hits.begin(), found->hits.end(), [&](const Hit& hit) { return hit.entry->prompt == prompt(i); });
    EXPECT_EQ(there, i % 4 != 2) << i;
  }
}

TEST(ReembedRedis, OnlyWhatThePresentEncoderReplacesIsTakenFromOthers) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  const CacheOptions options{.redis = RedisStoreOptions{.connection = server.options()}};
  const auto present = std::make_shared<Letters>("the present one", std::vector<std::string>{"former"});
  auto former = open(options, std::make_shared<Letters>("former")), strange = open(options, std::make_shared<Letters>("strange"));
  store(former, "a1");
  store(former, "b1|unseen");
  store(strange, "c1");
  {
    auto cache = open(options, present);
    store(cache, "d1|unseen");
    EXPECT_EQ(reembed_all(cache), 2u);
    EXPECT_EQ(ask(cache, "a2"), "of a1");
    EXPECT_EQ(ask(cache, "b2|unseen"), "of b1|unseen");
    EXPECT_EQ(ask(cache, "c2"), "");
  }
  // Those that replace nothing do not take them back.
  EXPECT_EQ(reembed_all(former), 0u);
  EXPECT_EQ(reembed_all(strange), 0u);
  EXPECT_EQ(ask(strange, "c2"), "of c1");
  // A process of the former version that still runs stores more of its own.
  store(former, "e1");
  auto cache = open(options, present);
  EXPECT_EQ(reembed_all(cache), 1u);
  EXPECT_EQ(ask(cache, "e2"), "of e1");
  EXPECT_EQ(cache.stats().entries, 5u);
}

/// The local encoder as it called its int8 vectors before.
class FormerLocal final : public Embedder {
 public:
  explicit FormerLocal(std::shared_ptr<const Embedder> real) : real_(std::move(real)), name_(real_->replaces().at(0)) {}
  std::size_t dimension() const noexcept override { return real_->dimension(); }
  std::string_view fingerprint() const noexcept override { return name_; }
  std::string unseen(std::string_view text) const override { return real_->unseen(text); }
  std::size_t max_tokens() const noexcept override { return real_->max_tokens(); }
  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override { return real_->embed(texts); }

 private:
  const std::shared_ptr<const Embedder> real_;
  const std::string name_;
};

TEST(ReembedLocal, TheDefaultEncoderReplacesWhatItWas) {
  const auto opened = open_local_encoder();
  ASSERT_TRUE(opened) << opened.error().message;
  const std::shared_ptr<const Embedder> encoder = *opened;
  ASSERT_EQ(encoder->replaces().size(), 1u);
  EXPECT_NE(encoder->replaces()[0], encoder->fingerprint());
  const auto former = std::make_shared<FormerLocal>(encoder);
  std::vector<CacheOptions> places{{.data = new_folder()}};
  std::optional<redis::TestServer> server;
  if (redis::TestServer::missing().empty()) {
    server.emplace();
    places.push_back({.redis = RedisStoreOptions{.connection = server->options()}});
  }
  for (CacheOptions& options : places) {
    options.embedder = former;
    {
      auto cache = *SemanticCache::open(options);
      for (const char* prompt : {"How do I reset my password?", "\u00bfCu\u00e1ntos a\u00f1os tiene?"}) ASSERT_TRUE(cache.store({.prompt = prompt}, "answer"));
    }
    options.embedder = encoder;
    auto cache = *SemanticCache::open(options);
    const auto hits = [&cache](std::string_view prompt) { return cache.lookup({.prompt = prompt}, {.layers = Layers::semantic})->hit(); };
    EXPECT_FALSE(hits("How can I reset my password?"));
    EXPECT_EQ(reembed_all(cache), 2u);
    EXPECT_TRUE(hits("How can I reset my password?"));
    EXPECT_TRUE(hits("\u00bfCu\u00e1ntos a\u00f1os tiene?"));
  }
  std::filesystem::remove_all(places[0].data);
}

}  // namespace
}  // namespace sosie
