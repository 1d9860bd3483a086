// reason.h: why the cache answered, stored or did not: the closed set of words that headers, metrics and explanations use.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sosie::decide {

enum class Reason : std::uint8_t {
  none,  ///< Nothing stood in the way.

  // Why the cache had no answer.
  empty_scope, below_threshold, filtered, not_exact, unseen_differs, long_prompt, other_api, not_stored, no_usage,
  overloaded, lookup_timeout, lookup_error, unreadable_entry,

  // Why the cache was not asked, or asked for the same text only.
  no_cache, not_asked_for, blank_prompt, exact_only, several_choices, logprobs, seed, high_temperature, hosted_tools,
  hidden_state, open_turn, completions, time_bound, no_text, embeddings,

  // Why a request went past the cache.
  not_cacheable, unreadable_request,

  // Why an answer is not stored (yet).
  pending, from_cache, coalesced, no_store, no_whole_answer, upstream_status, content_encoding, not_a_stream,
  too_long, memory, write_tools, read_tools, pure_tools, embedding_failed, store_busy, store_timeout, store_full,
  store_failed, finish_reason, status, incomplete, error_inside, empty_answer, no_content, no_message,
  incomplete_item, too_many_fields, choice_count, no_choices, not_json, repeated_key, not_a_completion,
  not_a_message, not_a_response, no_data, tool_calls, unknown_delta, unknown_choice_field, unknown_event, after_done,
  other_id, background, split_logprobs,
};
inline constexpr std::size_t kReasons = static_cast<std::size_t>(Reason::split_logprobs) + 1;

/// As headers, metrics and explanations say it: "below_threshold". Empty for none.
std::string_view to_string(Reason reason) noexcept;

/// In words, as the end of "the cache was not asked: ", "not stored because ". Empty for none.
std::string_view in_words(Reason reason) noexcept;

/// Whether requests that the cache did not answer for it have a count of their own.
bool is_counted(Reason reason) noexcept;

}  // namespace sosie::decide
