// explain.h: the last decisions, kept in memory so that each can be explained afterwards.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/digest.h"
#include "gateway/outcome.h"
#include "protocol/scope.h"

namespace sosie::gateway {

/// One decision as it is remembered. The prompt stays in this process's memory, and only its own tenant can ask for it.
struct Decision {
  base::Digest tenant{};
  protocol::Surface surface = protocol::Surface::chat;
  Outcome outcome;
  TimePoint time{};
  std::string scope;
  std::string prompt;  ///< Unset (empty) beyond kMaxPrompt bytes.
  std::shared_ptr<const std::vector<protocol::ScopePart>> parts;  ///< Null for hits: they need no comparing.

  static constexpr std::size_t kMaxPrompt = 4'096;
};

/// Names in which two scopes differ, as "temperature (0.7, here 0.2)" where both values can be shown, else "tools".
std::vector<std::string> differences(const std::vector<protocol::ScopePart>& there, const std::vector<protocol::ScopePart>& here);

/// Thread-safety: every method may be called from any thread. Bounded: the last kDecisions requests, and of each tenant the last
/// kScopes scopes in which an answer was stored.
class Decisions {
 public:
  Decisions();

  /// A new request id, "req-" and 24 hex digits: unguessable, and it says where the decision lies.
  std::string new_id();
  void record(std::string_view id, Decision decision);

  /// Unset: nobody's, another tenant's, or too long ago.
  std::optional<Decision> find(std::string_view id, const base::Digest& tenant) const;

  /// An answer was stored in a scope of the tenant.
  void note_scope(const base::Digest& tenant, const std::string& scope, const std::string& entry_id, std::string_view prompt,
                  std::shared_ptr<const std::vector<protocol::ScopePart>> parts);

  /// For a miss whose scope has no entry: the tenant's scope that differs in the fewest parts, one with the same prompt first.
  struct Closest {
    std::string entry_id;
    bool same_prompt = false;
    std::vector<std::string> differing;
  };
  std::optional<Closest> closest_scope(const Decision& decision) const;

  static constexpr std::size_t kDecisions = 8'192, kScopes = 64, kTenants = 1'024;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// The JSON of `GET /v1/explain/{id}`: what happened, what decided, the scope's parts, and the candidates as the cache has them now
/// (best first, with their similarities in cosine and in LangCache's measure). Blocks: looks the candidates up. `closest` may be unset.
std::string explain(std::string_view id, const Decision& decision, const SemanticCache& cache, const std::optional<Decisions::Closest>& closest);

}  // namespace sosie::gateway
