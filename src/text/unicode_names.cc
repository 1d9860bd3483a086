#include "text/unicode_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace sosie::text {
namespace {

// Consecutive characters whose names' hashes stand in a row in kHashes.
struct NameRun {
  char32_t first;
  unsigned count;
};

struct NameAlias {
  std::uint32_t hash;
  char32_t point;
};

#include "text/unicode_names.inc"

struct NamedPoint {
  std::uint32_t hash;
  char32_t point;
  bool operator<(const NamedPoint& other) const noexcept { return hash < other.hash; }
};

// FNV-1a of the name in capitals.
std::uint32_t hash_of(std::string_view name) noexcept {
  std::uint32_t hash = 0x811C9DC5;
  for (const char c : name) {
    const char upper = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    hash = (hash ^ static_cast<unsigned char>(upper)) * 0x01000193U;
  }
  return hash;
}

unsigned sextet(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return static_cast<unsigned>(c - 'A');
  if (c >= 'a' && c <= 'z') return static_cast<unsigned>(c - 'a') + 26;
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0') + 52;
  return c == '+' ? 62 : 63;
}

// kHashes is base64 of little-endian 32-bit numbers.
std::vector<std::uint32_t> read_hashes() {
  std::vector<std::uint32_t> hashes;
  std::uint32_t bits = 0;
  int held = 0;
  std::uint32_t hash = 0;
  int shift = 0;
  for (const std::string_view line : kHashes) {
    for (const char c : line) {
      if (c == '=') break;
      bits = (bits << 6) | sextet(c);
      held += 6;
      if (held < 8) continue;
      held -= 8;
      hash |= ((bits >> held) & 0xFF) << shift;
      shift += 8;
      if (shift < 32) continue;
      hashes.push_back(std::exchange(hash, 0));
      shift = 0;
    }
  }
  return hashes;
}

std::vector<NamedPoint> read_table() {
  std::vector<NamedPoint> table;
  const std::vector<std::uint32_t> hashes = read_hashes();
  auto hash = hashes.begin();
  for (const NameRun& run : kRuns) {
    for (unsigned i = 0; i < run.count; ++i) table.push_back({*hash++, run.first + i});
  }
  for (const NameAlias& alias : kAliases) table.push_back({alias.hash, alias.point});
  std::sort(table.begin(), table.end());
  return table;
}

bool is_ideograph(char32_t point) noexcept {
  static constexpr std::array<std::pair<char32_t, char32_t>, 8> kBlocks = {{{0x3400, 0x4DBF},
                                                                            {0x4E00, 0x9FFF},
                                                                            {0x20000, 0x2A6DF},
                                                                            {0x2A700, 0x2B738},
                                                                            {0x2B740, 0x2B81D},
                                                                            {0x2B820, 0x2CEA1},
                                                                            {0x2CEB0, 0x2EBE0},
                                                                            {0x30000, 0x3134A}}};
  return std::any_of(kBlocks.begin(), kBlocks.end(),
                     [&](const auto& block) { return point >= block.first && point <= block.second; });
}

// The hexadecimal number in the name of an ideograph.
std::optional<char32_t> ideograph(std::string_view digits) noexcept {
  if (digits.size() != 4 && digits.size() != 5) return std::nullopt;
  if (digits.find_first_not_of("0123456789ABCDEF") != std::string_view::npos) return std::nullopt;
  std::uint32_t point = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), point, 16);
  if (!is_ideograph(point)) return std::nullopt;
  return point;
}

// Takes the longest of the parts that `name` begins with, which may be the empty one.
template <std::size_t N>
unsigned take_longest(const std::array<std::string_view, N>& parts, std::string_view& name) noexcept {
  std::size_t best = N;
  for (std::size_t i = 0; i < N; ++i) {
    if (name.starts_with(parts[i]) && (best == N || parts[i].size() > parts[best].size())) best = i;
  }
  if (best < N) name.remove_prefix(parts[best].size());
  return static_cast<unsigned>(best);
}

// A syllable's name is the names of its two or three letters (Unicode, section 3.12).
std::optional<char32_t> hangul_syllable(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 19> kLeads = {"G",  "GG", "N", "D",  "DD", "R", "M", "B", "BB", "S",
                                                              "SS", "",   "J", "JJ", "C",  "K", "T", "P", "H"};
  static constexpr std::array<std::string_view, 21> kVowels = {"A",   "AE", "YA", "YAE", "EO", "E",  "YEO",
                                                               "YE",  "O",  "WA", "WAE", "OE", "YO", "U",
                                                               "WEO", "WE", "WI", "YU",  "EU", "YI", "I"};
  static constexpr std::array<std::string_view, 28> kTails = {"",   "G",  "GG", "GS", "N",  "NJ", "NH", "D", "L",  "LG",
                                                              "LM", "LB", "LS", "LT", "LP", "LH", "M",  "B", "BS", "S",
                                                              "SS", "NG", "J",  "C",  "K",  "T",  "P",  "H"};
  const unsigned lead = take_longest(kLeads, name);
  const unsigned vowel = take_longest(kVowels, name);
  if (vowel == kVowels.size()) return std::nullopt;
  const unsigned tail = take_longest(kTails, name);
  if (!name.empty()) return std::nullopt;
  return 0xAC00 + (lead * 21 + vowel) * 28 + tail;
}

}  // namespace

std::optional<char32_t> point_of_name(std::string_view name) {
  constexpr std::string_view kIdeograph = "CJK UNIFIED IDEOGRAPH-";
  constexpr std::string_view kSyllable = "HANGUL SYLLABLE ";
  if (name.starts_with(kIdeograph)) return ideograph(name.substr(kIdeograph.size()));
  if (name.starts_with(kSyllable)) return hangul_syllable(name.substr(kSyllable.size()));
  static const std::vector<NamedPoint> kTable = read_table();
  const NamedPoint wanted{hash_of(name), 0};
  const auto found = std::lower_bound(kTable.begin(), kTable.end(), wanted);
  if (found == kTable.end() || found->hash != wanted.hash) return std::nullopt;
  return found->point;
}

}  // namespace sosie::text
