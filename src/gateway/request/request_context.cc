#include "gateway/request/request_context.h"

#include <algorithm>

#include "base/clock.h"
#include "text/utf8.h"

namespace sosie::gateway {
namespace {

using protocol::BadRequest;

std::string scope_name(const base::Digest& digest) { return "ask:" + base::to_hex(digest); }

/// Whether any object in it repeats a key.
bool repeats_a_key(simdjson::dom::element value) {
  if (value.is_array()) {
    for (const simdjson::dom::element each : value.get_array().value_unsafe())
      if (repeats_a_key(each)) return true;
  } else if (value.is_object()) {
    const simdjson::dom::object members = value.get_object().value_unsafe();
    if (protocol::has_duplicate_keys(members)) return true;
    for (const auto& member : members)
      if (repeats_a_key(member.value)) return true;
  }
  return false;
}

bool is_path(std::string_view field) { return field.find('.') != std::string_view::npos; }

/// The body without the ignored fields that lie within others ("metadata.user_id"). Empty: it has none of them.
std::string without_ignored_within(const std::string& body, const simdjson::dom::object& object, const std::vector<std::string>& ignored) {
  std::string less;
  for (const std::string& field : ignored) {
    if (!is_path(field) || object[std::string_view(field).substr(0, field.find('.'))].error() != simdjson::SUCCESS) continue;
    less = protocol::without_path(less.empty() ? body : less, field);
  }
  return less;
}

}  // namespace

std::string_view query_of(std::string_view target) { return target.substr(std::min(target.find('?'), target.size())); }

bool may_use_encoder(const ServerOptions& options, const Tenant& tenant) {
  return options.upstreams.empty() || options.tenant.by == TenantBy::everyone || !tenant.anonymous;
}

std::optional<NotRead> read_question(const ServerOptions& options, protocol::JsonReader& reader, protocol::Scope& scope,
                                     const net::Request& request, const protocol::Protocol& api, RequestContext& context, bool& has_member) {
  auto directives = read_directives(request.headers, options.compat);
  if (auto* bad = std::get_if<BadRequest>(&directives)) return NotRead{std::move(*bad)};
  context.api = &api;
  context.directives = std::get<CacheDirectives>(std::move(directives));
  const bool may_forward = !context.directives.only_if_cached;

  auto root = reader.read(request.body);
  if (!root) return NotRead{{"the request body " + std::string(reader.why()), ""}, may_forward};
  simdjson::dom::object object;
  if (root->get_object().get(object) != simdjson::SUCCESS) return NotRead{{"the request body must be a JSON object", ""}, may_forward};
  const std::string less = without_ignored_within(request.body, object, options.ignored_fields);
  if (!less.empty()) {
    root = reader.read_copy(less);
    if (!root || root->get_object().get(object) != simdjson::SUCCESS) return NotRead{{"the request body repeats a key", ""}};
  }
  const std::string_view ours = options.compat.litellm ? kCacheMember : std::string_view{};
  simdjson::dom::element member;
  has_member = !ours.empty() && object[ours].get(member) == simdjson::SUCCESS;
  if (has_member && !member.is_null()) {
    if (auto bad = read_cache_member(member, context.directives)) return NotRead{std::move(*bad)};
  }

  scope.clear();
  const std::string_view query = query_of(request.target);
  context.tenant = add_caller(request.headers, query, options.tenant, options.compat, options.ignored_headers, scope);
  if (!query.empty()) scope.add("query", query, true);  // It may carry a key.
  if (auto bad = api.read(object, ours, context.question, scope))
    return NotRead{*bad, may_forward && bad->unreadable && !repeats_a_key(*root), has_member};
  if (!options.cross_protocol) scope.add("api", to_string(api.surface()));
  if (!context.directives.partition.empty()) scope.add("partition", context.directives.partition, true);
  for (const std::string& name : options.ignored_fields)
    if (!is_path(name)) scope.remove(name);
  context.scope = scope_name(scope.digest());
  return std::nullopt;
}

std::variant<std::shared_ptr<RequestContext>, NotRead> read_request(GatewayState& state, protocol::JsonReader& reader, protocol::Scope& scope,
                                                           net::Exchange& exchange, const protocol::Protocol& api) {
  const ServerOptions& options = state.options;
  auto context = std::make_shared<RequestContext>();
  context->time = base::system_now();
  bool has_member = false;
  if (auto not_read = read_question(options, reader, scope, exchange.request(), api, *context, has_member)) return std::move(*not_read);
  context->id = state.decisions.new_id();
  const CacheOptions& cache = state.cache->options();
  apply_limits(context->directives, context->tenant.may_loosen, cache.threshold, cache.ttl);
  context->outcome.threshold = context->directives.threshold.value_or(cache.threshold);
  context->verdict = decide::judge_request(options.reuse, context->question.traits, context->question.prompt);
  if (options.opt_in && !context->directives.opted_in) context->verdict = {decide::Reuse::never, Reason::not_asked_for};
  const bool blank = text::is_blank(context->question.prompt);
  if (blank && context->verdict.reuse != decide::Reuse::never) context->verdict = {decide::Reuse::never, Reason::blank_prompt};
  if (context->directives.exact_only && context->verdict.reuse == decide::Reuse::by_meaning)
    context->verdict = {decide::Reuse::exact, Reason::exact_only};
  if (context->verdict.reuse == decide::Reuse::by_meaning && state.cache->embedder().is_too_long(context->question.prompt))
    context->verdict = {decide::Reuse::exact, Reason::long_prompt};
  context->outcome.reuse = context->verdict.reuse;
  context->outcome.reuse_reason = context->verdict.reason;

  context->body = exchange.take_body();
  if (has_member) context->body = protocol::without_member(context->body, kCacheMember);
  return context;
}

}  // namespace sosie::gateway
