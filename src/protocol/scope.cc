#include "protocol/scope.h"

#include <algorithm>
#include <cstring>

#include "protocol/json.h"
#include "text/utf8.h"

namespace sosie::protocol {
namespace {

constexpr std::size_t kMostShown = 40;  // bytes
// Of what is remembered of a request, however many fields it has and however it calls them.
constexpr std::size_t kMostParts = 128;
constexpr std::size_t kMostOfName = 128;             // bytes
constexpr std::string_view kFurtherParts = "~more";  // Behind all other names, which begin with a letter.
constexpr std::size_t kKeptCapacity = 1 << 20;  // A larger request's memory is given back.

void append_counted(std::string& out, std::string_view bytes) {
  const std::uint64_t size = bytes.size();
  char count[sizeof size];
  std::memcpy(count, &size, sizeof size);
  out.append(count, sizeof count).append(bytes);
}

/// Whether a canonical value is small enough to be shown: no array, no object, no null, no long text.
bool is_shown(std::string_view json) {
  if (json.empty() || json.front() == '[' || json.front() == '{' || json == "null") return false;
  return json.size() <= kMostShown + (json.front() == '"' ? 2 : 0);
}

}  // namespace

void Scope::clear() {
  for (std::string* each : {&bytes_, &digested_}) {
    if (each->capacity() > kKeptCapacity) std::string().swap(*each);
    each->clear();
  }
  spans_.clear();
}

void Scope::begin(std::string_view name, Form form) {
  const std::size_t name_at = bytes_.size();
  bytes_.append(name);
  spans_.push_back({name_at, name.size(), bytes_.size(), 0, form});
}

void Scope::end() { spans_.back().size = bytes_.size() - spans_.back().at; }

void Scope::add(std::string_view name, std::string_view bytes, bool secret) {
  begin(name, secret ? Form::hidden : Form::text);
  bytes_.append(bytes);
  end();
}

void Scope::add(std::string_view name, simdjson::dom::element value) {
  begin(name, Form::json);
  append_canonical_json(bytes_, value);
  end();
}

void Scope::add(std::string_view name, std::int64_t number) {
  begin(name, Form::json);
  append_json_number(bytes_, number);
  end();
}

std::string& Scope::open(std::string_view name) {
  begin(name, Form::hidden);
  return bytes_;
}

void Scope::close() { end(); }

void Scope::drop() {
  bytes_.resize(spans_.back().name_at);
  spans_.pop_back();
}

void Scope::remove(std::string_view name) {
  std::erase_if(spans_, [&](const Span& span) {
    const std::string_view whole = name_of(span);
    const bool own =
        whole.size() > name.size() && whole.ends_with(name) && whole[whole.size() - name.size() - 1] == '.';
    return whole == name || (own && !whole.starts_with("header."));
  });
}

const std::vector<Scope::Span>& Scope::sorted() const {
  sorted_ = spans_;
  // Spans lie in the order of adding, and so do their names.
  std::sort(sorted_.begin(), sorted_.end(), [this](const Span& a, const Span& b) {
    const int order = name_of(a).compare(name_of(b));
    return order != 0 ? order < 0 : a.name_at < b.name_at;
  });
  return sorted_;
}

base::Digest Scope::digest() const {
  digested_.clear();
  for (const Span& span : sorted()) {
    append_counted(digested_, name_of(span));
    append_counted(digested_, bytes_of(span));
  }
  return base::sha256(digested_);
}

std::vector<ScopePart> Scope::parts() const {
  std::vector<ScopePart> parts;
  parts.reserve(std::min(spans_.size(), kMostParts + 1));
  digested_.clear();
  const auto add_part = [&parts](std::string_view name, std::string_view bytes) -> ScopePart& {
    ScopePart& part = parts.emplace_back();
    part.name = name;
    const base::Digest digest = base::sha256(bytes);
    std::memcpy(&part.hash, digest.data(), sizeof part.hash);
    return part;
  };
  for (const Span& span : sorted()) {
    const std::string_view bytes = bytes_of(span);
    if (parts.size() == kMostParts) {
      append_counted(digested_, name_of(span));
      append_counted(digested_, bytes);
      continue;
    }
    ScopePart& part = add_part(text::prefix_of(name_of(span), kMostOfName), bytes);
    if (span.form == Form::json && is_shown(bytes)) part.shown = bytes;
    if (span.form == Form::text && bytes.size() <= kMostShown && text::validate_utf8(bytes))
      append_json_string(part.shown, bytes);
  }
  if (!digested_.empty()) add_part(kFurtherParts, digested_);
  return parts;
}

}  // namespace sosie::protocol
