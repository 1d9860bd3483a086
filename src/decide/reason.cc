#include "decide/reason.h"

#include <array>
#include <cstddef>

namespace sosie::decide {
namespace {

struct Row {
  Reason reason;
  std::string_view name, words;
  bool counted = false;
};

// In the order of the enumerators.
constexpr auto kRows = std::to_array<Row>({
    {Reason::none, "", ""},

    // Why the cache had no answer.
    {Reason::empty_scope, "empty_scope", "no entry in this scope", true},
    {Reason::below_threshold, "below_threshold", "the nearest entry in this scope is below the threshold", true},
    {Reason::filtered, "filtered", "an entry was near enough, but older than the request allows", true},
    {Reason::not_exact, "not_exact", "no entry in this scope has this very text, and others were not considered", true},
    {Reason::unseen_differs, "unseen_differs", "no entry in this scope was compared: what the encoder does not see differs", true},
    {Reason::long_prompt, "long_prompt", "the text is too long to be compared by meaning", true},
    {Reason::other_api, "other_api", "the entry found came by another API, and cannot be said in this one without loss", true},
    {Reason::not_stored, "not_stored", "the upstream did not keep the response found, and the request needs it there"},
    {Reason::no_usage, "no_usage", "the answer does not say what it cost, on which clients count"},
    {Reason::overloaded, "overloaded", "too many lookups were waiting", true},
    {Reason::lookup_timeout, "lookup_timeout", "the lookup took too long", true},
    {Reason::lookup_error, "lookup_error", "the lookup failed", true},
    {Reason::unreadable_entry, "unreadable_entry", "the entry found cannot be read", true},

    // Why the cache was not asked, or asked for the same text only.
    {Reason::no_cache, "no_cache", "the request asked for a fresh answer", true},
    {Reason::not_asked_for, "not_asked_for", "the server wants to be asked for the cache, and was not", true},
    {Reason::blank_prompt, "blank_prompt", "there is nothing to match", true},
    {Reason::exact_only, "exact_only", "the request asks for the same text only"},
    {Reason::several_choices, "several_choices", "the request wants several choices", true},
    {Reason::logprobs, "logprobs", "the request wants log-probabilities", true},
    {Reason::seed, "seed", "the request sets a seed", true},
    {Reason::high_temperature, "high_temperature", "the temperature asks for variety", true},
    {Reason::hosted_tools, "hosted_tools", "the upstream runs tools for this request", true},
    {Reason::hidden_state, "hidden_state", "the request refers to something at the upstream that may change", true},
    {Reason::open_turn, "open_turn", "the last message is not the user's", true},
    {Reason::completions, "completions", "the text is one to go on with", true},
    {Reason::time_bound, "time_bound", "the right answer depends on when the question is asked", true},
    {Reason::no_text, "no_text", "there is no text to match by meaning", true},
    {Reason::embeddings, "embeddings", "vectors are found by the same input only", true},

    // Why a request went past the cache.
    {Reason::not_cacheable, "not_cacheable", "the request is none whose answers are kept"},
    {Reason::unreadable_request, "unreadable_request", "the request could not be read here"},

    // Why an answer is not stored (yet).
    {Reason::pending, "pending", "the answer is not all there, or not written yet"},
    {Reason::from_cache, "from_cache", "the answer came from the cache"},
    {Reason::coalesced, "coalesced", "the answer came from another request's call, which stores it"},
    {Reason::no_store, "no_store", "the request asked for that"},
    {Reason::no_whole_answer, "no_whole_answer", "no whole answer came"},
    {Reason::upstream_status, "upstream_status", "the upstream's status was not 200"},
    {Reason::content_encoding, "content_encoding", "the upstream encoded its answer"},
    {Reason::not_a_stream, "not_a_stream", "a stream was asked for, and the answer is none"},
    {Reason::too_long, "too_long", "the answer is longer than max_kept"},
    {Reason::memory, "memory", "too much was being held for clients who had not read it yet"},
    {Reason::write_tools, "write_tools", "the answer calls a tool that changes something"},
    {Reason::read_tools, "read_tools", "the answer calls a tool that reads, and the settings say not to keep such"},
    {Reason::pure_tools, "pure_tools", "the answer calls a tool, and the settings say not to keep such"},
    {Reason::embedding_failed, "embedding_failed", "the question could not be embedded"},
    {Reason::store_busy, "store_busy", "too many answers were waiting to be stored"},
    {Reason::store_timeout, "store_timeout", "the store took too long; it may have the answer all the same"},
    {Reason::store_full, "store_full", "the disk is full"},
    {Reason::store_failed, "store_failed", "the store did not take it"},
    {Reason::finish_reason, "finish_reason", "the answer did not end by itself"},
    {Reason::status, "status", "the response did not complete"},
    {Reason::incomplete, "incomplete", "the answer is not complete"},
    {Reason::error_inside, "error_inside", "the upstream says that it failed"},
    {Reason::empty_answer, "empty_answer", "the answer says nothing"},
    {Reason::no_content, "no_content", "the answer has no content that can be read"},
    {Reason::no_message, "no_message", "a choice of the answer has no message"},
    {Reason::incomplete_item, "incomplete_item", "an item of the answer is not complete"},
    {Reason::too_many_fields, "too_many_fields", "the answer has more fields than are looked at"},
    {Reason::choice_count, "choice_count", "the number of choices is not what was asked for"},
    {Reason::no_choices, "no_choices", "the answer has no choices"},
    {Reason::not_json, "not_json", "the answer is not JSON that can be read"},
    {Reason::repeated_key, "repeated_key", "the answer repeats a key"},
    {Reason::not_a_completion, "not_a_completion", "the answer is no completion as the API describes it"},
    {Reason::not_a_message, "not_a_message", "the answer is no message as the API describes it"},
    {Reason::not_a_response, "not_a_response", "the answer is no response as the API describes it"},
    {Reason::no_data, "no_data", "the answer lacks its embeddings"},
    {Reason::tool_calls, "tool_calls", "the tool calls are not whole"},
    {Reason::unknown_delta, "unknown_delta", "the stream has a member in several pieces that nobody has said how to join"},
    {Reason::unknown_choice_field, "unknown_choice_field", "a choice of the stream has a member in several pieces that nobody has said how to join"},
    {Reason::unknown_event, "unknown_event", "the stream has an event of an unknown kind"},
    {Reason::after_done, "after_done", "something follows the end of the stream"},
    {Reason::other_id, "other_id", "the stream's events are of two responses"},
    {Reason::background, "background", "the response is made in the background"},
    {Reason::split_logprobs, "logprobs", "the log-probabilities cannot be joined"},
});

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i)
    if (static_cast<std::size_t>(kRows[i].reason) != i) return false;
  return kRows.size() == kReasons;
}
static_assert(is_in_order());

constexpr const Row& row_of(Reason reason) noexcept { return kRows[static_cast<std::size_t>(reason)]; }

}  // namespace

std::string_view to_string(Reason reason) noexcept { return row_of(reason).name; }
std::string_view in_words(Reason reason) noexcept { return row_of(reason).words; }
bool is_counted(Reason reason) noexcept { return row_of(reason).counted; }

}  // namespace sosie::decide
