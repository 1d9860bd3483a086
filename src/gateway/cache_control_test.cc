#include "gateway/cache_control.h"

#include <gtest/gtest.h>

namespace sosie::gateway {
namespace {

TEST(CacheControl, EveryLineCountsAndTheStrictestAgeHolds) {
  net::HeaderList headers;
  headers.add("Cache-Control", "max-age=60");
  headers.add("cache-control", "max-age=5, no-store");
  headers.add("Cache-Control", "max-age=90");
  const CacheControl control = read_cache_control(headers);
  EXPECT_TRUE(control.no_store);
  EXPECT_FALSE(control.no_cache);
  EXPECT_EQ(control.max_age, std::chrono::seconds(5));
}

std::string similarity_line(Layer layer, double cosine) {
  Hit hit;
  hit.entry = std::make_shared<const Entry>();
  hit.layer = layer;
  hit.similarity.value = static_cast<float>(cosine);
  const std::string lines = hit_header_lines(hit);
  const std::size_t at = lines.find("x-sosie-similarity: ") + 20;
  return lines.substr(at, lines.find('\r', at) - at);
}

TEST(HitHeaders, SayOneOfTheSameTextOnly) {
  EXPECT_EQ(similarity_line(Layer::exact, 1), "1");
  EXPECT_EQ(similarity_line(Layer::semantic, 0.9999999), "0.999999");
  EXPECT_EQ(similarity_line(Layer::semantic, 1), "0.999999");
  EXPECT_EQ(similarity_line(Layer::semantic, 0.5), "0.500000");
}

}  // namespace
}  // namespace sosie::gateway
