#include "net/content_coding.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <string>

namespace sosie::net {
namespace {

std::string gzipped(std::string_view text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstded(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Coding {
  const char* name;
  std::string (*encode)(std::string_view);
};
constexpr Coding kCodings[] = {{"gzip", gzipped}, {"x-gzip", gzipped}, {"zstd", zstded}};

std::string code_of(const Result<std::string>& result) {
  return result ? "done: " + *result : std::string(to_string(result.error().code));
}

TEST(DecodeContent, ReadsWhatWasWritten) {
  std::string text;
  while (text.size() < 300'000) text += std::to_string(text.size()) + ", ";
  for (const auto& [name, encode] : kCodings) {
    for (const std::string& plain : {text, text.substr(0, 64 << 10), text.substr(0, 128 << 10), std::string("{}"), std::string()}) {
      const auto decoded = decode_content(name, encode(plain), plain.size());
      ASSERT_TRUE(decoded) << name << decoded.error().message;
      EXPECT_TRUE(*decoded == plain) << name;
      EXPECT_GE(decoded->capacity(), decoded->size() + kBodyPadding);
    }
    EXPECT_EQ(code_of(decode_content(name, encode("one ") + encode("two"), 100)), "done: one two") << name;
  }
}

TEST(DecodeContent, StopsAtTheLimitWhateverIsPromised) {
  const std::string bomb(64 << 20, 'x');
  for (const auto& [name, encode] : kCodings) {
    const std::string small = encode(bomb);
    ASSERT_LT(small.size(), 100'000u);
    EXPECT_EQ(code_of(decode_content(name, small, bomb.size() - 1)), "resource_exhausted") << name;
    EXPECT_EQ(code_of(decode_content(name, small, 0)), "resource_exhausted") << name;
    EXPECT_TRUE(decode_content(name, small, bomb.size())) << name;
  }
}

TEST(DecodeContent, RefusesWhatIsCutOffOrDamaged) {
  for (const auto& [name, encode] : kCodings) {
    const std::string whole = encode("a text that is long enough to be cut anywhere");
    for (std::size_t size = 1; size < whole.size(); ++size)
      EXPECT_EQ(code_of(decode_content(name, whole.substr(0, size), 100)), "invalid_argument") << name << size;
    EXPECT_EQ(code_of(decode_content(name, whole + "behind it", 100)), "invalid_argument") << name;
    EXPECT_EQ(code_of(decode_content(name, "{\"model\": \"m\"}", 100)), "invalid_argument") << name;
  }
  std::string damaged = gzipped("checked");
  damaged[damaged.size() - 6] ^= 1;
  EXPECT_EQ(code_of(decode_content("gzip", damaged, 100)), "invalid_argument");
}

TEST(DecodeContent, NamesTheCodingThatItDoesNotTake) {
  for (const std::string coding : {"br", "deflate", "gzip, gzip", "compress"}) {
    const auto decoded = decode_content(coding, "x", 100);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, ErrorCode::unsupported);
    EXPECT_NE(decoded.error().message.find(" " + coding + " "), std::string::npos) << decoded.error().message;
  }
}

TEST(ContentCoding, IsWhatAllLinesSay) {
  HeaderList headers;
  EXPECT_EQ(content_coding(headers), "");
  headers.add("Content-Encoding", "identity, GZIP");
  EXPECT_EQ(content_coding(headers), "gzip");
  headers.add("content-encoding", " , br ");
  EXPECT_EQ(content_coding(headers), "gzip, br");
}

}  // namespace
}  // namespace sosie::net
