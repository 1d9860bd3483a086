#include "base/digest.h"

#include <gtest/gtest.h>

namespace sosie::base {
namespace {

TEST(Digest, MatchesThePublishedVectors) {
  EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, PartsCannotRunIntoEachOther) {
  DigestBuilder one, other, joined;
  EXPECT_NE(one.add("ab").add("c").finish(), other.add("a").add("bc").finish());
  EXPECT_NE(joined.add("abc").finish(), sha256("abc"));
}

TEST(Digest, ReadsItsOwnHexAndNothingElse) {
  const Digest digest = sha256("abc");
  const std::string hex = to_hex(digest);
  EXPECT_EQ(digest_from_hex(hex), digest);
  for (const std::string& text : {std::string(), hex.substr(1), hex + "0", "G" + hex.substr(1), "A" + hex.substr(1)}) EXPECT_FALSE(digest_from_hex(text)) << text;
}

}  // namespace
}  // namespace sosie::base
