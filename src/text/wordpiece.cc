#include "text/wordpiece.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "text/bert_unicode.h"
#include "text/code_trace.h"
#include "text/ignorable.h"
#include "text/utf8.h"

namespace sosie::text {

struct WordPiece::Tables {
  explicit Tables(WordPieceSpec s) : spec(std::move(s)) {
    // Views into spec.vocabulary, which never changes again.
    words.reserve(spec.vocabulary.size());
    rests.reserve(spec.vocabulary.size());
    for (const auto& [word, id] : spec.vocabulary) {
      const std::string_view view = word;
      words.try_emplace(view, id);
      max_id = std::max(max_id, id);
      longest = std::max(longest, view.size());
      if (view.starts_with(spec.continuing_prefix)) rests.try_emplace(view.substr(spec.continuing_prefix.size()), id);
    }
    // The longest of several added tokens at one place wins.
    std::sort(spec.added.begin(), spec.added.end(), [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
    for (const auto& [content, id] : spec.added) {
      opens_added[static_cast<unsigned char>(content[0])] = true;
      max_id = std::max(max_id, id);
    }
    max_id = std::max({max_id, spec.unknown, spec.cls, spec.sep});
  }

  // The added token at `at`, or null.
  const std::pair<std::string, std::int32_t>* added_at(std::string_view text, std::size_t at) const {
    if (!opens_added[static_cast<unsigned char>(text[at])]) return nullptr;
    for (const auto& token : spec.added) {
      if (text.substr(at).starts_with(token.first)) return &token;
    }
    return nullptr;
  }

  WordPieceSpec spec;
  std::unordered_map<std::string_view, std::int32_t> words, rests;  // rests: continuing pieces, their prefix taken off.
  std::array<bool, 256> opens_added{};
  std::int32_t max_id = 0;
  std::size_t longest = 0;  // Bytes of the longest vocabulary entry.
};

namespace {

// Stands in the queue of marks for a character that cleaning removed.
constexpr char32_t kLost = 0xFFFFFFFF;

// One text on its way through: code points come in, tokens go out.
class Pass {
 public:
  Pass(const WordPieceSpec& spec, const std::unordered_map<std::string_view, std::int32_t>& words,
       const std::unordered_map<std::string_view, std::int32_t>& rests, std::size_t longest, std::string_view text, std::size_t limit)
      : spec_(spec), words_(words), rests_(rests), longest_(longest), text_(text), room_(limit - 2) {
    tokens_.ids.reserve(std::min<std::size_t>(limit, 2 + text.size() / 3));
    tokens_.ids.push_back(spec.cls);
  }

  bool full() const { return tokens_.truncated; }
  bool ignored_any() const { return ignored_any_; }

  void take(char32_t point, std::size_t begin, std::size_t end) {
    if (point < 0x80 && spec_.clean_text) {
      take_ascii(point, begin, end);
      return;
    }
    if (spec_.clean_text) {
      if (bert::is_removed(point)) {
        if (!ignores(point, begin)) wait(kLost, 0, begin, end);
        return;
      }
      if (bert::is_space(point)) point = U' ';
    }
    const bool alone = spec_.split_chinese && bert::is_chinese(point);
    if (alone) place(U' ', begin, begin);
    if (spec_.strip_accents) {
      parts_.clear();
      bert::append_decomposed(point, parts_);
      for (const char32_t part : parts_) place(part, begin, end);
    } else {
      settle();
      emit(point, begin, end);
    }
    if (alone) place(U' ', end, end);
  }

  void take_added(std::int32_t id, std::size_t begin, std::size_t end) {
    end_segment();
    if (full()) return;
    starts_.push_back(tokens_.ids.size());
    if (!push(id, begin)) return;
    if (id == spec_.unknown) note('u', 0, begin, end);
  }

  // No character before this point combines with one after it.
  void end_segment() {
    settle();
    end_word();
    base_ = 0;
  }

  Tokens finish() {
    end_segment();
    tokens_.ids.push_back(spec_.sep);
    return std::move(tokens_);
  }

 private:
  struct Waiting {
    char32_t point;
    int order;
    std::size_t serial;  // In order of arrival.
    std::size_t begin, end;
  };

  // The bulk of most texts: what the general path would do, without its tables.
  void take_ascii(char32_t point, std::size_t begin, std::size_t end) {
    if (point == U' ' || point == U'\t' || point == U'\n' || point == U'\r') {
      settle();
      base_ = U' ';
      end_word();
    } else if (point >= 0x20 && point != 0x7F) {
      settle();
      if (spec_.strip_accents) {
        wait(point, 0, begin, end);  // A mark may follow and strike it out.
      } else {
        emit(point, begin, end);
      }
    } else {
      wait(kLost, 0, begin, end);
    }
  }

  bool ignores(char32_t point, std::size_t begin) {
    const bool ignorable = is_ignorable(text_, begin, point);
    ignored_any_ = ignored_any_ || ignorable;
    return ignorable;
  }

  // Canonical order: marks behind a starter are sorted by their class, stably.
  void place(char32_t point, std::size_t begin, std::size_t end) {
    const int order = bert::combining_class(point);
    if (order == 0) settle();
    wait(point, order, begin, end);
  }

  void wait(char32_t point, int order, std::size_t begin, std::size_t end) {
    waiting_.push_back({point, order, waiting_.size(), begin, end});
  }

  void settle() {
    if (waiting_.empty()) return;
    if (waiting_.size() > 1) {
      const auto marks = waiting_.begin() + (waiting_.front().order == 0 ? 1 : 0);
      std::sort(marks, waiting_.end(), [](const Waiting& a, const Waiting& b) {
        return a.order != b.order ? a.order < b.order : a.serial < b.serial;
      });
    }
    for (const Waiting& w : waiting_) {
      if (w.point == kLost) {
        lose(w.begin, w.end);
      } else if (!bert::is_mark(w.point)) {
        emit(w.point, w.begin, w.end);
      } else if (!ignores(w.point, w.begin)) {
        lose(w.begin, w.end);
      }
    }
    waiting_.clear();
  }

  void emit(char32_t point, std::size_t begin, std::size_t end) {
    base_ = point;
    if (bert::is_space(point)) {
      end_word();
      return;
    }
    if (!spec_.lowercase) {
      emit_lowered(point, begin, end);
    } else if (point < 0x80) {
      emit_lowered(point >= U'A' && point <= U'Z' ? point + 32 : point, begin, end);
    } else {
      lower_.clear();
      bert::append_lower(point, lower_);
      for (const char32_t lowered : lower_) emit_lowered(lowered, begin, end);
    }
  }

  void emit_lowered(char32_t point, std::size_t begin, std::size_t end) {
    const bool alone = bert::is_punctuation(point);
    if (alone) end_word();
    if (chars_ == 0) word_begin_ = begin;
    word_end_ = std::max(word_end_, end);
    if (++chars_ <= spec_.max_word_chars) {  // A longer word is unknown: its letters don't matter.
      origins_.push_back({word_.size(), begin});
      append_utf8(point, word_);
    }
    if (alone) end_word();
  }

  // A character goes without a trace.
  void lose(std::size_t begin, std::size_t end) {
    if (chars_ > 0) {
      lossy_ = true;
      lossy_end_ = std::max(lossy_end_, end);
    } else if (!full()) {
      note('s', tokens_.ids.size(), begin, end);
    }
  }

  void end_word() {
    if (chars_ > 0 && !full()) spell_word();
    word_.clear();
    origins_.clear();
    chars_ = 0;
    word_end_ = 0;
    lossy_ = false;
    lossy_end_ = 0;
  }

  void spell_word() {
    const std::size_t first = tokens_.ids.size();
    const std::size_t raw_end = std::max(word_end_, lossy_end_);
    starts_.push_back(first);
    pieces_.clear();
    if (chars_ > spec_.max_word_chars || !split()) {
      if (push(spec_.unknown, word_begin_)) note('u', 0, word_begin_, raw_end);
      return;
    }
    if (lossy_) append_lossy_note(tokens_.unseen, earlier_like_this(first), without_ignorable(text_, word_begin_, raw_end));
    std::size_t origin = 0;
    for (const auto& [id, at] : pieces_) {
      while (origins_[origin].first < at) ++origin;
      if (!push(id, origins_[origin].second)) return;
    }
  }

  // Greedy, longest piece first. False: some part is not in the vocabulary.
  bool split() {
    const std::string_view word = word_;
    for (std::size_t at = 0; at < word.size();) {
      std::size_t end = std::min(word.size(), at + longest_);
      const auto& table = at == 0 ? words_ : rests_;
      for (;; --end) {
        while (end > at && end < word.size() && (static_cast<unsigned char>(word[end]) & 0xC0) == 0x80) --end;
        if (end <= at) return false;
        const auto found = table.find(word.substr(at, end - at));
        if (found != table.end()) {
          pieces_.push_back({found->second, at});
          break;
        }
      }
      at = end;
    }
    return true;
  }

  // Appends a token, or marks the text as cut off where the token begins.
  bool push(std::int32_t id, std::size_t begin) {
    if (tokens_.ids.size() - 1 >= room_) {
      if (!tokens_.truncated) append_note(tokens_.unseen, 't', 0, text_.substr(begin));
      tokens_.truncated = true;
      return false;
    }
    tokens_.ids.push_back(id);
    return true;
  }

  // How many earlier words were spelled with the same pieces: tells which of them the marks belong to.
  std::size_t earlier_like_this(std::size_t first) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
      if (starts_[i + 1] - starts_[i] != pieces_.size()) continue;
      bool same = true;
      for (std::size_t k = 0; k < pieces_.size() && same; ++k) {
        same = starts_[i] + k < first && tokens_.ids[starts_[i] + k] == pieces_[k].first;
      }
      count += same;
    }
    return count;
  }

  void note(char kind, std::size_t number, std::size_t begin, std::size_t end) {
    append_note(tokens_.unseen, kind, number, without_ignorable(text_, begin, end));
  }

  const WordPieceSpec& spec_;
  const std::unordered_map<std::string_view, std::int32_t>&words_, &rests_;
  const std::size_t longest_;
  const std::string_view text_;
  const std::size_t room_;
  Tokens tokens_;

  std::u32string parts_, lower_;
  std::vector<Waiting> waiting_;  // A starter and the marks behind it.
  char32_t base_ = 0;             // The last character that was not a dropped mark.

  std::string word_;                                          // Normalised, the first max_word_chars of it.
  std::vector<std::pair<std::size_t, std::size_t>> origins_;  // A character's byte in word_, and in the text.
  std::size_t chars_ = 0, word_begin_ = 0, word_end_ = 0;
  bool lossy_ = false;  // The word lost a character.
  std::size_t lossy_end_ = 0;
  std::vector<std::pair<std::int32_t, std::size_t>> pieces_;  // Ids, and the byte in word_ where each begins.
  std::vector<std::size_t> starts_;                           // First token of every word.
  bool ignored_any_ = false;                                  // Of the characters of ignorable.h.
};

}  // namespace

WordPiece::WordPiece(std::unique_ptr<const Tables> tables) : tables_(std::move(tables)) {}
WordPiece::WordPiece(WordPiece&&) noexcept = default;
WordPiece& WordPiece::operator=(WordPiece&&) noexcept = default;
WordPiece::~WordPiece() = default;

Result<WordPiece> WordPiece::create(WordPieceSpec spec) {
  if (spec.vocabulary.empty()) return Error{ErrorCode::invalid_argument, "the vocabulary is empty"};
  if (spec.unknown < 0 || spec.cls < 0 || spec.sep < 0) return Error{ErrorCode::invalid_argument, "a special token has a negative id"};
  for (const auto& [content, id] : spec.added) {
    if (content.empty() || id < 0) return Error{ErrorCode::invalid_argument, "an added token is empty or has a negative id"};
  }
  return WordPiece(std::make_unique<const Tables>(std::move(spec)));
}

Tokens WordPiece::tokenize(std::string_view text, std::size_t max_tokens) const {
  const Tables& t = *tables_;
  Pass pass(t.spec, t.words, t.rests, t.longest, text, max_tokens);
  std::size_t at = 0;
  while (at < text.size() && !pass.full()) {
    if (const auto* added = t.added_at(text, at)) {
      pass.take_added(added->second, at, at + added->first.size());
      at += added->first.size();
      continue;
    }
    const Decoded next = decode_at(text, at);
    pass.take(next.point, at, at + next.bytes);
    at += next.bytes;
  }
  Tokens tokens = pass.finish();
  // Beyond `at` the text is among what was cut off already.
  if (pass.ignored_any()) {
    tokens.unseen += trace_code(without_ignorable(text, 0, at), t.spec.lowercase);
  } else {
    tokens.unseen += trace_code(text.substr(0, at), t.spec.lowercase);
  }
  return tokens;
}

std::int32_t WordPiece::max_id() const noexcept { return tables_->max_id; }
bool WordPiece::lowercases() const noexcept { return tables_->spec.lowercase; }

}  // namespace sosie::text
