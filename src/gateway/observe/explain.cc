#include "gateway/observe/explain.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <memory>
#include <span>

#include "protocol/json.h"
#include "text/unseen.h"
#include "text/utf8.h"

namespace sosie::gateway {
namespace {

using protocol::append_json_number;
using protocol::append_json_string;

constexpr std::size_t kCandidates = 5;
constexpr std::size_t kLookedAt = 25;  // Some may be newer than the request.
constexpr std::size_t kMostUnseen = 16;
constexpr std::size_t kMaxShown = 1'024;  // Bytes of a candidate's prompt.

/// Members of an object, one after the other.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_.push_back('{'); }
  std::string& key(std::string_view name) {
    if (out_.back() != '{') out_.push_back(',');
    append_json_string(out_, name);
    out_.push_back(':');
    return out_;
  }
  void text(std::string_view name, std::string_view value) { append_json_string(key(name), value); }
  void yes_or_no(std::string_view name, bool value) { key(name).append(value ? "true" : "false"); }
  void number(std::string_view name, std::int64_t value) { append_json_number(key(name), value); }
  void fraction(std::string_view name, double value);
  void end() { out_.push_back('}'); }

 private:
  std::string& out_;
};

std::string fraction_text(double value) {
  std::array<char, 32> digits;
  std::string text(digits.data(),
                   std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, 6).ptr);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

void Object::fraction(std::string_view name, double value) { key(name).append(fraction_text(value)); }

/// Never 1, and never rounded up to it, for another text.
double shown_similarity(Similarity similarity, Layer layer) noexcept {
  return layer == Layer::exact ? 1 : std::min(similarity.value, 0.999999);
}

double langcache_measure(double cosine) noexcept { return (1 + cosine) / 2; }

std::string utc(TimePoint time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(std::chrono::floor<std::chrono::seconds>(time));
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> text;
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text;
}

/// "temperature (0.7 there, 0.2 here) differs from entry …"
std::string difference_from(const DecisionLog::Closest& closest) {
  const bool one = closest.differing.size() == 1;
  return joined(closest.differing) + (one ? " differs from entry " : " differ from entry ") + closest.entry_id;
}

/// What decided, in a sentence.
std::string verdict_sentence(const Outcome& outcome, const std::vector<std::string>& unseen,
                             const std::optional<DecisionLog::Closest>& closest) {
  const bool same_text = outcome.layer == Layer::exact;
  const std::string near =
      outcome.similarity ? fraction_text(shown_similarity(*outcome.similarity, outcome.layer)) : std::string("unknown");
  const std::string threshold = fraction_text(outcome.threshold.value);
  switch (outcome.cache_status) {
    case CacheStatus::hit:
      return same_text ? "answered from the cache: an entry for the same text"
                       : "answered from the cache: an entry with similarity " + near + ", at least the threshold " +
                             threshold;
    case CacheStatus::coalesced:
      return same_text ? "answered by a call that was under way for the same text"
                       : "answered by a call under way for a text with similarity " + near +
                             ", at least the threshold " + threshold;
    case CacheStatus::bypass: return "the cache was not asked: " + std::string(in_words(outcome.reason));
    case CacheStatus::error: return "the cache failed: " + std::string(in_words(outcome.reason));
    case CacheStatus::miss: break;
  }
  if (outcome.reason == Reason::below_threshold) {
    std::string text = "the nearest entry in this scope ";
    if (outcome.similarity)
      text.append("has similarity ").append(fraction_text(shown_similarity(*outcome.similarity, Layer::semantic))).append(", ");
    return text.append(outcome.similarity ? "below the threshold " : "is below the threshold ").append(threshold);
  }
  if (outcome.reason == Reason::unseen_differs)
    return "no entry in this scope was compared: words that the encoder does not know, accents or the case of code differ (" +
           (unseen.empty() ? std::string("this text has none") : "here: " + joined(unseen)) + "), or another encoder made the entries";
  if (outcome.reason == Reason::not_exact || outcome.reason == Reason::long_prompt) {
    std::string text = "no entry in this scope has this very text, and others were not considered";
    if (outcome.reuse_reason != Reason::none) text.append(": ").append(in_words(outcome.reuse_reason));
    return text;
  }
  if (outcome.reason != Reason::empty_scope) return std::string(in_words(outcome.reason));
  if (!closest) return "no entry in this scope";
  return "no entry in this scope: " + difference_from(*closest);
}

void append_candidate(std::string& out, const Hit& hit, Similarity threshold) {
  const double similarity = shown_similarity(hit.similarity, hit.layer);
  Object object(out);
  object.text("entry_id", hit.entry->id);
  object.text("prompt", text::prefix_of(hit.entry->prompt, kMaxShown));
  object.fraction("similarity", similarity);
  object.fraction("langcache_similarity", langcache_measure(similarity));
  object.text("layer", to_string(hit.layer));
  object.number("age_s", std::chrono::duration_cast<std::chrono::seconds>(hit.age).count());
  object.yes_or_no("would_hit", hit.layer == Layer::exact || hit.similarity >= threshold);
  object.end();
}

/// Whether it was there when the request was asked. What came of the request itself was not, not even in the same millisecond.
bool was_there(const Entry& entry, const Decision& decision) {
  if (entry.created != decision.time) return entry.created < decision.time;
  return entry.prompt != decision.prompt;
}

void append_candidates(Object& object, const Decision& decision, const SemanticCache& cache) {
  // Entries that are used again for the same text only have no vectors to compare.
  if (decision.prompt.empty() || decision.outcome.reuse != decide::Reuse::by_meaning) return;
  const std::string_view prompt = decision.prompt;
  auto embedded = cache.embedder().embed(std::span(&prompt, 1));
  LookupOptions look{.layers = Layers::semantic, .threshold = Similarity{0}, .max_results = kLookedAt, .record = false};
  if (embedded) look.embedding = std::make_shared<const Embedding>(std::move(embedded->front()));
  const auto found = embedded ? cache.lookup({.prompt = prompt, .scope = decision.scope}, look) : Result<Lookup>(embedded.error());
  if (!found) {
    object.text("candidates_error", found.error().message);
    return;
  }
  std::string& out = object.key("candidates");
  out.push_back('[');
  std::size_t count = 0;
  for (const Hit& hit : found->hits) {
    if (!was_there(*hit.entry, decision)) continue;
    if (out.back() != '[') out.push_back(',');
    append_candidate(out, hit, decision.outcome.threshold);
    if (++count == kCandidates) break;
  }
  out.push_back(']');
}

void append_texts(std::string& out, const std::vector<std::string>& texts) {
  out.push_back('[');
  for (const std::string& each : texts) {
    if (out.back() != '[') out.push_back(',');
    append_json_string(out, each);
  }
  out.push_back(']');
}

void append_storing(Object& object, const Storing& storing) {
  const bool stored = storing.state == Storing::State::stored;
  object.yes_or_no("stored", stored);
  if (storing.reason == Reason::none) return;
  std::string name = stored ? "exact_only" : "not_stored";
  object.text(name, to_string(storing.reason));
  if (!storing.field.empty()) object.text(name + "_field", storing.field);
  object.text(name + "_because", in_words(storing.reason));
}

}  // namespace

std::string explain(std::string_view id, const Decision& decision, const SemanticCache& cache,
                    const std::optional<DecisionLog::Closest>& closest, bool with_candidates) {
  const Outcome& outcome = decision.outcome;
  const std::vector<std::string> unseen = text::unseen_words(cache.embedder().unseen(decision.prompt), kMostUnseen);
  const bool answered = outcome.cache_status == CacheStatus::hit || outcome.cache_status == CacheStatus::coalesced;
  std::string out;
  Object object(out);
  object.text("request_id", id);
  object.text("time", utc(decision.time));
  object.text("api", to_string(decision.surface));
  object.text("fate", to_string(outcome.cache_status));
  if (outcome.reason != Reason::none) object.text("reason", to_string(outcome.reason));
  object.text("explanation", verdict_sentence(outcome, unseen, closest));
  if (answered) object.text("layer", to_string(outcome.layer));
  if (!outcome.entry_id.empty()) object.text("entry_id", outcome.entry_id);
  if (outcome.similarity) {
    const double similarity = shown_similarity(*outcome.similarity, answered ? outcome.layer : Layer::semantic);
    object.fraction("similarity", similarity);
    object.fraction("langcache_similarity", langcache_measure(similarity));
  }
  object.fraction("threshold", outcome.threshold.value);
  object.text("reuse", to_string(outcome.reuse));
  if (outcome.reuse_reason != Reason::none) object.text("reuse_reason", to_string(outcome.reuse_reason));
  append_storing(object, outcome.storing);
  if (!decision.not_obeyed.empty()) append_texts(object.key("not_obeyed"), decision.not_obeyed);
  if (!unseen.empty()) append_texts(object.key("unseen"), unseen);
  object.text("scope", decision.scope);
  if (decision.parts != nullptr) {
    object.key("parts").push_back('[');
    for (const protocol::ScopePart& part : *decision.parts) {
      if (out.back() != '[') out.push_back(',');
      Object member(out);
      member.text("name", part.name);
      if (!part.shown.empty()) member.key("shown").append(part.shown);
      member.end();
    }
    out.push_back(']');
  }
  if (with_candidates) append_candidates(object, decision, cache);
  if (!answered && closest)
    object.text("closest",
                (closest->same_prompt ? "the same text has an entry in another scope: " : "the nearest other scope: ") +
                    difference_from(*closest));
  object.end();
  return out;
}

}  // namespace sosie::gateway
