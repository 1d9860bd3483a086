#include "gateway/observe/decision_log.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "gateway/observe/request_ids.h"

namespace sosie::gateway {
namespace {

constexpr base::Digest kBlue{1}, kRed{2};
constexpr TimePoint kEarlier{std::chrono::milliseconds(1'000)}, kNow{std::chrono::milliseconds(2'000)}, kLater{std::chrono::milliseconds(3'000)};

Decision decision(const base::Digest& caller, CacheStatus cache_status = CacheStatus::miss) {
  Decision made;
  made.caller = caller;
  made.outcome.cache_status = cache_status;
  made.scope = "scope";
  made.prompt = "prompt";
  made.time = kNow;
  return made;
}

protocol::ScopePart part(std::string name, std::uint64_t hash, std::string shown = "") {
  return {std::move(name), hash, std::move(shown)};
}

std::shared_ptr<const ScopeParts> parts(ScopeParts list) { return std::make_shared<const ScopeParts>(std::move(list)); }

TEST(RequestIds, LookAlikeAndNeverRepeat) {
  RequestIds ids;
  std::set<std::string> seen;
  for (std::uint32_t i = 0; i < 1'000; ++i) {
    const std::string id = ids.next();
    EXPECT_EQ(id.size(), 28u);
    EXPECT_TRUE(id.starts_with("req-"));
    EXPECT_EQ(ids.number_of(id), i);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1'000u);
}

TEST(RequestIds, CannotBeMadeUp) {
  RequestIds ids, others;
  const std::string id = ids.next();
  EXPECT_FALSE(others.number_of(id));
  for (std::size_t i = 4; i < id.size(); ++i) {
    std::string changed = id;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_FALSE(ids.number_of(changed)) << i;
  }
  for (std::string_view bad :
       {"", "req-", "req-00000000000000000000000g", "REQ-000000000000000000000000", "req-0000000000000000000000000",
        "req-+00000000000000000000000", "req- 00000000000000000000000", "req-000000000000000000000000"})
    EXPECT_FALSE(ids.number_of(bad)) << bad;
  std::string loud = id;
  for (char& c : loud)
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 'a' + 'A');
  if (loud != id) {
    EXPECT_FALSE(ids.number_of(loud));
  }
}

TEST(DecisionLog, LearnAfterwardsWhetherTheAnswerWasStored) {
  DecisionLog decisions;
  const std::string id = decisions.new_id(), hit = decisions.new_id();
  decisions.note_storing(id, {Storing::State::stored, {}, {}});  // It is not remembered yet.
  decisions.record(id, decision(kBlue));
  decisions.record(hit, decision(kBlue, CacheStatus::hit));
  decisions.note_storing(id, {Storing::State::no, Reason::finish_reason, "choices[0].finish_reason"});
  const Storing storing = decisions.find(id, kBlue)->outcome.storing;
  EXPECT_EQ(storing.state, Storing::State::no);
  EXPECT_EQ(storing.reason, Reason::finish_reason);
  EXPECT_EQ(storing.field, "choices[0].finish_reason");
  decisions.note_storing(id, {Storing::State::stored, {}, {}});
  EXPECT_EQ(decisions.find(id, kBlue)->outcome.storing.state, Storing::State::stored);
  decisions.note_storing(hit, {Storing::State::stored, {}, {}});
  EXPECT_EQ(decisions.find(hit, kBlue)->outcome.storing.state, Storing::State::no);
  decisions.note_storing("req-made-up", {Storing::State::stored, {}, {}});
}

TEST(DecisionLog, AreFoundByTheirOwnCallerOnly) {
  DecisionLog decisions;
  const std::string id = decisions.new_id();
  EXPECT_FALSE(decisions.find(id, kBlue));
  decisions.record(id, decision(kBlue));
  ASSERT_TRUE(decisions.find(id, kBlue));
  EXPECT_EQ(decisions.find(id, kBlue)->prompt, "prompt");
  EXPECT_FALSE(decisions.find(id, kRed));
  EXPECT_FALSE(decisions.find(decisions.new_id(), kBlue));
  EXPECT_FALSE(decisions.find("req-000000000000000000000000", kBlue));
  EXPECT_FALSE(decisions.find("", kBlue));
}

TEST(DecisionLog, AreForgottenInTurn) {
  DecisionLog decisions;
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < DecisionLog::kDecisions + 10; ++i) {
    ids.push_back(decisions.new_id());
    decisions.record(ids.back(), decision(kBlue));
  }
  for (std::size_t i = 0; i < 10; ++i) EXPECT_FALSE(decisions.find(ids[i], kBlue)) << i;
  for (std::size_t i = 10; i < ids.size(); ++i) EXPECT_TRUE(decisions.find(ids[i], kBlue)) << i;
}

// A request of the largest size that is remembered.
Decision large(CacheStatus cache_status = CacheStatus::miss) {
  Decision made = decision(kBlue, cache_status);
  made.prompt.assign(Decision::kMaxPrompt, 'x');
  ScopeParts many;
  for (int i = 0; i < 128; ++i) many.push_back(part(std::string(128, 'n'), 1, std::string(42, 's')));
  if (cache_status != CacheStatus::hit) made.parts = parts(std::move(many));
  return made;
}

TEST(DecisionLog, AreBoundedByTheirBytesToo) {
  constexpr std::uint64_t kAll = DecisionLog::kHitBytes + DecisionLog::kOtherBytes + DecisionLog::kScopeBytes;
  DecisionLog decisions;
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < DecisionLog::kDecisions; ++i) {
    const Decision made = large();
    decisions.note_scope(base::sha256(std::to_string(i / 8)), std::to_string(i), "e", made.prompt, kEarlier, made.parts);
    decisions.note_scope(kBlue, std::to_string(i), "e", made.prompt, kEarlier, made.parts);
    ids.push_back(decisions.new_id());
    decisions.record(ids.back(), made);
    decisions.record(decisions.new_id(), large(CacheStatus::hit));
    ASSERT_LE(decisions.bytes(), kAll);
  }
  EXPECT_GT(decisions.bytes(), kAll * 9 / 10);
  EXPECT_TRUE(decisions.find(ids.back(), kBlue));
  EXPECT_TRUE(decisions.find(ids[ids.size() - 500], kBlue));
  EXPECT_FALSE(decisions.find(ids.front(), kBlue));
  Decision asked = large();
  asked.scope = "another";
  EXPECT_TRUE(decisions.closest_scope(asked));
}

TEST(DecisionLog, HitsPushNoMissOut) {
  DecisionLog decisions;
  const std::string miss = decisions.new_id();
  decisions.record(miss, decision(kBlue));
  for (std::size_t i = 0; i < 2 * DecisionLog::kDecisions; ++i)
    decisions.record(decisions.new_id(), decision(kBlue, CacheStatus::hit));
  EXPECT_TRUE(decisions.find(miss, kBlue));
}

TEST(DecisionLog, TakeAnyThread) {
  DecisionLog decisions;
  std::vector<std::thread> threads;
  for (std::uint8_t t = 0; t < 4; ++t)
    threads.emplace_back([&decisions, t] {
      const base::Digest caller{t};
      for (int i = 0; i < 2'000; ++i) {
        const std::string id = decisions.new_id();
        decisions.record(id, decision(caller, i % 2 == 0 ? CacheStatus::hit : CacheStatus::miss));
        decisions.note_scope(caller, "s" + std::to_string(i), "e", "p", kEarlier, parts({part("a", 1)}));
        const auto found = decisions.find(id, caller);
        EXPECT_TRUE(!found || found->caller == caller);
        decisions.closest_scope(decision(caller));
      }
    });
  for (std::thread& each : threads) each.join();
}

TEST(Differences, NameWhatDiffersAndShowWhatMayBeShown) {
  const ScopeParts there = {part("model", 1, "\"m\""), part("seed", 5, "7"), part("temperature", 2, "0.7"),
                            part("tools", 3)};
  const ScopeParts here = {part("model", 1, "\"m\""), part("temperature", 4, "0.2"), part("tenant", 9),
                           part("tools", 8)};
  EXPECT_EQ(differences(there, here),
            (std::vector<std::string>{"seed (7 there, not given here)", "temperature (0.7 there, 0.2 here)", "tenant",
                                      "tools"}));
  EXPECT_EQ(differences(here, there)[0], "seed (not given there, 7 here)");
  EXPECT_TRUE(differences(here, here).empty());
  EXPECT_EQ(differences({}, {part("a", 1, "1")}), std::vector<std::string>{"a (not given there, 1 here)"});
}

TEST(ClosestScope, DiffersInTheFewestParts) {
  DecisionLog decisions;
  Decision asked = decision(kBlue);
  asked.parts = parts({part("model", 1), part("temperature", 2, "0.2")});
  EXPECT_FALSE(decisions.closest_scope(asked));
  decisions.note_scope(kBlue, "far", "e1", "another prompt", kEarlier,
                       parts({part("model", 7), part("temperature", 8, "1"), part("seed", 3)}));
  decisions.note_scope(kBlue, "near", "e2", "another prompt", kEarlier, parts({part("model", 1), part("temperature", 9, "0.7")}));
  auto closest = decisions.closest_scope(asked);
  ASSERT_TRUE(closest);
  EXPECT_EQ(closest->entry_id, "e2");
  EXPECT_FALSE(closest->same_prompt);
  EXPECT_EQ(closest->differing, std::vector<std::string>{"temperature (0.7 there, 0.2 here)"});

  decisions.note_scope(kBlue, "far", "e3", "prompt", kEarlier, parts({part("model", 7)}));
  decisions.note_scope(kBlue, "far", "e4", "a later one", kEarlier, parts({part("model", 7)}));
  closest = decisions.closest_scope(asked);
  ASSERT_TRUE(closest);
  EXPECT_EQ(closest->entry_id, "e3");  // the same prompt comes first
  EXPECT_TRUE(closest->same_prompt);
}

TEST(ClosestScope, WasThereWhenItWasAsked) {
  DecisionLog decisions;
  Decision asked = decision(kBlue);
  asked.parts = parts({part("model", 1)});
  decisions.note_scope(kBlue, "later", "e1", "prompt", kLater, parts({part("model", 2)}));
  EXPECT_FALSE(decisions.closest_scope(asked));
  decisions.note_scope(kBlue, "far", "e2", "another", kEarlier, parts({part("model", 3), part("seed", 1)}));
  EXPECT_EQ(decisions.closest_scope(asked)->entry_id, "e2");
  decisions.note_scope(kBlue, "far", "e3", "prompt", kLater, parts({part("model", 3), part("seed", 1)}));
  EXPECT_EQ(decisions.closest_scope(asked)->entry_id, "e2");
  EXPECT_FALSE(decisions.closest_scope(asked)->same_prompt);
}

TEST(ClosestScope, IsTheCallersOwnAndNotTheAskedOne) {
  DecisionLog decisions;
  Decision asked = decision(kBlue);
  asked.parts = parts({part("model", 1)});
  decisions.note_scope(kRed, "other", "e1", "prompt", kEarlier, parts({part("model", 2)}));
  decisions.note_scope(kBlue, "scope", "e2", "prompt", kEarlier, parts({part("model", 1)}));
  EXPECT_FALSE(decisions.closest_scope(asked));
  asked.parts = nullptr;
  decisions.note_scope(kBlue, "third", "e3", "prompt", kEarlier, parts({part("model", 3)}));
  EXPECT_FALSE(decisions.closest_scope(asked));
}

TEST(ClosestScope, RemembersTheLastScopesAndCallers) {
  DecisionLog decisions;
  Decision asked = decision(kBlue);
  asked.parts = parts({part("n", 0)});
  decisions.note_scope(kBlue, "first", "first", "prompt", kEarlier, parts({part("n", 1)}));
  for (std::size_t i = 0; i < DecisionLog::kScopes; ++i)
    decisions.note_scope(kBlue, "s" + std::to_string(i), "later", "other", kEarlier, parts({part("n", 2)}));
  EXPECT_EQ(decisions.closest_scope(asked)->entry_id, "later");
  for (std::size_t i = 0; i < DecisionLog::kCallers; ++i)
    decisions.note_scope(base::sha256(std::to_string(i)), "s", "e", "p", kEarlier, parts({part("n", 2)}));
  EXPECT_FALSE(decisions.closest_scope(asked));
}

}  // namespace
}  // namespace sosie::gateway
