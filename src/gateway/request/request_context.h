// request_context.h: one request on its way through the gateway.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/reply/outcome.h"
#include "gateway/request/cache_directives.h"
#include "gateway/request/tenant.h"
#include "gateway/state.h"
#include "net/http_server.h"
#include "protocol/protocol.h"

namespace sosie::gateway {

struct RequestContext {
  const protocol::Protocol* api = nullptr;
  protocol::Question question;
  std::string scope;
  std::shared_ptr<const std::vector<protocol::ScopePart>> parts;  ///< Null for hits: nobody compares them.
  Tenant tenant;
  CacheDirectives directives;
  decide::Verdict verdict;
  std::string id;    ///< For `GET /v1/explain/`.
  TimePoint time{};  ///< When it was read.
  std::string body;  ///< As it goes to the upstream.
  Outcome outcome;
  std::shared_ptr<const Embedding> embedding;
  Reason not_storable = Reason::none;  ///< Why its answer must not be stored.
  bool may_follow = true;
  bool asks_usage = false;  ///< Of the upstream, for the cache: a stream whose caller did not ask for it.

  bool may_store() const noexcept { return not_storable == Reason::none; }
};

/// All that jobs on other threads are given of a request: what never changes. The rest of it is its own thread's.
struct RequestText {
  explicit RequestText(const std::shared_ptr<const RequestContext>& context)
      : prompt(context->question.prompt), scope(context->scope), owner_(context) {}
  std::string_view prompt, scope;

 private:
  std::shared_ptr<const void> owner_;
};

/// Why a request cannot be answered by way of the cache.
struct NotRead {
  protocol::BadRequest fault;

  /// The fault is in what is the upstream's to read: it may take what is not understood here. Else the request must go no further:
  /// it says something of the cache that is wrong, asks for the cache alone, or repeats a key, of which readers take one or the other.
  bool may_forward = false;
  bool has_member = false;  ///< The body is an object with a `cache` member of LiteLLM's, which is not the upstream's.
};

/// Reads a request. The exchange gives its body up, unless it is not read; `scope` is left as the request's.
std::variant<std::shared_ptr<RequestContext>, NotRead> read_request(GatewayState& state, protocol::JsonReader& reader, protocol::Scope& scope,
                                                           net::Exchange& exchange, const protocol::Protocol& api);

/// Reads what a request asks into `context`: question, scope, tenant, directives. For who stores an answer that nobody has asked for.
/// Sets `has_member` where the body has a `cache` member of LiteLLM's.
std::optional<NotRead> read_question(const ServerOptions& options, protocol::JsonReader& reader, protocol::Scope& scope,
                                     const net::Request& request, const protocol::Protocol& api, RequestContext& context, bool& has_member);

/// With its "?"; empty without one.
std::string_view query_of(std::string_view target);

/// Whether a caller may be told how alike texts are: by the local encoder, LangCache's API or an explanation's candidates. Where
/// callers bring keys of their own, one that names itself by nothing may not. No key is checked: the gateway knows none.
bool may_use_encoder(const ServerOptions& options, const Tenant& tenant);

/// LiteLLM's member of a body.
inline constexpr std::string_view kCacheMember = "cache";

}  // namespace sosie::gateway
