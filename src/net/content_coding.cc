#include "net/content_coding.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <bit>
#include <climits>
#include <memory>
#include <new>
#include <utility>
#include <vector>

namespace sosie::net {
namespace {

constexpr std::size_t kPiece = 64 << 10;
constexpr int kGzipAlone = 16 + MAX_WBITS;  // zlib's way to say that nothing but gzip is taken
// zstd's window, as a power of two: what RFC 8878 asks of every decoder, and at most what anybody may ask for.
constexpr int kLeastWindow = 23, kMostWindow = 27;

Error malformed(std::string_view coding) {
  return {ErrorCode::invalid_argument, "the body is not valid " + std::string(coding) + ", or ends in the middle"};
}

/// What is decoded, up to a limit.
class Output {
 public:
  explicit Output(std::uint64_t limit) : limit_(limit) {}

  std::vector<char>& piece() { return piece_; }

  /// Takes the first `size` bytes of the piece. False: they are too many.
  bool take(std::size_t size) {
    if (size > limit_ - bytes_.size()) return false;
    bytes_.append(piece_.data(), size);
    return true;
  }

  std::string finish() {
    bytes_.reserve(bytes_.size() + kBodyPadding);
    return std::move(bytes_);
  }

  static Error too_long() { return {ErrorCode::resource_exhausted, "the decoded body is larger than allowed"}; }

 private:
  const std::uint64_t limit_;
  std::vector<char> piece_ = std::vector<char>(kPiece);
  std::string bytes_;
};

Result<std::string> gunzip(std::string_view body, std::uint64_t max_bytes) {
  Output output(max_bytes);
  z_stream stream{};
  if (inflateInit2(&stream, kGzipAlone) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> ended(&stream, inflateEnd);
  for (;;) {
    if (stream.avail_in == 0) {  // Its counts are 32 bits wide.
      const std::size_t share = std::min<std::size_t>(body.size(), UINT_MAX);
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
      stream.avail_in = static_cast<uInt>(share);
      body.remove_prefix(share);
    }
    stream.next_out = reinterpret_cast<Bytef*>(output.piece().data());
    stream.avail_out = kPiece;
    const int state = inflate(&stream, Z_NO_FLUSH);
    if (state == Z_MEM_ERROR) throw std::bad_alloc();
    if (state != Z_OK && state != Z_STREAM_END) return malformed("gzip");  // Z_BUF_ERROR: nothing is left to read
    if (!output.take(kPiece - stream.avail_out)) return Output::too_long();
    if (state == Z_OK) continue;
    if (stream.avail_in == 0 && body.empty()) return output.finish();
    if (inflateReset(&stream) != Z_OK) return malformed("gzip");  // Members may follow one another.
  }
}

Result<std::string> unzstd(std::string_view body, std::uint64_t max_bytes) {
  Output output(max_bytes);
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (!context) throw std::bad_alloc();
  const int window = std::clamp(static_cast<int>(std::bit_width(max_bytes)), kLeastWindow, kMostWindow);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, window);
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  for (;;) {
    ZSTD_outBuffer out{output.piece().data(), kPiece, 0};
    const std::size_t state = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_getErrorCode(state) == ZSTD_error_memory_allocation) throw std::bad_alloc();
    if (ZSTD_getErrorCode(state) == ZSTD_error_frameParameter_windowTooLarge) return Output::too_long();
    if (ZSTD_isError(state) != 0) return malformed("zstd");
    if (!output.take(out.pos)) return Output::too_long();
    if (state == 0 && in.pos == in.size) return output.finish();
    if (in.pos == in.size && out.pos < kPiece) return malformed("zstd");  // The frame goes on.
  }
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string content_coding(const HeaderList& headers) {
  std::string all;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (!same_name(name, "content-encoding")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view coding = trimmed(rest.substr(0, comma));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      if (coding.empty() || same_name(coding, "identity")) continue;
      if (!all.empty()) all.append(", ");
      for (const char c : coding) all.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
    }
  }
  return all;
}

Result<std::string> decode_content(std::string_view coding, std::string_view body, std::uint64_t max_bytes) {
  if (coding == "gzip" || coding == "x-gzip") return gunzip(body, max_bytes);
  if (coding == "zstd") return unzstd(body, max_bytes);
  return Error{ErrorCode::unsupported, "the Content-Encoding " + std::string(coding) + " is not taken: send " + std::string(kContentCodings) +
                                           ", or the body as it is"};
}

}  // namespace sosie::net
