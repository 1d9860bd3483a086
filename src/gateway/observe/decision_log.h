// decision_log.h: the last decisions, kept in memory so that each can be explained afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "gateway/reply/outcome.h"
#include "protocol/question.h"
#include "protocol/scope.h"
#include "sosie/entry.h"

namespace sosie::gateway {

using ScopeParts = std::vector<protocol::ScopePart>;

/// One decision as it is remembered. The prompt stays in this process's memory, and only its own caller can ask for it.
struct Decision {
  base::Digest caller{};
  protocol::Surface surface = protocol::Surface::chat;
  Outcome outcome;
  TimePoint time{};  ///< When it was asked.
  std::string scope;
  std::string prompt;                       ///< Unset (empty) beyond kMaxPrompt bytes.
  std::shared_ptr<const ScopeParts> parts;  ///< Null for hits: they need no comparing.
  std::vector<std::string> not_obeyed;      ///< See `CacheDirectives`.

  static constexpr std::size_t kMaxPrompt = 4'096;
};

/// In what two scopes differ: "temperature (0.7 there, 0.2 here)" where the values can be shown, "not given" for a part
/// that one of them lacks; else the name alone. REQUIRES: both sorted by name, as `Scope::parts` gives them.
std::vector<std::string> differences(const ScopeParts& there, const ScopeParts& here);

/// Bounded by number and by bytes: the last kDecisions requests (hits push out hits only, so misses stay longer), and of each of
/// the last kCallers callers the last kScopes scopes in which an answer was stored; fewer where they are large.
///
/// Thread-safety: every method may be called from any thread.
class DecisionLog {
 public:
  DecisionLog();

  /// A new request id, "req-" and 24 hex digits: unguessable, and it says where the decision lies.
  std::string new_id();

  /// `id`: from `new_id`, not recorded yet.
  void record(std::string_view id, Decision decision);

  /// What became of the storing of its answer. Does nothing for one that is not remembered, or a hit.
  void note_storing(std::string_view id, Storing storing);

  /// Unset: nobody's, another caller's, or too long ago.
  std::optional<Decision> find(std::string_view id, const base::Digest& caller) const;

  /// An answer that came at this time was stored in a scope of the caller. Without `parts` nothing is noted.
  void note_scope(const base::Digest& caller, const std::string& scope, const std::string& entry_id, std::string_view prompt,
                  TimePoint time, std::shared_ptr<const ScopeParts> parts);

  /// Of the caller's other scopes, of which answers were there when the decision was made, the one that differs in the fewest parts, one with the same prompt first.
  struct Closest {
    std::string entry_id;
    bool same_prompt = false;
    std::vector<std::string> differing;
  };
  /// Unset: there is no other, or the decision has no parts.
  std::optional<Closest> closest_scope(const Decision& decision) const;

  /// About what all of it holds.
  std::uint64_t bytes() const;

  static constexpr std::size_t kDecisions = 8'192, kScopes = 64, kCallers = 256;
  static constexpr std::uint64_t kHitBytes = 8 << 20, kOtherBytes = 32 << 20, kScopeBytes = 16 << 20;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sosie::gateway
