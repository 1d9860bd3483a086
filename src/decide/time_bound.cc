#include "decide/time_bound.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sosie::decide {
namespace {

constexpr std::size_t kEdge = 1'024;  // Bytes read at each end.

// Phrases as `Folded` writes them: lower case, one space between words, "'s" as "is".
constexpr auto kPhrases = [] {
  std::array phrases = std::to_array<std::string_view>({
      // English
      "today", "tonight", "yesterday", "tomorrow", "right now", "just now", "as of", "currently", "presently",
      "nowadays", "latest", "newest", "recent", "recently", "most up to date", "up to date", "up to the minute",
      "these days", "at the moment", "at present", "at this time", "at this moment", "so far this", "so far",
      "until now", "till now", "by now", "upcoming", "breaking news", "news", "headlines", "trending", "forecast",
      "what time is", "what time does", "what time will", "what day is", "what date is", "what month is",
      "what year is", "what is the time", "what is the date", "what is the day", "time is it", "day is it",
      "date is it", "price of", "stock price", "stock prices", "share price", "share prices", "gold price", "oil price",
      "bitcoin price", "gas prices", "house prices", "exchange rate", "exchange rates", "interest rate",
      "interest rates", "market cap of", "score of the", "live score", "live scores", "the standings", "who is winning",
      "how is the weather", "what is the weather", "weather in", "weather today", "weather like", "weather for",
      "weather report", "how many days until", "how many days till", "how many days left", "days until", "weeks until",
      "days ago", "still alive", "still available", "still open", "still valid", "how old is", "how old are", "yet .",
      // German
      "heute", "gestern", "vorgestern", "übermorgen", "jetzt", "derzeit", "zurzeit", "zur zeit", "momentan", "aktuell",
      "aktuelle", "aktuellen", "aktueller", "aktuelles", "neueste", "neuesten", "neuester", "neuestes", "neuste",
      "neusten", "kürzlich", "heutzutage", "diese woche", "dieser woche", "diesen monat", "dieses jahr", "letzte woche",
      "letzten monat", "letztes jahr", "nächste woche", "nächsten monat", "nächstes jahr", "wie spät", "wieviel uhr",
      "wie viel uhr", "wetter", "nachrichten", "wechselkurs", "aktienkurs",
      // French
      "aujourd hui", "demain", "hier soir", "d hier", "ce soir", "ce matin", "maintenant", "actuellement", "récemment",
      "cette semaine", "ce mois", "cette année", "la semaine dernière", "le mois dernier", "l année dernière",
      "la semaine prochaine", "le mois prochain", "l année prochaine", "quelle heure est", "quel temps fait", "météo",
      "actualités", "dernières nouvelles", "taux de change", "plus récent", "plus récente", "plus récents",
      "plus récentes",
      // Spanish
      "hoy", "ayer", "mañana", "ahora", "actualmente", "recientemente", "esta semana", "este mes", "este año",
      "esta noche", "la semana pasada", "el mes pasado", "el año pasado", "la próxima semana", "qué hora",
      "que hora es", "tiempo hace", "noticias", "más reciente", "más recientes", "tipo de cambio",
      // Italian
      "oggi", "ieri", "domani", "adesso", "attualmente", "recentemente", "questa settimana", "questo mese",
      "quest anno", "stasera", "la settimana scorsa", "il mese scorso", "l anno scorso", "la prossima settimana",
      "che ore sono", "che ora è", "che tempo fa", "notizie", "più recente", "più recenti", "tasso di cambio",
      // Portuguese
      "hoje", "ontem", "amanhã", "agora", "atualmente", "recentemente", "este mês", "este ano", "esta noite",
      "a semana passada", "o mês passado", "o ano passado", "a próxima semana", "que horas", "notícias", "mais recente",
      "mais recentes", "taxa de câmbio",
      // Dutch
      "vandaag", "gisteren", "morgen", "momenteel", "tegenwoordig", "actuele", "onlangs", "deze week", "deze maand",
      "dit jaar", "vanavond", "vorige week", "vorige maand", "vorig jaar", "volgende week", "hoe laat", "nieuws",
      "nieuwste", "wisselkoers",
  });
  std::sort(phrases.begin(), phrases.end());
  return phrases;
}();

// For the first byte of a word the lengths of the phrases' first words: almost every other word ends here.
constexpr auto kFirstWords = [] {
  std::array<std::uint32_t, 256> lengths{};
  for (const std::string_view phrase : kPhrases)
    lengths[static_cast<unsigned char>(phrase[0])] |= std::uint32_t{1} << std::min(phrase.find(' '), phrase.size());
  return lengths;
}();

// Written without spaces between words, so they count wherever they stand.
constexpr auto kUnspaced = [] {
  std::array phrases = std::to_array<std::string_view>({
      // Chinese
      "今天", "今日", "今晚", "今早", "今年", "昨天", "昨晚", "明天", "明年", "去年", "现在", "現在", "目前", "当前", "當前", "最新", "最近", "刚刚", "刚才",
      "近日", "本周", "本月", "这周", "这个月", "這個月", "上周", "上个月", "下周", "下个月", "几点了", "天气", "天氣", "汇率", "匯率", "股价", "股價", "新闻",
      "新聞",
      // Japanese
      "昨日", "明日", "今週", "今月", "今夜", "先週", "先月", "来週", "来月", "来年", "天気", "為替", "株価", "ニュース", "何時", "いま", "きょう",
      // Korean
      "오늘", "어제", "내일", "지금", "현재", "최근", "최신", "날씨", "뉴스", "환율",
  });
  std::sort(phrases.begin(), phrases.end());
  return phrases;
}();

// "this week", "last Friday", "next year".
constexpr auto kWhich = std::to_array<std::string_view>({"coming", "last", "next", "past", "this"});
constexpr auto kPeriods = std::to_array<std::string_view>(
    {"afternoon", "april",   "august", "autumn",   "century",  "day",     "days",      "decade", "decades",
     "december",  "evening", "fall",   "february", "fiscal",   "friday",  "holiday",   "hour",   "hours",
     "january",   "july",    "june",   "march",    "may",      "minute",  "minutes",   "monday", "month",
     "months",    "morning", "night",  "november", "october",  "quarter", "saturday",  "season", "semester",
     "september", "spring",  "summer", "sunday",   "thursday", "tuesday", "wednesday", "week",   "weekend",
     "weeks",     "winter",  "year",   "years"});
// Between them: "the last few days", "the next 24 hours".
constexpr auto kSome =
    std::to_array<std::string_view>({"couple", "few", "of", "several", "two", "three", "four", "five", "six", "ten"});
// Alone with "this" these say nothing of the present: "this day in history", "this may", "this fall under".
constexpr auto kWeak =
    std::to_array<std::string_view>({"day", "fall", "hour", "hours", "march", "may", "minute", "minutes", "spring"});

// What "current" speaks of when it does not speak of the present.
constexpr auto kNotPresent = std::to_array<std::string_view>(
    {"account",    "amplifier", "and",     "are",         "assets",  "at",      "balance",     "based",   "branch",
     "buffer",     "by",        "can",     "carrying",    "cell",    "class",   "clamp",       "column",  "context",
     "controlled", "cursor",    "density", "directory",   "divider", "does",    "element",     "file",    "flow",
     "flowing",    "flows",     "folder",  "for",         "frame",   "from",    "function",    "gain",    "has",
     "image",      "in",        "index",   "into",        "is",      "item",    "iteration",   "law",     "liabilities",
     "limiting",   "line",      "loop",    "measurement", "meter",   "method",  "mirror",      "module",  "node",
     "object",     "of",        "on",      "or",          "package", "page",    "passes",      "passing", "path",
     "position",   "process",   "pointer", "project",     "ratio",   "rating",  "record",      "ripple",  "row",
     "running",    "sample",    "scope",   "script",      "sensor",  "session", "shell",       "source",  "state",
     "tab",        "terminal",  "that",    "thread",      "through", "to",      "transformer", "url",     "user",
     "value",      "variable",  "voltage", "was",         "when",    "which",   "will",        "window",  "with",
     "word",       "workbook",  "working", "worksheet"});
constexpr auto kBeforeCurrent = std::to_array<std::string_view>(
    {"ac",      "air",   "alternating", "amount", "anode",  "bias",     "cathode",    "charging", "constant",
     "dark",    "dc",    "direct",      "drain",  "eddy",   "electric", "electrical", "fault",    "generates",
     "gulf",    "high",  "induced",     "input",  "inrush", "leakage",  "load",       "low",      "maximum",
     "neutral", "ocean", "output",      "peak",   "rated",  "rms",      "saturation", "short",    "supply",
     "water",   "of",    "more",        "much",   "no",     "phase"});

// "so far away"
constexpr auto kAwayFrom = std::to_array<std::string_view>({"apart", "as", "away", "from"});

template <std::size_t N>
constexpr bool has(const std::array<std::string_view, N>& words, std::string_view word) noexcept {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr bool is_word_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool has_unspaced(std::string_view at) noexcept {
  constexpr std::size_t kCharacter = 3;
  const std::string_view first = at.substr(0, kCharacter);
  for (auto it = std::lower_bound(kUnspaced.begin(), kUnspaced.end(), first);
       it != kUnspaced.end() && it->starts_with(first); ++it)
    if (at.starts_with(*it)) return true;
  return false;
}

/// A text as words of lower case, each behind a space; " ." where a sentence ends, " _" for what is code.
class Folded {
 public:
  void add(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
      const char c = text[at];
      if (c == '`') {
        at = behind_code(text, at);
      } else if (is_apostrophe(text, at)) {
        // "what's" is "what is"; "aujourd'hui" two words.
        const std::size_t next = at + (c == '\'' ? 1 : 3);
        const bool is =
            next < text.size() && text[next] == 's' && (next + 1 == text.size() || !is_word_byte(text[next + 1]));
        if (is) put(" is");
        at = next + (is ? 1 : 0);
      } else if (const std::size_t size = mark_size(text, at); size != 0) {
        at += size;
      } else if (is_word_byte(c)) {
        at = add_word(text, at);
      } else {
        const bool breaks = c == '\n' || ((c == '.' || c == '!' || c == '?' || c == ';') &&
                                          (at + 1 == text.size() || text[at + 1] <= ' '));
        if (breaks) put(" .");
        ++at;
      }
    }
    put(" .");
  }

  /// A time-bound phrase that no white space sets off was among it.
  bool bound() const noexcept { return bound_; }
  std::string_view text() const noexcept { return {bytes_, size_}; }

 private:
  static bool is_apostrophe(std::string_view text, std::size_t at) noexcept {
    return text[at] == '\'' || text.substr(at).starts_with("\u2019");
  }

  /// Of a sign that is no letter though it is not ASCII ("¿", "«", "–"); 0: none is here.
  static std::size_t mark_size(std::string_view text, std::size_t at) noexcept {
    if (text[at] == '\xc2') return std::min<std::size_t>(2, text.size() - at);
    return text.substr(at).starts_with("\xe2\x80") ? std::min<std::size_t>(3, text.size() - at) : 0;
  }

  static std::size_t behind_code(std::string_view text, std::size_t at) noexcept {
    const std::string_view fence = text.substr(at).starts_with("```") ? "```" : "`";
    const std::size_t end = text.find(fence, at + fence.size());
    return (end == std::string_view::npos ? at : end) + fence.size();
  }

  std::size_t add_word(std::string_view text, std::size_t begin) noexcept {
    std::size_t end = begin;
    while (end < text.size() && is_word_byte(text[end]) && mark_size(text, end) == 0) {
      const auto byte = static_cast<unsigned char>(text[end]);
      bound_ = bound_ || (byte >= 0xe3 && byte <= 0xed && has_unspaced(text.substr(end)));
      ++end;
    }
    put(" ");
    if (is_code(text, begin, end)) {
      put("_");
      return end;
    }
    bool latin = false;
    for (std::size_t i = begin; i < end; ++i) {
      char c = text[i];
      const auto byte = static_cast<unsigned char>(c);
      if ((c >= 'A' && c <= 'Z') || (latin && byte >= 0x80 && byte <= 0x9e && byte != 0x97))
        c = static_cast<char>(byte + 0x20);
      latin = byte == 0xc3;
      bytes_[size_++] = c;
    }
    return end;
  }

  /// Part of a name, a call, an option: "datetime.now", "now()", "$today", "--latest", "image:latest".
  static bool is_code(std::string_view text, std::size_t begin, std::size_t end) noexcept {
    const char before = begin == 0 ? ' ' : text[begin - 1];
    const char before_that = begin < 2 ? ' ' : text[begin - 2];
    const char after = end == text.size() ? ' ' : text[end];
    const char after_that = end + 1 < text.size() ? text[end + 1] : ' ';
    if (before == '.' || before == '\\' || before == '$' || before == '@' || before == '#' || before == '=')
      return true;
    if ((before == '-' || before == '/') && !is_word_byte(before_that)) return true;
    if (before == ':' && is_word_byte(before_that)) return true;
    return after == '(' || after == '=' || after == '[' || (after == '.' && is_word_byte(after_that));
  }

  void put(std::string_view text) noexcept {
    std::copy(text.begin(), text.end(), bytes_ + size_);
    size_ += text.size();
  }

  // Every byte of a text becomes two at most, "'s" three; and the ends.
  char bytes_[kEdge * 4 + 16];
  std::size_t size_ = 0;
  bool bound_ = false;
};

/// The word that `text`, " word word …", begins with, taken off.
std::string_view take_word(std::string_view& text) noexcept {
  if (text.empty()) return {};
  const std::size_t end = std::min(text.find(' ', 1), text.size());
  const std::string_view word = text.substr(1, end - 1);
  text.remove_prefix(end);
  return word;
}

bool is_number(std::string_view word) noexcept {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// "this week", "the last three months"; not "the last week of school", "the next day". `rest` follows `which`.
bool is_period(std::string_view which, std::string_view rest) noexcept {
  std::string_view word = take_word(rest);
  bool counted = false;
  while (is_number(word) || has(kSome, word)) {
    counted = true;
    word = take_word(rest);
  }
  if (!has(kPeriods, word)) return false;
  if (!counted && (word == "day" || word == "days" || word == "minute" || word == "holiday")) return false;
  if (which == "this" && has(kWeak, word)) return false;
  return take_word(rest) != "of";
}

bool is_present(std::string_view before, std::string_view rest) noexcept {
  const std::string_view word = take_word(rest);
  return word != "." && word != "_" && before != "_" && !has(kNotPresent, word) && !has(kBeforeCurrent, before);
}

/// "Now write a loop" and "now that I know" go on; "what is on now" asks.
bool is_now(std::string_view before, std::string_view rest) noexcept {
  return !before.empty() && before != "." && before != "from" && take_word(rest) != "that";
}

/// "I am currently a student", "I recently moved": about the one who asks, and true until said otherwise.
bool is_of_asker(std::string_view before) noexcept { return before == "i" || before == "am" || before == "ve"; }

bool has_phrase(std::string_view before, std::string_view word, std::string_view from_word) noexcept {
  if (word.empty() || word.size() >= 32) return false;
  if ((kFirstWords[static_cast<unsigned char>(word[0])] >> word.size() & 1) == 0) return false;
  for (auto it = std::lower_bound(kPhrases.begin(), kPhrases.end(), word);
       it != kPhrases.end() && it->starts_with(word); ++it) {
    if (!from_word.starts_with(*it)) continue;
    std::string_view rest = from_word.substr(it->size());
    if (!rest.empty() && rest[0] != ' ') continue;
    if (*it == "so far" && has(kAwayFrom, take_word(rest))) continue;
    if ((*it == "currently" || *it == "presently" || *it == "recently") && is_of_asker(before)) continue;
    return true;
  }
  return false;
}

}  // namespace

bool is_time_bound(std::string_view prompt) {
  Folded folded;
  if (prompt.size() <= 2 * kEdge) {
    folded.add(prompt);
  } else {
    folded.add(prompt.substr(0, kEdge));
    folded.add(prompt.substr(prompt.size() - kEdge));
  }
  if (folded.bound()) return true;
  std::string_view before, rest = folded.text();
  while (!rest.empty()) {
    const std::string_view from_word = rest.substr(1);
    const std::string_view word = take_word(rest);
    if (has_phrase(before, word, from_word)) return true;
    if (word == "now" && is_now(before, rest)) return true;
    if (word == "current" && is_present(before, rest)) return true;
    if (has(kWhich, word) && is_period(word, rest)) return true;
    before = word;
  }
  return false;
}

}  // namespace sosie::decide
