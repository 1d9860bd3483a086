#include "text/unigram.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <unordered_map>

#include "text/bert_unicode.h"
#include "text/code_trace.h"
#include "text/graphemes.h"
#include "text/harmless.h"
#include "text/ignorable.h"
#include "text/piece_trie.h"
#include "text/utf8.h"

namespace sosie::text {
namespace {

// What is not in the vocabulary counts as so much less likely than the least likely piece.
constexpr double kUnknownPenalty = 10;

// Bytes of a grapheme from which on its code points are replaced one by one.
constexpr std::size_t kLongGrapheme = 6;

// In place of a character that the normaliser removed with a loss.
constexpr char32_t kNothing = 0xFFFFFFFF;

// A code point on its way, and the part of the text that it comes from.
struct Point {
  char32_t point = 0;
  std::size_t begin = 0, end = 0;
  bool lossy = false;  // It doesn't tell what the text said.
};

void absorb(Point& point, const Point& lost) {
  point.begin = std::min(point.begin, lost.begin);
  point.end = std::max(point.end, lost.end);
  point.lossy = point.lossy || lost.lossy;
}

}  // namespace

struct Unigram::Tables {
  explicit Tables(UnigramSpec s) : spec(std::move(s)), trie(pieces_of(spec)) {
    double lowest = std::numeric_limits<double>::infinity();
    for (const auto& [piece, score] : spec.vocabulary) lowest = std::min(lowest, score);
    unknown_score = lowest - kUnknownPenalty;
    max_id = static_cast<std::int32_t>(spec.vocabulary.size()) - 1;
    // The longest of several added tokens at one place wins.
    std::sort(spec.added.begin(), spec.added.end(), [](const auto& a, const auto& b) { return a.content.size() > b.content.size(); });
    for (const auto& token : spec.added) {
      (token.normalized ? opens_normalized : opens_raw)[static_cast<unsigned char>(token.content[0])] = true;
      max_id = std::max(max_id, token.id);
      any_normalized = any_normalized || token.normalized;
      any_strips_left = any_strips_left || (token.strips_left && !token.normalized);
    }
    for (const auto& step : spec.steps) {
      const auto* map = std::get_if<Charsmap>(&step);
      if (map == nullptr) continue;
      for (unsigned char c = 0x20; c < 0x7F; ++c) plain_ascii[c] = !map->replacement(std::string(1, static_cast<char>(c)));
      lowercases = map->replacement("A") == "a";
    }
    if (!spec.byte_fallback) return;
    constexpr char kDigits[] = "0123456789ABCDEF";
    for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
      bytes[byte] = trie.find(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + '>');
    }
  }

  static std::vector<std::pair<std::string_view, std::int32_t>> pieces_of(const UnigramSpec& spec) {
    std::vector<std::pair<std::string_view, std::int32_t>> pieces;
    pieces.reserve(spec.vocabulary.size());
    for (const auto& [piece, score] : spec.vocabulary) pieces.emplace_back(piece, static_cast<std::int32_t>(pieces.size()));
    return pieces;
  }

  // The added token at `at`, or null.
  const UnigramSpec::Added* added_at(std::string_view text, std::size_t at, bool normalized) const {
    if (at >= text.size() || !(normalized ? opens_normalized : opens_raw)[static_cast<unsigned char>(text[at])]) return nullptr;
    for (const auto& token : spec.added) {
      if (token.normalized == normalized && text.substr(at).starts_with(token.content)) return &token;
    }
    return nullptr;
  }

  UnigramSpec spec;
  PieceTrie trie;
  double unknown_score = 0;
  std::int32_t max_id = 0;
  bool any_normalized = false, any_strips_left = false, lowercases = false;
  std::array<bool, 256> opens_raw{}, opens_normalized{};
  std::array<bool, 128> plain_ascii{};         // The Charsmap leaves it as it is.
  std::array<std::int32_t, 256> bytes = [] {  // With byte_fallback: the piece of each byte, or kNone.
    std::array<std::int32_t, 256> none{};
    none.fill(PieceTrie::kNone);
    return none;
  }();
};

// One text on its way through: code points come in and pass the steps of the normaliser; parts come out of those, and tokens out of parts.
class Unigram::Pass {
 public:
  Pass(const Tables& tables, std::string_view text, std::size_t limit)
      : t_(tables), spec_(tables.spec), text_(text), room_(limit - 2), states_(spec_.steps.size()) {
    tokens_.ids.reserve(std::min<std::size_t>(limit, 2 + text.size() / 3));
    tokens_.ids.push_back(spec_.opening);
  }

  bool full() const { return tokens_.truncated; }
  bool ignored_any() const { return ignored_any_; }

  void take(char32_t point, std::size_t begin, std::size_t end) {
    const bool broken = point == kReplacement && text_.substr(begin, end - begin) != "\uFFFD";
    step(0, {point, begin, end, broken || point == spec_.space_mark});
  }

  void take_added(const UnigramSpec::Added& token, std::size_t begin, std::size_t end) {
    end_segment();
    push_added(token, begin, end);
  }

  Tokens finish() {
    end_segment();
    tokens_.ids.push_back(spec_.closing);
    return std::move(tokens_);
  }

 private:
  // What a step remembers between two code points.
  struct State {
    GraphemeBreaker graphemes;   // Charsmap.
    std::vector<Point> held;     // Charsmap: the grapheme. Strip: white space that may be the last.
    bool started = false;        // Strip: something else than white space was met.
    std::size_t spaces = 0;      // CollapseSpaces: their number; held[0] stands for all.
  };

  // --- The normaliser.

  void step(std::size_t i, const Point& point) {
    if (full()) return;
    if (i == spec_.steps.size()) {
      gather(point);
      return;
    }
    std::visit([&](const auto& kind) { run(kind, i, states_[i], point); }, spec_.steps[i]);
  }

  // A loss belongs to what is held, so that white space around it stays together.
  bool keeps_loss(State& state, const Point& point) const {
    if (point.point != kNothing || state.held.empty()) return false;
    absorb(state.held.back(), point);
    return true;
  }

  void run(const Charsmap& map, std::size_t i, State& state, const Point& point) {
    if (state.graphemes.begins(point.point)) replace_grapheme(map, i, state);
    state.held.push_back(point);
  }
  void run(const UnigramSpec::Strip& strip, std::size_t i, State& state, const Point& point) {
    if (keeps_loss(state, point)) return;
    if (point.point != kNothing && bert::is_space(point.point)) {
      if (strip.left && !state.started) {
        if (point.lossy) step(i + 1, {kNothing, point.begin, point.end, true});
        return;
      }
      if (strip.right) {
        state.held.push_back(point);
        return;
      }
    } else {
      state.started = state.started || point.point != kNothing;
      for (const Point& space : state.held) step(i + 1, space);
      state.held.clear();
    }
    step(i + 1, point);
  }
  void run(const UnigramSpec::CollapseSpaces& collapse, std::size_t i, State& state, const Point& point) {
    if (keeps_loss(state, point)) return;
    if (point.point != U' ') {
      release_spaces(collapse, i, state);
      step(i + 1, point);
      return;
    }
    if (state.held.empty()) {
      state.held.push_back(point);
    } else {
      absorb(state.held[0], point);
    }
    ++state.spaces;
  }

  void end(const Charsmap& map, std::size_t i, State& state) { replace_grapheme(map, i, state); }
  void end(const UnigramSpec::Strip&, std::size_t i, State& state) {
    for (const Point& space : state.held) {
      if (space.lossy) step(i + 1, {kNothing, space.begin, space.end, true});
    }
  }
  void end(const UnigramSpec::CollapseSpaces& collapse, std::size_t i, State& state) { release_spaces(collapse, i, state); }

  void release_spaces(const UnigramSpec::CollapseSpaces& collapse, std::size_t i, State& state) {
    if (state.held.empty()) return;
    Point space = state.held[0];
    if (state.spaces == 1) {
      step(i + 1, space);
    } else {
      pass_on(collapse.content, i, space);
    }
    state.held.clear();
    state.spaces = 0;
  }

  // `content` in the place of `source`.
  void pass_on(std::u32string_view content, std::size_t i, Point source) {
    for (const char32_t point : content) {
      source.point = point;
      step(i + 1, source);
    }
    if (!content.empty() || !source.lossy) return;
    source.point = kNothing;
    step(i + 1, source);
  }

  void replace_grapheme(const Charsmap& map, std::size_t i, State& state) {
    const std::vector<Point>& points = state.held;
    if (points.empty()) return;
    if (points.size() == 1 && points[0].point < 0x80 && t_.plain_ascii[points[0].point]) {
      step(i + 1, points[0]);
    } else {
      if (points.size() == 1 || !replace(map, i, points.data(), points.size())) {
        for (const Point& point : points) {
          if (!replace(map, i, &point, 1)) step(i + 1, point);
        }
      }
    }
    state.held.clear();
  }

  // False: they stay as they are.
  bool replace(const Charsmap& map, std::size_t i, const Point* points, std::size_t count) {
    chunk_.clear();
    for (std::size_t k = 0; k < count; ++k) {
      append_utf8(points[k].point, chunk_);
      if (count > 1 && chunk_.size() >= kLongGrapheme) return false;
    }
    const auto by = map.replacement(chunk_);
    if (!by) return false;
    Point source{0, points[0].begin, points[count - 1].end, false};
    std::string kept;  // Without what is ignored.
    for (std::size_t k = 0; k < count; ++k) {
      source.lossy = source.lossy || points[k].lossy;
      if (is_ignorable(text_, points[k].begin, points[k].point)) {
        ignored_any_ = true;
      } else {
        append_utf8(points[k].point, kept);
      }
    }
    source.lossy = source.lossy || !is_harmless(kept, *by);
    if (kept.empty()) source.lossy = false;
    std::u32string content;
    for (std::size_t at = 0; at < by->size();) {
      const Decoded next = decode_at(*by, at);
      content.push_back(next.point);
      at += next.bytes;
    }
    pass_on(content, i, source);
    return true;
  }

  // --- Parts: what comes out of the normaliser is gathered up to the next white space.

  void gather(const Point& point) {
    if (point.point == kNothing) {
      lose(lost_, point);
      return;
    }
    const bool space = bert::is_space(point.point) || point.point == spec_.space_mark;
    if (space && has_letters_) split_part();
    has_letters_ = has_letters_ || !space;
    part_.push_back(point);
    if (!lost_) return;
    absorb(part_.back(), *lost_);
    lost_.reset();
  }

  static void lose(std::optional<Point>& lost, const Point& point) {
    if (!lost) lost = Point{kNothing, point.begin, point.end, true};
    absorb(*lost, point);
  }

  // White space and then other characters, among which normalized added tokens may be.
  void split_part() {
    std::size_t first = 0;
    if (skips_space_) {
      while (first < part_.size() && bert::is_space(part_[first].point)) ++first;
      skips_space_ = first == part_.size();
    }
    if (t_.any_normalized) {
      std::string bytes;
      std::vector<std::size_t> starts;
      for (const Point& point : part_) {
        starts.push_back(bytes.size());
        append_utf8(point.point, bytes);
      }
      for (std::size_t k = first; k < part_.size();) {
        const auto* token = t_.added_at(bytes, starts[k], true);
        if (token == nullptr) {
          ++k;
          continue;
        }
        std::size_t last = k;
        while (token->strips_left && last > first && bert::is_space(part_[last - 1].point)) --last;
        for (; first < last; ++first) add_to_word(part_[first]);
        end_split();
        while (first < k) lose_space(part_[first++]);
        const std::size_t after = starts[k] + token->content.size();
        while (k < part_.size() && starts[k] < after) ++k;
        push_added(*token, part_[first].begin, part_[k - 1].end);
        skips_space_ = token->strips_right && k == part_.size();
        first = k;
      }
    }
    for (; first < part_.size(); ++first) add_to_word(part_[first]);
    part_.clear();
    has_letters_ = false;
  }

  void lose_space(const Point& point) {
    if (point.lossy) lose(lost_space_, point);
  }

  // --- Words: what the pieces are found in. A space mark opens each, unless the model says otherwise.

  void add_to_word(const Point& point) {
    if (spec_.split_at_space && bert::is_space(point.point)) {
      end_split();
      lose_space(point);
      return;
    }
    const bool mark = point.point == U' ' || point.point == spec_.space_mark;
    if (mark && spec_.split_at_mark) spell_word();
    if (!in_split_ && !mark && spec_.prepends_mark) append_to_word({spec_.space_mark, point.begin, point.begin, false});
    in_split_ = true;
    append_to_word({mark ? spec_.space_mark : point.point, point.begin, point.end, point.lossy});
    if (!lost_space_) return;
    absorb(word_points_.back(), *lost_space_);
    lost_space_.reset();
  }

  void append_to_word(const Point& point) {
    word_starts_.push_back(word_.size());
    word_points_.push_back(point);
    append_utf8(point.point, word_);
  }

  void end_split() {
    spell_word();
    in_split_ = false;
  }

  void end_segment() {
    for (std::size_t i = 0; i < spec_.steps.size(); ++i) {
      std::visit([&](const auto& kind) { end(kind, i, states_[i]); }, spec_.steps[i]);
      states_[i] = State();
    }
    split_part();
    end_split();
    skips_space_ = false;
    if (lost_space_) lose(lost_, *lost_space_);
    if (lost_ && !full()) note('s', added_, lost_->begin, lost_->end);
    lost_.reset();
    lost_space_.reset();
  }

  // --- Tokens.

  // The most likely pieces, and of equally likely ones those that are met first.
  void spell_word() {
    if (word_.empty() || full()) return;
    best_.assign(word_.size() + 1, Best());
    for (std::size_t at = 0, letter = 0; at < word_.size(); ++letter) {
      const std::size_t next = letter + 1 < word_starts_.size() ? word_starts_[letter + 1] : word_.size();
      const double here = best_[at].score;
      const auto offer = [&](std::size_t end, double score, std::int32_t id) {
        Best& best = best_[end];
        if (best.id == PieceTrie::kNone || score > best.score) best = {score, at, id};
      };
      bool single = false;
      t_.trie.for_each_beginning(std::string_view(word_).substr(at), [&](std::size_t bytes, std::int32_t id) {
        offer(at + bytes, spec_.vocabulary[static_cast<std::size_t>(id)].second + here, id);
        single = single || at + bytes == next;
      });
      if (!single) offer(next, t_.unknown_score + here, spec_.unknown);
      at = next;
    }
    found_.clear();
    for (std::size_t end = word_.size(); end > 0;) {
      const Best& best = best_[end];
      const bool unknown = best.id == spec_.unknown;
      if (unknown && !found_.empty() && found_.back().unknown) {
        found_.back().begin = best.begin;
      } else {
        found_.push_back({best.begin, end, best.id, unknown});
      }
      end = best.begin;
    }
    std::size_t letter = 0;
    for (auto piece = found_.rbegin(); piece != found_.rend() && !full(); ++piece) {
      Point raw = word_points_[letter];
      for (; letter < word_points_.size() && word_starts_[letter] < piece->end; ++letter) absorb(raw, word_points_[letter]);
      if (piece->unknown) {
        push_unknown(std::string_view(word_).substr(piece->begin, piece->end - piece->begin), raw);
      } else {
        // The piece of a byte, spelled out in the text, looks as if that byte stood there.
        raw.lossy = raw.lossy || (spec_.byte_fallback && std::find(t_.bytes.begin(), t_.bytes.end(), piece->id) != t_.bytes.end());
        push(piece->id, raw);
      }
    }
    word_.clear();
    word_starts_.clear();
    word_points_.clear();
  }

  // Several unknown pieces next to each other may be one that is known, though a less likely one.
  void push_unknown(std::string_view bytes, const Point& raw) {
    if (const std::int32_t id = t_.trie.find(bytes); id != PieceTrie::kNone && id != spec_.unknown) return push(id, raw);
    const auto piece_of = [&](char c) { return t_.bytes[static_cast<unsigned char>(c)]; };
    if (std::all_of(bytes.begin(), bytes.end(), [&](char c) { return piece_of(c) != PieceTrie::kNone; })) {
      Point rest = raw;
      for (const char c : bytes) {
        push(piece_of(c), rest);
        rest.lossy = false;
      }
      return;
    }
    if (!push_id(spec_.unknown, raw.begin)) return;
    if (raw.lossy) {
      note('u', 1, raw.begin, raw.end);
    } else {
      append_note(tokens_.unseen, 'u', 0, bytes);
    }
  }

  void push_added(const UnigramSpec::Added& token, std::size_t begin, std::size_t end) {
    ++added_;
    if (push_id(token.id, begin) && token.id == spec_.unknown) note('u', 0, begin, end);
  }

  void push(std::int32_t id, const Point& raw) {
    if (!push_id(id, raw.begin) || !raw.lossy) return;
    for (; counted_ + 1 < tokens_.ids.size(); ++counted_) ++earlier_[tokens_.ids[counted_]];
    append_lossy_note(tokens_.unseen, earlier_[id], without_ignorable(text_, raw.begin, raw.end));
  }

  // Appends a token, or marks the text as cut off where the token begins.
  bool push_id(std::int32_t id, std::size_t begin) {
    if (full()) return false;
    if (tokens_.ids.size() - 1 >= room_) {
      append_note(tokens_.unseen, 't', 0, text_.substr(begin));
      tokens_.truncated = true;
      return false;
    }
    tokens_.ids.push_back(id);
    return true;
  }

  void note(char kind, std::size_t number, std::size_t begin, std::size_t end) {
    append_note(tokens_.unseen, kind, number, without_ignorable(text_, begin, end));
  }

  // The likeliest pieces up to a place in the word end with this one.
  struct Best {
    double score = 0;
    std::size_t begin = 0;
    std::int32_t id = PieceTrie::kNone;
  };
  struct Found {
    std::size_t begin, end;
    std::int32_t id;
    bool unknown;
  };

  const Tables& t_;
  const UnigramSpec& spec_;
  const std::string_view text_;
  const std::size_t room_;
  Tokens tokens_;

  std::vector<State> states_;
  std::string chunk_;

  std::vector<Point> part_;
  bool has_letters_ = false;   // The part has more than white space.
  bool skips_space_ = false;   // An added token takes what follows.
  std::optional<Point> lost_;  // What was removed; belongs to the next character.

  std::string word_;                      // Normalised.
  std::vector<std::size_t> word_starts_;  // Of each code point.
  std::vector<Point> word_points_;
  std::optional<Point> lost_space_;  // White space that said something; belongs to the next character of a word.
  bool in_split_ = false;    // Of the text up to the next added token (or white space) something was met.

  std::vector<Best> best_;    // By bytes of the word.
  std::vector<Found> found_;  // The last first.
  std::size_t added_ = 0;     // Added tokens that were met.
  std::unordered_map<std::int32_t, std::size_t> earlier_;  // How often ids were met among the first counted_.
  std::size_t counted_ = 0;
  bool ignored_any_ = false;  // Of the characters of ignorable.h.
};

Unigram::Unigram(std::unique_ptr<const Tables> tables) : tables_(std::move(tables)) {}
Unigram::Unigram(Unigram&&) noexcept = default;
Unigram& Unigram::operator=(Unigram&&) noexcept = default;
Unigram::~Unigram() = default;

Result<Unigram> Unigram::create(UnigramSpec spec) {
  const auto invalid = [](const char* what) { return Error{ErrorCode::invalid_argument, what}; };
  if (spec.vocabulary.empty() || spec.vocabulary.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return invalid("the vocabulary is empty or too large");
  }
  if (spec.unknown < 0 || static_cast<std::size_t>(spec.unknown) >= spec.vocabulary.size()) return invalid("the unknown token is not in the vocabulary");
  if (spec.opening < 0 || spec.closing < 0) return invalid("a special token has a negative id");
  if (std::count_if(spec.steps.begin(), spec.steps.end(), [](const auto& step) { return std::holds_alternative<Charsmap>(step); }) > 1) {
    return invalid("the normaliser has two tables of characters");
  }
  std::int32_t last = std::max({spec.opening, spec.closing});
  for (const auto& token : spec.added) {
    if (token.content.empty() || token.id < 0) return invalid("an added token is empty or has a negative id");
    last = std::max(last, token.id);
    if (!token.normalized) continue;
    for (std::size_t at = 0; at < token.content.size();) {
      const Decoded next = decode_at(token.content, at);
      std::string point;
      append_utf8(next.point, point);
      const bool replaced = std::any_of(spec.steps.begin(), spec.steps.end(), [&](const auto& step) {
        const auto* map = std::get_if<Charsmap>(&step);
        return map != nullptr && map->replacement(point).value_or(point) != point;
      });
      if (bert::is_space(next.point) || next.point == spec.space_mark || next.point >= 0x80 || replaced) {
        return invalid("an added token is normalized, and not of ASCII letters and marks that stay as they are");
      }
      at += next.bytes;
    }
  }
  auto tables = std::make_unique<Tables>(std::move(spec));
  tables->max_id = std::max(tables->max_id, last);
  return Unigram(std::move(tables));
}

Tokens Unigram::tokenize(std::string_view text, std::size_t max_tokens) const {
  const Tables& t = *tables_;
  Pass pass(t, text, max_tokens);
  std::size_t at = 0, spaces_end = 0;
  const UnigramSpec::Added* after_spaces = nullptr;
  while (at < text.size() && !pass.full()) {
    const UnigramSpec::Added* added = t.added_at(text, at, false);
    std::size_t begin = at;
    Decoded next{};
    if (added == nullptr) {
      next = decode_at(text, at);
      if (t.any_strips_left && bert::is_space(next.point)) {
        if (at >= spaces_end) {  // What stands behind all the white space may take it.
          for (spaces_end = at; spaces_end < text.size() && t.added_at(text, spaces_end, false) == nullptr;) {
            const Decoded space = decode_at(text, spaces_end);
            if (!bert::is_space(space.point)) break;
            spaces_end += space.bytes;
          }
          after_spaces = t.added_at(text, spaces_end, false);
        }
        if (after_spaces != nullptr && after_spaces->strips_left) {
          added = after_spaces;
          begin = spaces_end;
        }
      }
    }
    if (added == nullptr) {
      pass.take(next.point, at, at + next.bytes);
      at += next.bytes;
      continue;
    }
    pass.take_added(*added, begin, begin + added->content.size());
    at = begin + added->content.size();
    while (added->strips_right && at < text.size() && t.added_at(text, at, false) == nullptr) {
      const Decoded space = decode_at(text, at);
      if (!bert::is_space(space.point)) break;
      at += space.bytes;
    }
  }
  Tokens tokens = pass.finish();
  // Beyond `at` the text is among what was cut off already.
  if (pass.ignored_any()) {
    tokens.unseen += trace_code(without_ignorable(text, 0, at), t.lowercases);
  } else {
    tokens.unseen += trace_code(text.substr(0, at), t.lowercases);
  }
  return tokens;
}

std::int32_t Unigram::max_id() const noexcept { return tables_->max_id; }
bool Unigram::lowercases() const noexcept { return tables_->lowercases; }

}  // namespace sosie::text
