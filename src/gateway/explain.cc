#include "gateway/explain.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "protocol/json.h"
#include "text/utf8.h"

namespace sosie::gateway {
namespace {

using protocol::append_json_number;
using protocol::append_json_string;

constexpr std::size_t kCandidates = 5;
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
  std::string text(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed, 6).ptr);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text;
}

void Object::fraction(std::string_view name, double value) { key(name).append(fraction_text(value)); }

/// Never 1, and never rounded up to it, for another text.
double shown_similarity(Similarity similarity, Layer layer) noexcept { return layer == Layer::exact ? 1 : std::min(similarity.value, 0.999999); }

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

std::string closest_sentence(const Decisions::Closest& closest) {
  std::string text = closest.same_prompt ? "the same text has an entry in another scope: " : "the nearest other scope: ";
  return text.append(joined(closest.differing)).append(closest.differing.size() == 1 ? " differs from entry " : " differ from entry ").append(closest.entry_id);
}

/// What decided, in a sentence.
std::string verdict_sentence(const Outcome& outcome, const std::optional<Decisions::Closest>& closest) {
  const bool same_text = outcome.layer == Layer::exact;
  const std::string near =
      outcome.similarity ? fraction_text(shown_similarity(*outcome.similarity, outcome.layer)) : std::string("unknown");
  const std::string threshold = fraction_text(outcome.threshold.value);
  switch (outcome.fate) {
    case Fate::hit:
      return same_text ? "answered from the cache: an entry for the same text"
                       : "answered from the cache: an entry with similarity " + near + ", at least the threshold " + threshold;
    case Fate::coalesced:
      return same_text ? "answered by a call that was under way for the same text"
                       : "answered by a call under way for a text with similarity " + near + ", at least the threshold " + threshold;
    case Fate::bypass:
      if (outcome.reason == "no_cache") return "the request asked for a fresh answer";
      return "the cache was not asked: " + std::string(outcome.reason);
    case Fate::error: return "the cache failed: " + std::string(outcome.reason);
    case Fate::miss: break;
  }
  if (outcome.reason == "below_threshold" && outcome.similarity)
    return "the nearest entry in this scope has similarity " + fraction_text(std::min(outcome.similarity->value, 0.999999)) + ", below the threshold " + threshold;
  if (outcome.reason == "filtered") return "an entry was near enough, but older than the request allows";
  if (outcome.reason == "not_exact") {
    std::string text = "no entry in this scope has this very text, and others were not considered";
    if (!outcome.reuse_reason.empty()) text.append(": ").append(outcome.reuse_reason);
    return text;
  }
  if (outcome.reason != "empty_scope") return std::string(outcome.reason);
  if (!closest) return "no entry in this scope";
  std::string text = "no entry in this scope: ";
  return text.append(joined(closest->differing)).append(closest->differing.size() == 1 ? " differs from entry " : " differ from entry ").append(closest->entry_id);
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

void append_candidates(Object& object, const Decision& decision, const SemanticCache& cache) {
  // Entries that are used again for the same text only have no vectors to compare.
  if (decision.prompt.empty() || decision.outcome.reuse != decide::Reuse::by_meaning) return;
  const auto found = cache.lookup({.prompt = decision.prompt, .scope = decision.scope},
                                  {.layers = Layers::semantic, .threshold = Similarity{0}, .max_results = kCandidates});
  if (!found) {
    object.text("candidates_error", found.error().message);
    return;
  }
  std::string& out = object.key("candidates");
  out.push_back('[');
  for (const Hit& hit : found->hits) {
    if (out.back() != '[') out.push_back(',');
    append_candidate(out, hit, decision.outcome.threshold);
  }
  out.push_back(']');
}

}  // namespace

std::string explain(std::string_view id, const Decision& decision, const SemanticCache& cache, const std::optional<Decisions::Closest>& closest) {
  const Outcome& outcome = decision.outcome;
  const bool answered = outcome.fate == Fate::hit || outcome.fate == Fate::coalesced;
  std::string out;
  Object object(out);
  object.text("request_id", id);
  object.text("time", utc(decision.time));
  object.text("api", to_string(decision.surface));
  object.text("fate", to_string(outcome.fate));
  if (!outcome.reason.empty()) object.text("reason", outcome.reason);
  object.text("explanation", verdict_sentence(outcome, closest));
  if (answered) object.text("layer", to_string(outcome.layer));
  if (!outcome.entry_id.empty()) object.text("entry_id", outcome.entry_id);
  if (outcome.similarity) {
    const double similarity = shown_similarity(*outcome.similarity, answered ? outcome.layer : Layer::semantic);
    object.fraction("similarity", similarity);
    object.fraction("langcache_similarity", langcache_measure(similarity));
  }
  object.fraction("threshold", outcome.threshold.value);
  object.text("reuse", to_string(outcome.reuse));
  if (!outcome.reuse_reason.empty()) object.text("reuse_reason", outcome.reuse_reason);
  object.yes_or_no("stored", outcome.stored);
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
  append_candidates(object, decision, cache);
  if (!answered && closest) object.text("closest", closest_sentence(*closest));
  object.end();
  return out;
}

}  // namespace sosie::gateway
