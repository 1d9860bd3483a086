#include "decide/reuse.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "decide/time_bound.h"
#include "text/glob.h"

namespace sosie::decide {
namespace {

constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
constexpr bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
using base::is_digit;

/// Keeps the strictest rule; of two as strict the first.
void tighten(Verdict& verdict, bool holds, Reuse reuse, Reason reason) noexcept {
  if (!holds || reuse <= verdict.reuse) return;
  verdict.reuse = reuse;
  verdict.reason = reason;
}

bool lists(const std::vector<std::string>& patterns, std::string_view name) noexcept {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& each) { return text::matches_glob(each, name); });
}

// Words that say that something is looked at only. The first verb of a name tells: "get_order", "list_payments",
// "github_search".
constexpr std::array<std::string_view, 44> kLooks = {
    "analyze",   "browse", "calc",      "calculate", "check",    "compare", "compute", "convert", "count",
    "describe",  "detect", "encode",    "estimate",  "evaluate", "explain", "fetch",   "find",    "get",
    "has",       "is",     "list",      "load",      "lookup",   "parse",   "peek",    "ping",    "preview",
    "query",     "read",   "resolve",   "retrieve",  "scan",     "search",  "select",  "show",    "stat",
    "summarize", "tail",   "translate", "validate",  "verify",   "view",    "watch",   "what"};

// Words that say that something is changed, wherever they stand: "get_and_delete", "list_create".
constexpr std::array<std::string_view, 73> kChanges = {
    "accept",    "activate",  "add",        "adjust",      "allocate",  "append",     "approve", "assign",   "attach",
    "authorize", "buy",       "cancel",     "commit",      "create",    "deactivate", "decline", "delete",   "deploy",
    "destroy",   "disable",   "donate",     "edit",        "enable",    "enqueue",    "erase",   "exec",     "execute",
    "grant",     "increment", "insert",     "install",     "invite",    "invoke",     "kill",    "migrate",  "modify",
    "notify",    "publish",   "purchase",   "put",         "reboot",    "register",   "reject",  "remove",   "rename",
    "replace",   "reserve",   "restart",    "restore",     "resume",    "revoke",     "save",    "sell",     "send",
    "set",       "shutdown",  "spawn",      "submit",      "subscribe", "terminate",  "toggle",  "truncate", "unblock",
    "uninstall", "unlock",    "unregister", "unsubscribe", "update",    "upload",     "upsert",  "wipe",     "withdraw",
    "write"};

// Words that do, too, but not behind one of kLooks, where they are things: "get_order", "read_mail".
constexpr std::array<std::string_view, 74> kChangesOrThings = {
    "apply",    "archive",  "ban",   "bash",  "bid",     "block",    "book",     "build",     "call",    "change",
    "charge",   "checkout", "clear", "click", "close",   "command",  "complete", "confirm",   "copy",    "debit",
    "dispatch", "drop",     "email", "eval",  "forward", "issue",    "join",     "kick",      "launch",  "lock",
    "login",    "logout",   "mail",  "mark",  "merge",   "message",  "move",     "open",      "order",   "patch",
    "pause",    "pay",      "place", "play",  "post",    "press",    "print",    "provision", "push",    "refund",
    "release",  "remind",   "renew", "reply", "reset",   "rollback", "run",      "schedule",  "share",   "shell",
    "sign",     "start",    "stop",  "store", "swap",    "sync",     "tip",      "transfer",  "trigger", "turn",
    "type",     "upgrade",  "vote",  "wire"};

template <std::size_t N>
bool has(const std::array<std::string_view, N>& words, std::string_view word) noexcept {
  return std::binary_search(words.begin(), words.end(), word);
}

/// The words of "send_mail", "deleteUser", "get-HTTPStatus", in lower case, to `visit` until it says no more.
template <class Visit>
void for_each_word(std::string_view name, Visit visit) {
  std::string word;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const char before = i == 0 ? '_' : name[i - 1];
    const char after = i + 1 < name.size() ? name[i + 1] : '_';
    const bool begins = is_upper(c) && (!is_upper(before) || is_lower(after));
    if ((begins || !(is_lower(c) || is_upper(c) || is_digit(c))) && !word.empty()) {
      if (!visit(std::string_view(word))) return;
      word.clear();
    }
    if (is_upper(c)) word.push_back(static_cast<char>(c - 'A' + 'a'));
    if (is_lower(c) || is_digit(c)) word.push_back(c);
  }
  if (!word.empty()) visit(std::string_view(word));
}

}  // namespace

std::string_view to_string(Reuse reuse) noexcept {
  switch (reuse) {
    case Reuse::by_meaning: return "semantic";
    case Reuse::exact: return "exact";
    case Reuse::never: break;
  }
  return "bypass";
}

Verdict judge_request(const ReusePolicy& policy, const Traits& traits, std::string_view prompt) {
  Verdict verdict;
  tighten(verdict, traits.hidden_state, Reuse::never, Reason::hidden_state);
  tighten(verdict, traits.hosted_tools, policy.hosted_tools, Reason::hosted_tools);
  tighten(verdict, traits.temperature > policy.high_temperature_above, policy.high_temperature, Reason::high_temperature);
  tighten(verdict, traits.embeddings, Reuse::exact, Reason::embeddings);
  tighten(verdict, traits.no_text, Reuse::exact, Reason::no_text);
  tighten(verdict, traits.open_turn, policy.open_turn, Reason::open_turn);
  tighten(verdict, traits.seed, policy.seed, Reason::seed);
  tighten(verdict, traits.logprobs, policy.logprobs, Reason::logprobs);
  tighten(verdict, traits.choices > 1, policy.several_choices, Reason::several_choices);
  tighten(verdict, traits.completion, policy.completions, Reason::completions);
  // A vector does not depend on the time; and the words are read last, only where they can still matter.
  if (policy.time_bound > verdict.reuse && !traits.embeddings && is_time_bound(prompt)) {
    verdict.tool_calls_only = policy.time_bound == Reuse::never && !traits.functions.empty();
    tighten(verdict, true, verdict.tool_calls_only ? Reuse::exact : policy.time_bound, Reason::time_bound);
  }
  return verdict;
}

Verdict judge_answer(const ReusePolicy& policy, const std::vector<std::string>& called_tools) {
  Verdict verdict;
  for (const std::string& tool : called_tools) {
    switch (class_of(policy.tools, tool)) {
      case ToolClass::write: tighten(verdict, true, policy.write_tool_call, Reason::write_tools); break;
      case ToolClass::read: tighten(verdict, true, policy.read_tool_call, Reason::read_tools); break;
      case ToolClass::pure: tighten(verdict, true, policy.pure_tool_call, Reason::pure_tools); break;
    }
  }
  return verdict;
}

Reuse judge(const ReusePolicy& policy, const Verdict& request, const std::vector<std::string>& called_tools) {
  if (request.tool_calls_only && called_tools.empty()) return Reuse::never;
  return std::max(request.reuse, judge_answer(policy, called_tools).reuse);
}

ToolClass class_of(const ToolPolicy& policy, std::string_view tool) {
  if (lists(policy.write, tool)) return ToolClass::write;
  if (lists(policy.read, tool)) return ToolClass::read;
  if (lists(policy.pure, tool)) return ToolClass::pure;
  ToolClass found = ToolClass::read;
  bool looks = false;
  for_each_word(tool, [&](std::string_view word) {
    looks = looks || has(kLooks, word);
    if (!has(kChanges, word) && (looks || !has(kChangesOrThings, word))) return true;
    found = ToolClass::write;
    return false;
  });
  return found;
}

}  // namespace sosie::decide
