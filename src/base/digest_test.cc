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

}  // namespace
}  // namespace sosie::base
