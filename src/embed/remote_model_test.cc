#include "embed/remote_model.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace sosie::embed {
namespace {

class FindRemoteModel : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_API_KEY", "OPENAI_ORGANIZATION"})
      ::unsetenv(name);
  }
  void TearDown() override { SetUp(); }
};

TEST_F(FindRemoteModel, IsOpenAiWithoutFurtherWord) {
  const auto model = find_remote_model("text-embedding-ada-002", "", "", "");
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->base.tls);
  EXPECT_EQ(model->base.host, "api.openai.com");
  EXPECT_EQ(model->base.path, "/v1");
  EXPECT_EQ(model->api_key, "");
}

TEST_F(FindRemoteModel, TakesTheEnvironmentWhereNothingIsGiven) {
  ::setenv("OPENAI_API_BASE", "http://old.example", 1);
  EXPECT_EQ(find_remote_model("m", "", "", "")->base.host, "old.example");
  ::setenv("OPENAI_BASE_URL", "http://127.0.0.1:4000/v1/", 1);
  ::setenv("OPENAI_API_KEY", "key", 1);
  ::setenv("OPENAI_ORGANIZATION", "org", 1);
  const auto model = find_remote_model("m", "", "", "");
  ASSERT_TRUE(model);
  EXPECT_EQ(model->base.authority() + model->base.path, "127.0.0.1:4000/v1");
  EXPECT_EQ(model->api_key, "key");
  EXPECT_EQ(model->organization, "org");
  const auto given = find_remote_model("m", "http://given.example", "other", "another");
  ASSERT_TRUE(given);
  EXPECT_EQ(given->base.host, "given.example");
  EXPECT_EQ(given->api_key, "other");
  EXPECT_EQ(given->organization, "another");
}

TEST_F(FindRemoteModel, TellsOpenAiNoPrefixAndAProxyTheWholeName) {
  EXPECT_EQ(find_remote_model("openai/text-embedding-3-small", "", "", "")->model, "text-embedding-3-small");
  EXPECT_EQ(find_remote_model("openai/text-embedding-3-small", "http://127.0.0.1:4000", "", "")->model,
            "openai/text-embedding-3-small");
}

TEST_F(FindRemoteModel, RefusesWhatCannotWorkAndRepeatsNoSecret) {
  const auto refused = [](std::string model, std::string url, std::string key) {
    const auto found = find_remote_model(std::move(model), std::move(url), std::move(key), "");
    EXPECT_FALSE(found);
    if (found) return;
    EXPECT_EQ(found.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(found.error().message.find("s3cret"), std::string::npos) << found.error().message;
  };
  refused("m", "ftp://host", "");
  refused("m", "http://user:s3cret@host/v1", "");
  refused("m", "", "s3cret\n");
  refused("m", "", "s3cret\r\nX-Evil: 1");
  refused("", "", "s3cret");
  refused("openai/", "", "s3cret");
}

TEST(KnownDimension, KnowsTheUsualModelsByAnyProvidersName) {
  EXPECT_EQ(known_dimension("text-embedding-ada-002"), 1536U);
  EXPECT_EQ(known_dimension("openai/text-embedding-3-large"), 3072U);
  EXPECT_EQ(known_dimension("huggingface/BAAI/bge-small-en-v1.5"), 384U);
  EXPECT_EQ(known_dimension("bedrock/amazon.titan-embed-text-v2:0"), 1024U);
  EXPECT_EQ(known_dimension("sentence-transformers/all-MiniLM-L6-v2"), 384U);
}

TEST(KnownDimension, GuessesNothing) {
  EXPECT_EQ(known_dimension(""), 0U);
  EXPECT_EQ(known_dimension("/"), 0U);
  EXPECT_EQ(known_dimension("text-embedding-3-small/"), 0U);
  EXPECT_EQ(known_dimension("my-text-embedding-3-small"), 0U);
  EXPECT_EQ(known_dimension("text-embedding-3-smaller"), 0U);
  EXPECT_EQ(known_dimension("azure/text-embedding-3-small"), 0U);
}

}  // namespace
}  // namespace sosie::embed
