#include "embed/endpoint_embedder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace sosie::embed {
namespace {

using testing::HasSubstr;

// Nobody listens on this port of loopback.
RemoteEmbedderOptions nowhere() {
  return {.url = "http://127.0.0.1:1/v1", .model = "some-model", .timeout = std::chrono::milliseconds(500), .dimension = 3};
}

std::shared_ptr<EndpointEmbedder> open(const RemoteEmbedderOptions& options) {
  auto opened = EndpointEmbedder::open(options);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? *opened : nullptr;
}

TEST(EndpointEmbedder, WhatLiesBeyondTheWindowIsUnseen) {
  auto options = nowhere();
  options.max_tokens = 16;
  const auto embedder = open(options);
  EXPECT_EQ(embedder->unseen("sixteen bytes 16"), "");
  EXPECT_EQ(embedder->unseen("sixteen bytes 16, more"), ", more");
  EXPECT_EQ(embedder->unseen("fifteen bytes 1é"), "é");  // Never half a character.
  EXPECT_EQ(embedder->max_tokens(), 16U);
  options.prefix = "query: ";  // Takes its part of the window.
  EXPECT_EQ(open(options)->unseen("sixteen bytes 16"), "ytes 16");
}

TEST(EndpointEmbedder, WindowsAreThoseOfTheModelsNamesOrSmall) {
  for (const auto& [name, window] : {std::pair<const char*, std::size_t>{"text-embedding-3-small", 8191}, {"openai/text-embedding-ada-002", 8191},
                                     {"all-minilm", 256}, {"my-text-embedding-3-small", 256}}) {
    auto options = nowhere();
    options.model = name;
    EXPECT_EQ(open(options)->max_tokens(), window) << name;
  }
}

TEST(EndpointEmbedder, FingerprintsTellSpacesApart) {
  const auto first = open(nowhere());
  EXPECT_EQ(first->fingerprint(), open(nowhere())->fingerprint());
  auto url = nowhere(), model = nowhere(), dimension = nowhere(), window = nowhere();
  url.url = "http://127.0.0.1:2/v1";
  model.model = "other";
  dimension.dimension = 4;
  window.max_tokens = 100;
  for (const auto& options : {url, model, dimension, window}) EXPECT_NE(open(options)->fingerprint(), first->fingerprint());
  auto same = nowhere();
  same.api_key = "sk-secret";
  EXPECT_EQ(open(same)->fingerprint(), first->fingerprint());
}

TEST(EndpointEmbedder, ErrorsNameTheEndpointAndTheWayOut) {
  auto options = nowhere();
  options.api_key = "sk-secret";
  const std::string_view texts[] = {"a text"};
  const auto failed = open(options)->embed(texts);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::unavailable);
  EXPECT_THAT(failed.error().message, HasSubstr("127.0.0.1:1"));
  options.dimension = 0;
  const auto asked = EndpointEmbedder::open(options);
  ASSERT_FALSE(asked);
  EXPECT_THAT(asked.error().message, HasSubstr("dimension"));
  for (const auto& error : {failed.error(), asked.error()}) {
    EXPECT_THAT(error.message, testing::Not(HasSubstr("sk-secret")));
    EXPECT_THAT(error.message, testing::Not(HasSubstr("a text")));
  }
  EXPECT_EQ(EndpointEmbedder::open({.url = "http://127.0.0.1:1"}).error().code, ErrorCode::invalid_argument);
  options = nowhere();
  options.max_connections = 0;
  EXPECT_EQ(EndpointEmbedder::open(options).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace sosie::embed
