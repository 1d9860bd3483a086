#include "protocol/embeddings.h"

#include <gtest/gtest.h>

#include <set>

#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

const Protocol& kApi = embeddings_protocol();

Reading ask(std::string_view members, std::string_view input = R"("hi")") {
  return read_good(kApi, R"({"model":"m","input":)" + std::string(input) + (members.empty() ? "" : ",") + std::string(members) + "}");
}

TEST(EmbeddingsScope, HoldsWhatChangesTheVectors) {
  const std::string plain = ask("").digest();
  EXPECT_EQ(ask(R"("encoding_format":"float")").digest(), plain);
  EXPECT_EQ(ask(R"("dimensions":null)").digest(), plain);
  std::set<std::string> scopes{plain};
  for (const char* other : {R"("encoding_format":"base64")", R"("dimensions":8)", R"("user":"u")", R"("input_type":"query")"})
    EXPECT_TRUE(scopes.insert(ask(other).digest()).second) << other;
}

TEST(EmbeddingsQuestion, IsTheInput) {
  EXPECT_EQ(ask("", R"("a")").question.prompt, R"("a")");
  EXPECT_EQ(ask("", R"([ "a" ])").question.prompt, R"("a")");
  EXPECT_EQ(ask("", R"(["a","b"])").question.prompt, R"(["a","b"])");
  EXPECT_EQ(ask("", "[1, 2]").question.prompt, "[1,2]");
  EXPECT_TRUE(ask("").question.traits.embeddings);
  EXPECT_EQ(read_any(kApi, R"({"model":"m"})").bad.value_or(BadRequest()).param, "input");
  EXPECT_EQ(read_any(kApi, R"({"input":"x"})").bad.value_or(BadRequest()).param, "model");
}

std::variant<Kept, NotKept> keep_for(std::string_view input, std::string_view body) {
  JsonReader reader;
  return kApi.keep(reader, body, ask("", input).question);
}

TEST(EmbeddingsAnswer, IsTheUpstreamsOwn) {
  const std::string body = "{\n  \"object\": \"list\",\n  \"data\": [ {\"object\": \"embedding\", \"index\": 0, \"embedding\": [0.10, -0.0]} ],\n  \"model\": \"m x\" }";
  const std::string kept = kept_of(keep_for(R"("a")", body));
  EXPECT_EQ(kept, R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.10,-0.0]}],"model":"m x"})");
  EXPECT_TRUE(kApi.owns(kept));
  const auto replay = kApi.replay(kept, {});
  ASSERT_TRUE(replay);
  EXPECT_EQ(replay->head + std::string(replay->tail), kept);
  EXPECT_EQ(kept_of(keep_for(R"("a")", R"({"data":[{"embedding":"AAAA"}],"object":"list"})")), R"({"object":"list","data":[{"embedding":"AAAA"}]})");
  JsonReader reader;
  EXPECT_FALSE(kApi.replay_stream(reader, kept, {}));
  EXPECT_EQ(kApi.assembler(), nullptr);
}

TEST(EmbeddingsAnswer, IsKeptOnlyWhole) {
  constexpr std::string_view kOne = R"({"data":[{"embedding":[1]}]})";
  EXPECT_EQ(fault_of(keep_for(R"("a")", kOne)), "kept");
  EXPECT_EQ(fault_of(keep_for("[1,2]", kOne)), "kept");
  EXPECT_EQ(fault_of(keep_for("[[1,2]]", kOne)), "kept");
  EXPECT_EQ(fault_of(keep_for(R"(["a","b"])", kOne)), "choice_count");
  EXPECT_EQ(fault_of(keep_for(R"("a")", R"({"data":[]})")), "choice_count");
  EXPECT_EQ(fault_of(keep_for(R"("a")", R"({"data":[{}]})")), "no_data");
  EXPECT_EQ(fault_of(keep_for(R"("a")", R"({"model":"m"})")), "no_data");
  EXPECT_EQ(fault_of(keep_for(R"("a")", R"({"error":{},"data":[{"embedding":[1]}]})")), "error_inside");
  EXPECT_EQ(fault_of(keep_for(R"("a")", R"({"data":[{"embed)")), "not_json");
  EXPECT_EQ(fault_of(keep_for(R"("a")", R"({"data":[],"data":[{"embedding":[1]}]})")), "not_json");
}

}  // namespace
}  // namespace sosie::protocol
