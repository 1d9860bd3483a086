// asking.h: one request on its way through the gateway.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/outcome.h"
#include "gateway/shared.h"
#include "gateway/tenant.h"
#include "gateway/wishes.h"
#include "net/http_server.h"
#include "protocol/protocol.h"

namespace sosie::gateway {

struct Asking {
  const protocol::Protocol* api = nullptr;
  protocol::Question question;
  std::string scope;
  std::shared_ptr<const std::vector<protocol::ScopePart>> parts;  ///< Null for hits: nobody compares them.
  Tenant tenant;
  Wishes wishes;
  decide::Verdict verdict;
  std::string id;    ///< For `GET /v1/explain/`.
  TimePoint time{};  ///< When it was read.
  std::string body;  ///< As it goes to the upstream.
  Outcome outcome;
  std::shared_ptr<const Embedding> embedding;
  bool may_store = true;
  bool may_follow = true;
};

/// All that jobs on other threads are given of a request: what never changes. The rest of it is its own thread's.
struct AskedText {
  explicit AskedText(const std::shared_ptr<const Asking>& asking)
      : prompt(asking->question.prompt), scope(asking->scope), owner_(asking) {}
  std::string_view prompt, scope;

 private:
  std::shared_ptr<const void> owner_;
};

/// Reads a request. The exchange gives its body up; `scope` is left as the request's.
std::variant<std::shared_ptr<Asking>, protocol::BadRequest> read_asking(Shared& shared, protocol::JsonReader& reader,
                                                                        protocol::Scope& scope, net::Exchange& exchange,
                                                                        const protocol::Protocol& api);

/// Reads what a request asks into `asking`: question, scope, tenant, wishes. For who stores an answer that nobody has asked for.
/// Sets `has_member` where the body has a `cache` member of LiteLLM's.
std::optional<protocol::BadRequest> read_question(const ServerOptions& options, protocol::JsonReader& reader, protocol::Scope& scope,
                                                  const net::Request& request, const protocol::Protocol& api, Asking& asking,
                                                  bool& has_member);

/// With its "?"; empty without one.
std::string_view query_of(std::string_view target);

}  // namespace sosie::gateway
