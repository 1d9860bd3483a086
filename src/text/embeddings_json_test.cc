#include "text/embeddings_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sosie::text {
namespace {

using nlohmann::json;
using Vectors = std::vector<std::vector<float>>;

json written(const std::vector<std::string>& texts, std::string_view metadata = "") {
  const auto body = write_embeddings_request("text-embedding-ada-002", texts, metadata);
  return body ? json::parse(*body) : json();
}

TEST(EmbeddingsRequest, IsWhatEveryCompatibleServerTakes) {
  EXPECT_EQ(written({"How?", "Why?"}),
            json::parse(R"({"model":"text-embedding-ada-002","input":["How?","Why?"],"encoding_format":"float"})"));
}

TEST(EmbeddingsRequest, CarriesAnyText) {
  using namespace std::string_literals;
  const std::string all = "\x00\x01\x1f\"\\/\n\t\x7f é 你 🦀"s;
  EXPECT_EQ(written({all})["input"][0].get<std::string>(), all);
  EXPECT_EQ(written({"a\xff\xed\xa0\x80\xc3z"})["input"][0].get<std::string>(), "a\uFFFD\uFFFD\uFFFDz");
}

TEST(EmbeddingsRequest, MarksMetadataAsUpstreamDoes) {
  EXPECT_EQ(
      written({"x"}, R"({"user_api_key":"ab","trace_id":null,"n":[1,{"a":2.5}],"é":"\u00e9\n"})")["metadata"],
      json::parse(
          R"({"user_api_key":"ab","trace_id":null,"n":[1,{"a":2.5}],"é":"é\n","semantic-cache-embedding":true})"));
  EXPECT_EQ(written({"x"}, R"({"semantic-cache-embedding":false,"a":1})")["metadata"],
            json::parse(R"({"a":1,"semantic-cache-embedding":true})"));
  EXPECT_EQ(written({"x"}, "{}")["metadata"], json::parse(R"({"semantic-cache-embedding":true})"));
}

TEST(EmbeddingsRequest, RefusesMetadataThatIsNoObject) {
  const std::vector<std::string> texts{"x"};
  for (const std::string& metadata : {std::string("[]"), std::string("null"), std::string("{"), std::string("{}}"),
                                      std::string("\"a\""), std::string(" "), "{\"a\":" + std::string(100'000, '[')}) {
    const auto body = write_embeddings_request("m", texts, metadata);
    ASSERT_FALSE(body) << metadata.substr(0, 20);
    EXPECT_EQ(body.error().code, ErrorCode::invalid_argument);
  }
}

TEST(EmbeddingsAnswer, IsReadInTheOrderOfTheTexts) {
  const auto vectors = read_embeddings_answer(
      R"({"object":"list","data":[{"index":1,"embedding":[3,-4.5]},{"index":2,"embedding":[1e-3,0]},{"index":0,"embedding":[0.5,18446744073709551615]}],"usage":{}})",
      3);
  ASSERT_TRUE(vectors);
  EXPECT_EQ(*vectors, (Vectors{{0.5F, 18446744073709551615.F}, {3, -4.5F}, {1e-3F, 0}}));
}

TEST(EmbeddingsAnswer, NeedsNoIndex) {
  const auto vectors = read_embeddings_answer(R"({"data":[{"embedding":[1]},{"embedding":[2]}]})", 2);
  ASSERT_TRUE(vectors);
  EXPECT_EQ(*vectors, (Vectors{{1}, {2}}));
}

TEST(EmbeddingsAnswer, MayBeBase64ThoughNumbersWereAskedFor) {
  // 1, -2, 0.5 as little-endian float32
  for (const char* text : {"AACAPwAAAMAAAAA/", "AACAPwAAAMA=", "AACAPwAAAMA"}) {
    const auto vectors =
        read_embeddings_answer("{\"data\":[{\"index\":0,\"embedding\":\"" + std::string(text) + "\"}]}", 1);
    ASSERT_TRUE(vectors) << text;
    EXPECT_EQ(vectors->front(),
              (text == std::string("AACAPwAAAMAAAAA/") ? std::vector<float>{1, -2, 0.5F} : std::vector<float>{1, -2}));
  }
}

TEST(EmbeddingsAnswer, IsRefusedWhereItIsNotOne) {
  const std::string good = R"({"index":0,"embedding":[1,2]})";
  const std::vector<std::string> bad{
      "",
      "<html>502</html>",
      "{",
      "[]",
      "null",
      "{}",
      R"({"error":{"message":"no"}})",
      R"({"data":null})",
      R"({"data":{}})",
      R"({"data":[]})",
      R"({"data":[)" + good + "]}",
      R"({"data":[)" + good + "," + good + "]}",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[1,2]},{"index":2,"embedding":[1,2]}]})",
      R"({"data":[)" + good + R"(,{"index":2,"embedding":[1,2]}]})",
      R"({"data":[)" + good + R"(,{"index":-1,"embedding":[1,2]}]})",
      R"({"data":[)" + good + R"(,{"index":"1","embedding":[1,2]}]})",
      R"({"data":[)" + good + R"(,{"index":18446744073709551615,"embedding":[1,2]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[1,2,3]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[0,0.0]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[1,"2"]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[1,null]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[1,1e39]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[1,NaN]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":[[1,2]]}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":"AACAPwAAAM"}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":"AACAPwAAwH8="}]})",
      R"({"data":[)" + good + R"(,{"index":1,"embedding":"A-CAPwAAAMA="}]})",
      R"({"data":[)" + good + R"(,{"index":1}]})",
      R"({"data":[)" + good + R"(,[1,2]]})",
      R"({"data":[)" + good + "," + good.substr(0, 20),
      "{\"data\":" + std::string(1'000'000, '[') + "}",
      "{\"data\":[" + good + ",\xff]}",
  };
  for (const std::string& body : bad) {
    const auto vectors = read_embeddings_answer(body, 2);
    ASSERT_FALSE(vectors) << body.substr(0, 100);
    EXPECT_EQ(vectors.error().code, ErrorCode::unavailable);
  }
}

TEST(EmbeddingsAnswer, HasABoundOnDimensions) {
  const auto answer = [](std::size_t dimension) {
    std::string body = R"({"data":[{"embedding":[1)";
    for (std::size_t i = 1; i < dimension; ++i) body += ",1";
    return body + "]}]}";
  };
  EXPECT_TRUE(read_embeddings_answer(answer(kMaxDimension), 1));
  EXPECT_FALSE(read_embeddings_answer(answer(kMaxDimension + 1), 1));
}

}  // namespace
}  // namespace sosie::text
