// http_message.h: HTTP messages as plain values. Distinct objects are independent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sosie::net {

/// Whether two header names are the same: ASCII letters in either case.
bool same_name(std::string_view a, std::string_view b) noexcept;

/// Header fields in their order, in two buffers that are reused by the next message.
class HeaderList {
 public:
  struct Field {
    std::string_view name, value;
  };

  void add(std::string_view name, std::string_view value);
  void remove(std::string_view name) noexcept;
  void clear() noexcept;
  std::size_t size() const noexcept { return fields_.size(); }

  /// REQUIRES: index < size(). Valid until the next change.
  Field operator[](std::size_t index) const noexcept {
    const Span& span = fields_[index];
    const char* name = bytes_.data() + span.name_at;
    return {{name, span.name_size}, {name + span.name_size, span.value_size}};
  }

  /// The first field of that name.
  std::optional<std::string_view> find(std::string_view name) const noexcept;

 private:
  struct Span {
    std::uint32_t name_at, name_size, value_size;
  };
  std::string bytes_;
  std::vector<Span> fields_;
};

/// Bytes beyond `Request::body`'s end that may be read (not interpreted): a JSON parser's stride.
inline constexpr std::size_t kBodyPadding = 64;

struct Request {
  std::string method;  ///< As sent, e.g. "POST".
  std::string target;  ///< Path and query, as sent.
  HeaderList headers;
  std::string body;  ///< Its capacity exceeds its size by kBodyPadding at least.
  bool keep_alive = false;
  bool http11 = true;  ///< Understands chunks.

  std::string_view path() const noexcept { return std::string_view(target).substr(0, target.find('?')); }
};

/// An answer that is complete before its first byte leaves; or, with `Exchange::begin`, its head and first bytes.
struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";  ///< A literal, or outlives the reply. Empty: none.
  std::string headers;    ///< Further lines, each "Name: value\r\n".
  std::string body;
  std::string_view tail;  ///< Follows `body`; outlives the sending.
  std::optional<std::uint64_t> length;  ///< Of all that will follow the head of `begin`, or that a HEAD request would have got.
  bool dated = false;     ///< `headers` has a Date of its own.
};

/// "OK" for 200, and so on; "Status" for codes without a common phrase.
std::string_view reason_phrase(int status) noexcept;

/// Appends "Name: value\r\n". Control characters in `value` become spaces, so that no value can end its line.
void append_header(std::string& lines, std::string_view name, std::string_view value);

}  // namespace sosie::net
