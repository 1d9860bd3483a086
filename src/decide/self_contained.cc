#include "decide/self_contained.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "base/ascii.h"

namespace sosie::decide {
namespace {

template <std::size_t N>
class WordSet {
 public:
  constexpr explicit WordSet(std::array<std::string_view, N> words) : words_(words) {
    std::sort(words_.begin(), words_.end());
  }
  bool contains(std::string_view word) const { return std::binary_search(words_.begin(), words_.end(), word); }

 private:
  std::array<std::string_view, N> words_;
};

template <class... Words>
constexpr auto words(Words... each) {
  return WordSet<sizeof...(Words)>({std::string_view(each)...});
}

// Words that are not also everyday words of another language in Latin script: one of them says that this is English.
constexpr auto kEnglish = words(
    "the", "and", "what", "whats", "how", "why", "who", "which", "when", "where", "are", "does", "did", "can",
    "could", "should", "would", "with", "from", "to", "my", "your", "explain", "describe", "write", "give", "tell",
    "define", "translate", "summarize", "convert", "create", "generate", "show", "calculate", "compare", "many",
    "much", "that", "has", "have", "between", "you", "it", "they", "them", "there", "if", "than", "some", "any",
    "because", "about", "only", "these", "their");

constexpr auto kQuestionWords = words(
    "what", "whats", "how", "why", "who", "whom", "whose", "which", "when", "where");
constexpr auto kAuxiliaries = words(
    "is", "are", "was", "were", "do", "does", "did", "can", "could", "should", "would", "will", "shall", "may",
    "might", "must", "has", "have", "had", "am", "be");
constexpr auto kImperatives = words(
    "explain", "describe", "write", "give", "tell", "define", "list", "name", "create", "generate", "show",
    "calculate", "compare", "find", "suggest", "recommend", "compute", "solve", "draw", "design", "plan", "build",
    "discuss", "outline", "prove", "classify", "identify", "analyze", "help");
constexpr auto kPrepositions = words(
    "of", "in", "for", "to", "between", "on", "from", "with", "at", "by", "about", "during", "under", "over",
    "than", "into", "against", "among", "without", "within", "through", "near", "behind", "per", "via");
constexpr auto kRelatives = words(
    "that", "which", "who", "whom", "whose", "where", "when", "if", "as");
constexpr auto kOtherFunctionWords = words(
    "a", "an", "the", "i", "me", "my", "mine", "you", "your", "we", "us", "our", "and", "or", "but", "not", "no",
    "so", "also", "too", "very", "just", "only", "any", "some", "all", "every", "each", "if", "because", "as",
    "been", "being", "there", "it", "its", "he", "him", "his", "she", "her", "they", "them", "their", "this",
    "that", "these", "those", "one", "ones", "such", "same", "other", "others", "another", "more", "most", "less",
    "least", "many", "much", "few", "ever", "never", "please", "now", "then", "again", "else", "up", "out", "off",
    "down", "ca", "wo", "up", "own", "both", "either", "neither", "still", "yet", "even", "really", "s");

// Names of a property or a part. Alone they ask about something that was named before.
constexpr auto kGeneric = words(
    "advantage", "advantages", "disadvantages", "benefits", "pros", "cons", "risks", "symptoms", "requirements",
    "steps", "causes", "cause", "types", "type", "rules", "ingredients", "price", "prices", "cost", "costs", "fee",
    "fees", "reason", "reasons", "difference", "differences", "population", "capital", "currency", "size", "weight",
    "height", "age", "date", "distance", "length", "width", "depth", "area", "color", "colour", "author", "owner",
    "founder", "ceo", "president", "director", "answer", "answers", "result", "results", "code", "function",
    "error", "output", "input", "text", "list", "table", "document", "file", "article", "option", "options",
    "example", "examples", "question", "questions", "problem", "problems", "solution", "solutions", "process",
    "method", "methods", "product", "products", "company", "city", "country", "book", "film", "movie", "song",
    "person", "man", "woman", "effects", "effect", "treatment", "treatments", "side", "alternatives", "limitations",
    "features", "details", "detail", "info", "information", "meaning", "definition", "purpose", "location",
    "address", "deadline", "deadlines", "exceptions", "syntax", "version", "name", "names", "number", "amount",
    "point", "story", "plot", "ending", "first", "second", "third", "fourth", "last", "next", "previous", "above",
    "latter", "rest", "top", "bottom", "conclusion", "summary", "paragraph", "sentence", "word", "line", "part",
    "formula", "equation", "value", "values", "parameter", "parameters", "case", "impact", "consequences",
    "importance", "history", "origin", "role", "status", "limit", "policy", "procedure", "eligibility", "salary",
    "documents", "neighborhoods", "areas", "plan", "plans", "app", "device", "dose", "dosage", "drug", "user",
    "users", "character", "characters", "performance", "limits", "license", "model", "team", "project", "data",
    "field", "button", "page", "item", "items", "order", "event", "place", "places", "restaurants", "hotels",
    "application", "applications", "package", "tool", "program", "test", "tests");

// Words that can be said of anything, and refer to nothing by themselves.
constexpr auto kVague = words(
    "good", "better", "best", "bad", "worse", "worst", "new", "newer", "old", "older", "long", "longer", "short",
    "shorter", "big", "bigger", "small", "smaller", "large", "larger", "high", "higher", "low", "lower", "cheap",
    "cheaper", "cheapest", "expensive", "fast", "faster", "slow", "slower", "easy", "easier", "hard", "harder",
    "difficult", "strong", "stronger", "safe", "safer", "right", "wrong", "true", "false", "possible", "important",
    "different", "similar", "common", "main", "far", "often", "way", "ways", "thing", "things", "stuff",
    "something", "anything", "everything", "nothing", "someone", "anyone", "everyone", "people", "time", "times",
    "day", "days", "year", "years", "place", "kind", "sort", "lot", "bit", "make", "makes", "making", "made", "get",
    "gets", "getting", "got", "go", "goes", "going", "use", "used", "using", "work", "works", "working", "happen",
    "happens", "happened", "happening", "mean", "means", "say", "says", "said", "think", "know", "known", "want",
    "need", "needs", "like", "look", "looks", "come", "comes", "came", "take", "takes", "took", "put", "see",
    "seen", "done", "doing", "start", "started", "end", "ended", "win", "won", "lose", "lost", "die", "died",
    "born", "called", "cost", "costs", "differ", "help", "helps", "try", "keep", "let", "feel", "enough", "exactly",
    "actually", "further", "here", "today", "later", "before", "after", "earlier", "instead", "worth", "okay", "ok",
    "useful", "necessary", "available", "allowed", "legal", "illegal", "normal", "matter", "change", "apply",
    "applies", "affect", "affects", "eat", "buy", "sell", "live", "lived", "write", "wrote", "written", "read",
    "explain", "describe", "give", "tell", "show", "list", "name", "compare", "define", "find", "suggest",
    "recommend", "considered", "possibly", "eligible", "required", "recommended", "needed", "included", "main",
    "total", "current", "return", "miss", "play", "plays", "support", "supports", "improve", "run", "runs", "open",
    "close", "offer", "offers", "require", "requires", "free");

constexpr auto kThirdPersons = words(
    "it", "its", "itself", "he", "him", "his", "himself", "she", "her", "hers", "herself", "they", "them", "their",
    "theirs", "themselves", "em");
constexpr auto kOpeners = words(
    "and", "but", "or", "so", "then", "also", "ok", "okay", "yes", "no", "yeah", "yep", "nope", "sure", "thanks",
    "thank", "because", "same", "really", "continue", "elaborate", "go", "any", "anything", "not", "only", "just",
    "now", "instead", "otherwise", "else", "more", "less", "again", "well", "hmm", "right", "correct", "wrong",
    "exactly", "actually", "still", "shorter", "longer", "another");
// What changes an answer, or some text; without one in the prompt, the one before.
constexpr auto kEdits = words(
    "translate", "rewrite", "rephrase", "paraphrase", "summarize", "summarise", "shorten", "expand", "simplify",
    "convert", "format", "clarify", "repeat", "redo", "fix", "improve", "correct", "change", "replace", "add",
    "remove", "use", "try", "make", "turn", "put", "keep", "include", "edit", "proofread", "refactor", "shorter",
    "extend", "swap", "delete", "drop", "start", "finish", "do", "undo", "stop", "update", "sort");
constexpr auto kOrdinals = words(
    "the", "which", "this", "that", "other", "another", "first", "second", "third", "fourth", "fifth", "last",
    "next", "previous", "best", "better", "cheaper", "right", "wrong", "new", "old", "big", "small");

// There is one of each.
constexpr auto kUnique = words(
    "sun", "moon", "earth", "sky", "world", "universe", "internet", "sea", "ocean", "bible", "quran", "us", "usa",
    "uk", "un", "eu", "eiffel", "holocaust", "renaissance", "brain", "heart", "liver", "stomach", "skin", "economy",
    "future", "past", "stock", "web", "military", "army", "police", "government", "rich", "poor", "dead");

constexpr std::array<std::string_view, 24> kReminders = {
    " my name ", " i say ", " i said ", " i told ", " i ask ", " i asked ", " i mentioned ", " you say ",
    " you said ", " you told ", " you mean ", " you meant ", " you mentioned ", " you just ", " your answer ",
    " your last ", " your response ", " your previous ", " we discussed ", " we talked ", " as before ",
    " as above ", " so far ", " step by step "};

struct Text {
  std::vector<std::string> words;
  std::string joined = " ";  // One space before and behind each word.
  bool has_material = false;  // Something is quoted, or stands behind a colon or in lines of its own.
  bool has_digits = false;
};

using base::is_digit;
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || (static_cast<unsigned char>(c) & 0x80) != 0; }

Text read(std::string_view prompt) {
  Text text;
  std::string word;
  std::size_t behind = std::string_view::npos;  // Words before the first colon or new line.
  int quotes = 0;
  const auto end_word = [&] {
    if (word.empty()) return;
    text.words.push_back(word);
    text.joined.append(word).push_back(' ');
    word.clear();
  };
  for (std::size_t i = 0; i < prompt.size(); ++i) {
    char c = prompt[i];
    // The typographic apostrophe.
    const bool curly = prompt.substr(i, 3) == "\xE2\x80\x99";
    if (curly) {
      i += 2;
      c = '\'';
    }
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (is_digit(c)) text.has_digits = true;
    if (is_letter(c)) {
      word.push_back(c);
      continue;
    }
    if (c == '\'' && !word.empty() && i + 1 < prompt.size()) {
      // "don't" is "do not", "what's" is "what is"; of anybody's the 's is dropped.
      const bool negates = word.back() == 'n' && (prompt[i + 1] == 't' || prompt[i + 1] == 'T');
      if (negates) word.pop_back();
      const bool is = kQuestionWords.contains(word) || kThirdPersons.contains(word) || word == "that" || word == "there";
      end_word();
      while (i + 1 < prompt.size() && base::is_letter(prompt[i + 1])) ++i;
      if (negates || is) {
        word = negates ? "not" : "is";
        end_word();
      }
      continue;
    }
    end_word();
    if (c == '"' || c == '`') ++quotes;
    if ((c == ':' || c == '\n') && behind == std::string_view::npos) behind = text.words.size();
  }
  end_word();
  text.has_material = quotes >= 2 || (behind > 0 && behind < text.words.size() && text.words.size() - behind >= 3);
  return text;
}

bool is_function_word(std::string_view word) {
  return kOtherFunctionWords.contains(word) || kPrepositions.contains(word) || kAuxiliaries.contains(word) ||
         kQuestionWords.contains(word);
}

// Something that a pronoun may stand for, or that a question may be about.
bool is_strong(std::string_view word) {
  if (is_function_word(word) || kVague.contains(word) || kGeneric.contains(word)) return false;
  return !std::all_of(word.begin(), word.end(), is_digit);
}

/// The words, and what can be asked of one of them by its place.
class Reading {
 public:
  explicit Reading(const Text& text) : text_(text), words_(text.words) {
    std::size_t before = 0;
    for (const auto& word : words_) {
      strong_before_.push_back(before);
      before += is_strong(word) ? 1 : 0;
    }
    strong_before_.push_back(before);
  }

  bool leans() const {
    if (words_.size() < 3) return true;
    if (!has_any_of(kEnglish) || opens_like_a_reply() || asks_for_a_change()) return true;
    if (std::any_of(kReminders.begin(), kReminders.end(), [this](auto phrase) { return has(phrase); })) return true;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (points_elsewhere(i)) return true;
    }
    return !says_what_about();
  }

 private:
  std::string_view at(std::size_t i) const { return i < words_.size() ? words_[i] : std::string_view(); }
  bool has(std::string_view phrase) const { return text_.joined.find(phrase) != std::string::npos; }
  template <class Set>
  bool has_any_of(const Set& set) const {
    return std::any_of(words_.begin(), words_.end(), [&](const auto& word) { return set.contains(word); });
  }
  std::size_t strong() const { return strong_before_.back(); }
  std::size_t strong_from(std::size_t i) const { return strong() - strong_before_[std::min(i, words_.size())]; }
  bool is_last(std::size_t i) const { return i + 1 >= words_.size(); }

  /// The first word that is not mere courtesy.
  std::size_t first() const {
    std::size_t i = 0;
    while (at(i) == "please" || at(i) == "hi" || at(i) == "hello" || at(i) == "hey") ++i;
    if ((at(i) == "can" || at(i) == "could" || at(i) == "would" || at(i) == "will") && at(i + 1) == "you") i += 2;
    while (at(i) == "please") ++i;
    return i;
  }

  bool opens_like_a_reply() const {
    const std::string_view word = at(first()), next = at(first() + 1);
    if (kOpeners.contains(word)) return true;
    if ((word == "what" || word == "how") && (next == "about" || next == "else")) return true;
    if ((word == "why" || word == "how") && (next == "not" || next == "so" || next == "come")) return true;
    // "in Berlin?", but "In what year did the Berlin Wall fall?"
    if (kPrepositions.contains(word)) return !has_any_of(kQuestionWords) || words_.size() < 6;
    // "which is cheaper", but "which is the highest mountain in Norway"
    if (word == "which" && (next == "of" || next == "one" || (kAuxiliaries.contains(next) && at(first() + 2) != "the"))) {
      return !has(" or ") && !has(" the ");
    }
    const bool asks = has_any_of(kQuestionWords) || has_any_of(kAuxiliaries) || has_any_of(kImperatives);
    return !asks && words_.size() < 4;
  }

  bool asks_for_a_change() const {
    const std::size_t i = first();
    const std::string_view word = at(i);
    if (text_.has_material) return false;
    if (kEdits.contains(word) && !(kAuxiliaries.contains(word) && strong() >= 2)) {
      return words_.size() < 15 && !text_.has_digits;
    }
    if (word != "explain" && word != "describe") return false;
    const std::string_view next = at(i + 1);
    return kPrepositions.contains(next) || next == "further" || next == "again" || next == "like";
  }

  bool points_elsewhere(std::size_t i) const {
    const std::string_view word = at(i), before = i > 0 ? at(i - 1) : std::string_view(), next = at(i + 1);
    if (word == "it" && is_expletive(i)) return false;
    if (kThirdPersons.contains(word)) return strong_before_[i] < 2;
    if (word == "this" || word == "these" || word == "those") {
      if (word == "those" && (next == "who" || next == "that" || next == "with")) return false;
      return !text_.has_material;
    }
    if (word == "that") {
      // "the fact that", "know that", "so that", but "how does that work", "explain that", "in that case"
      if (i == 0 || is_last(i)) return true;
      if (before == "so" || before == "is" || before == "now") return before == "is" && strong_before_[i] == 0;
      return is_function_word(before) || kImperatives.contains(before) || kEdits.contains(before);
    }
    if (word == "ones" || word == "others") return true;
    if (word == "one") {
      if (next == "of" || next == "who") return false;
      return is_last(i) || (kOrdinals.contains(before) && !is_strong(next));
    }
    if (word == "there") {
      return !kAuxiliaries.contains(before) && !kAuxiliaries.contains(next) && before != "out" && next != "any";
    }
    if (word == "here" || word == "nearby") return true;
    if (word == "then") return !has(" if ") && !has(" when ");
    if (word == "instead") return next != "of";
    if (word == "too") return is_last(i);
    if (word == "also") return words_.size() < 10;
    if (word == "again") return words_.size() < 6;
    if (word == "else") return before != "or" || is_last(i);
    if (word == "another") {
      return is_last(i) ? !has(" one ") && !has(" to another ") : kGeneric.contains(next) || before == "me";
    }
    if (word == "more") return is_last(i) || kGeneric.contains(next) || before == "me";
    if (word == "same") return next != "time" && next != "as" && next != "sex" && !has(" as ");
    if (word == "other") return next != "than" && (before == "the" || before == "any" || before == "what");
    if (word == "both" || word == "either" || word == "neither") return !has(" and ") && !has(" or ") && !has(" nor ");
    if (word == "previous" || word == "previously" || word == "aforementioned" || word == "latter") return true;
    if (word == "above" || word == "earlier" || word == "former") return before == "the" || is_last(i);
    if (word == "the") return is_unnamed(i + 1);
    return false;
  }

  /// "the price", "the second option"; not "the price of gold", "the price that Apple pays", "the iPhone price".
  bool is_unnamed(std::size_t i) const {
    if (is_strong(at(i))) {
      // "the war", in a question that has nothing else to say which.
      return strong() <= 2 && strong_from(i + 1) == 0 && !kUnique.contains(at(i));
    }
    if (!kGeneric.contains(at(i)) && !kVague.contains(at(i))) return false;
    const bool is_part = kGeneric.contains(at(i));
    while (i < words_.size() && (kGeneric.contains(at(i)) || kVague.contains(at(i)))) ++i;
    if (i < words_.size() && is_strong(at(i))) return false;
    const std::string_view next = at(i);
    if (kPrepositions.contains(next) || kRelatives.contains(next)) return strong_from(i) == 0;
    return is_part || strong() < 2;
  }

  /// "is it safe to eat raw eggs", "how long does it take to fly to Mars", "what is it like to be a bat".
  bool is_expletive(std::size_t i) const {
    const std::string_view before = i > 0 ? at(i - 1) : std::string_view();
    if (!kAuxiliaries.contains(before) && !kAuxiliaries.contains(at(i + 1))) return false;
    for (std::size_t j = i + 1; j < std::min(words_.size(), i + 9); ++j) {
      const std::string_view word = at(j);
      if (word == "to" || word == "that" || word == "if" || word == "when" || word == "for") return strong_from(j) >= 2;
    }
    return false;
  }

  /// Two words that mean something, or one and a property of it, or the one that is asked about.
  bool says_what_about() const {
    if (strong() == 0) return false;
    if (strong() >= 2) return true;
    if (std::any_of(words_.begin(), words_.end(), [](const auto& word) { return kGeneric.contains(word); })) {
      return has(" of ") || has(" in ") || has(" for ") || has(" between ");
    }
    const std::size_t i = first();
    const bool asks_what = (at(i) == "what" || at(i) == "who") && kAuxiliaries.contains(at(i + 1));
    const bool asks_to = at(i) == "define" || at(i) == "explain" || at(i) == "describe";
    if (!asks_what && !asks_to) return false;
    return at(i + (asks_what ? 2 : 1)) != "the" && words_.size() <= 5;
  }

  const Text& text_;
  const std::vector<std::string>& words_;
  std::vector<std::size_t> strong_before_;
};

}  // namespace

bool leans_on_context(std::string_view prompt) { return Reading(read(prompt)).leans(); }

}  // namespace sosie::decide
