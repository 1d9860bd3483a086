#include "net/http_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include <utility>

namespace sosie::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

std::string_view to_std(string_view text) { return {text.data(), text.size()}; }

/// What a message has used of what it may: counted as it is consumed, for a sender may send line by line.
struct Used {
  std::uint64_t header_bytes = 0;
  std::uint64_t chunk_bytes = 0;  // of chunk extensions and trailers
  std::size_t lines = 0;
};

/// What both directions share: fields, and a body that is counted here because Beast's own limit answers too late.
template <bool is_request>
class Reader : public http::basic_parser<is_request> {
 public:
  Reader(HeaderList& headers, std::string& body, std::uint32_t max_header_bytes, std::uint64_t max_body_bytes, Used used = {})
      : headers_(headers), body_(body), max_header_bytes_(max_header_bytes), max_body_bytes_(max_body_bytes), used_(used) {
    this->eager(true);
    this->body_limit(boost::none);
    limit_header();
  }

  Fed feed(std::string_view bytes) {
    const bool in_header = !this->is_header_done();
    error_code failure;
    const std::size_t consumed = this->put(boost::asio::const_buffer(bytes.data(), bytes.size()), failure);
    Fed fed{consumed, state(failure)};
    if (in_header) {
      used_.header_bytes += consumed;  // Of what follows the header, too; but then nobody asks any more.
      if (!limit_header() && !this->is_header_done()) fed.state = Parse::header_too_large;
    } else if (fed.state == Parse::need_more && bytes.size() - consumed > max_header_bytes_) {
      fed.state = Parse::header_too_large;  // The line before a chunk, or the trailer, which Beast would wait for without end.
    }
    // Beast speaks of the body only with its first byte; a length that is too long is known before.
    if (fed.state == Parse::need_more && this->is_header_done() && this->content_length().value_or(0) > max_body_bytes_)
      fed.state = Parse::body_too_large;
    return fed;
  }

  const Used& used() const noexcept { return used_; }

  Parse state(const error_code& failure) const {
    if (failure == http::error::need_more) return Parse::need_more;
    if (failure == http::error::header_limit) return Parse::header_too_large;
    if (failure == http::error::body_limit) return Parse::body_too_large;
    if (failure) return Parse::malformed;
    return this->is_done() ? Parse::done : Parse::need_more;
  }

 private:
  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int, string_view, int, error_code&) override {}

  void on_field_impl(http::field, string_view name, string_view value, error_code& failure) override {
    if (++used_.lines > kMaxHeaderLines) {
      failure = http::error::header_limit;
      return;
    }
    if (this->is_header_done()) {  // Trailers are dropped.
      count_chunk_bytes(name.size() + value.size(), failure);
      return;
    }
    headers_.add(to_std(name), to_std(value));
    if (!same_name(to_std(name), "transfer-encoding")) return;
    // Any other coding leaves it open where the message ends, and a proxy before us may see that differently.
    if (std::exchange(has_transfer_encoding_, true) || !same_name(to_std(value), "chunked")) failure = http::error::bad_transfer_encoding;
  }

  void on_header_impl(error_code&) override {}

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& failure) override {
    if (!length) return;
    if (*length > max_body_bytes_) {
      failure = http::error::body_limit;
      return;
    }
    // A promised length is believed only so far: memory follows the bytes.
    if constexpr (is_request) body_.reserve(std::min<std::uint64_t>(*length, 64 << 10) + kBodyPadding);
  }

  std::size_t on_body_impl(string_view piece, error_code& failure) override {
    if (piece.size() > max_body_bytes_ - seen_) {
      failure = http::error::body_limit;
      return 0;
    }
    seen_ += piece.size();
    body_.append(piece.data(), piece.size());
    return piece.size();
  }

  void on_chunk_header_impl(std::uint64_t size, string_view extensions, error_code& failure) override {
    if (size > max_body_bytes_ - seen_) failure = http::error::body_limit;
    count_chunk_bytes(extensions.size(), failure);
  }

  std::size_t on_chunk_body_impl(std::uint64_t, string_view piece, error_code& failure) override {
    return on_body_impl(piece, failure);
  }

  void on_finish_impl(error_code&) override {
    if constexpr (is_request) body_.reserve(body_.size() + kBodyPadding);
  }

  /// Leaves Beast what the header may still have. False: nothing.
  bool limit_header() {
    if (used_.header_bytes >= max_header_bytes_) return false;
    this->header_limit(static_cast<std::uint32_t>(max_header_bytes_ - used_.header_bytes));
    return true;
  }

  void count_chunk_bytes(std::size_t size, error_code& failure) {
    used_.chunk_bytes += size;
    if (used_.chunk_bytes > max_header_bytes_) failure = http::error::header_limit;
  }

  HeaderList& headers_;
  std::string& body_;
  const std::uint32_t max_header_bytes_;
  const std::uint64_t max_body_bytes_;
  Used used_;
  std::uint64_t seen_ = 0;
  bool has_transfer_encoding_ = false;
};

class RequestReader final : public Reader<true> {
 public:
  RequestReader(Request& into, std::uint32_t max_header_bytes, std::uint64_t max_body_bytes)
      : Reader(into.headers, into.body, max_header_bytes, max_body_bytes), into_(into) {}

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code& failure) override {
    if (version != 11 && version != 10) {
      failure = http::error::bad_version;
      return;
    }
    into_.method.assign(method.data(), method.size());
    into_.target.assign(target.data(), target.size());
    into_.http11 = version == 11;
  }
  Request& into_;
};

class ResponseReader final : public Reader<false> {
 public:
  using Reader::Reader;
  int status = 0;

 private:
  void on_response_impl(int code, string_view, int, error_code& failure) override {
    status = code;
    if (code < 100) failure = http::error::bad_status;  // Three digits, but no status: it could not be passed on as one.
  }
};

}  // namespace

class RequestParser::Impl {
 public:
  std::uint32_t max_header_bytes;
  std::uint64_t max_body_bytes;
  Request* request = nullptr;
  std::optional<RequestReader> reader;
};

RequestParser::RequestParser(std::uint32_t max_header_bytes, std::uint64_t max_body_bytes)
    : impl_(new Impl{max_header_bytes, max_body_bytes}) {}
RequestParser::~RequestParser() = default;

void RequestParser::start(Request& into) {
  into.method.clear();
  into.target.clear();
  into.headers.clear();
  into.body.clear();
  into.keep_alive = false;
  impl_->request = &into;
  impl_->reader.emplace(into, impl_->max_header_bytes, impl_->max_body_bytes);
}

Fed RequestParser::feed(std::string_view bytes) {
  const Fed fed = impl_->reader->feed(bytes);
  if (fed.state == Parse::done) impl_->request->keep_alive = impl_->reader->keep_alive();
  return fed;
}

bool RequestParser::header_done() const noexcept { return impl_->reader->is_header_done(); }

bool RequestParser::expects_continue() const noexcept {
  const auto expect = impl_->request->headers.find("expect");
  return expect && same_name(*expect, "100-continue");
}

class ResponseParser::Impl {
 public:
  std::uint32_t max_header_bytes;
  std::uint64_t max_body_bytes;
  bool no_body;
  HeaderList headers;
  std::string body;
  std::optional<ResponseReader> reader;

  void restart() {
    const Used used = reader ? reader->used() : Used{};
    headers.clear();
    body.clear();
    reader.emplace(headers, body, max_header_bytes, max_body_bytes, used);
    if (no_body) reader->skip(true);
  }
};

ResponseParser::ResponseParser(std::uint32_t max_header_bytes, std::uint64_t max_body_bytes, bool no_body)
    : impl_(new Impl{max_header_bytes, max_body_bytes, no_body}) {
  impl_->restart();
}
ResponseParser::~ResponseParser() = default;

Fed ResponseParser::feed(std::string_view bytes) {
  Fed total;
  for (;;) {
    const Fed fed = impl_->reader->feed(bytes.substr(total.consumed));
    total = {total.consumed + fed.consumed, fed.state};
    const bool interim = fed.state == Parse::done && impl_->reader->status >= 100 && impl_->reader->status < 200;
    if (!interim) return total;
    if (impl_->reader->status == 101) return {total.consumed, Parse::malformed};  // Nobody asked for an upgrade.
    impl_->restart();
    if (total.consumed == bytes.size()) return {total.consumed, Parse::need_more};
  }
}

Parse ResponseParser::end() {
  if (!impl_->reader->got_some()) return Parse::malformed;
  if (impl_->reader->is_done()) return Parse::done;
  error_code failure;
  impl_->reader->put_eof(failure);
  return failure ? Parse::malformed : Parse::done;
}

bool ResponseParser::header_done() const noexcept { return impl_->reader->is_header_done(); }
int ResponseParser::status() const noexcept { return impl_->reader->status; }
const HeaderList& ResponseParser::headers() const noexcept { return impl_->headers; }
bool ResponseParser::keep_alive() const noexcept { return impl_->reader->keep_alive(); }
std::string& ResponseParser::body() noexcept { return impl_->body; }

}  // namespace sosie::net
