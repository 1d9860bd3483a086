#include "gateway/langcache/bodies.h"

#include <gtest/gtest.h>

namespace sosie::gateway {
namespace {

JsonReader reader;

std::string padded(std::string text) {
  text.reserve(text.size() + net::kBodyPadding);
  return text;
}

std::string fields(const Faults& faults) {
  std::string joined;
  for (const auto& fault : faults) joined += fault.field + ":" + fault.rule + " ";
  return joined;
}

std::string search_faults(const std::string& body) {
  const auto read = read_search(reader, padded(body), 10);
  return std::holds_alternative<Faults>(read) ? fields(std::get<Faults>(read)) : "";
}

std::string set_faults(const std::string& body) {
  const auto read = read_set(reader, padded(body), 10);
  return std::holds_alternative<Faults>(read) ? fields(std::get<Faults>(read)) : "";
}

TEST(LangCacheSearch, HasDefaults) {
  const auto read = read_search(reader, padded(R"({"prompt":"x"})"), 10);
  const auto& request = std::get<SearchRequest>(read);
  EXPECT_EQ(request.strategies, std::vector{Strategy::semantic});
  EXPECT_EQ(request.max_results, 1u);
  EXPECT_FALSE(request.threshold);
}

TEST(LangCacheSearch, ThresholdsAreNormalised) {
  const auto threshold = [](const std::string& value) {
    const auto read = read_search(reader, padded(R"({"prompt":"x","similarityThreshold":)" + value + "}"), 10);
    return std::get<SearchRequest>(read).threshold->value;
  };
  EXPECT_DOUBLE_EQ(threshold("1"), 1);
  EXPECT_DOUBLE_EQ(threshold("0.75"), 0.5);
  EXPECT_DOUBLE_EQ(threshold("0.2"), 0);  // A negative cosine: everything passes.
}

TEST(LangCacheSearch, NamesEveryFault) {
  EXPECT_EQ(search_faults("x"), "body:json ");
  EXPECT_EQ(search_faults(R"({"prompt":"a","prompt":"b"})"), "body:unique ");
  EXPECT_EQ(search_faults(R"({"prompt":""})"), "prompt:minLength ");
  EXPECT_EQ(search_faults(R"({"prompt":"äääääääääää"})"), "prompt:maxLength ");  // 11 characters
  EXPECT_EQ(search_faults(R"({"prompt":"ääääääääää"})"), "");
  EXPECT_EQ(search_faults(R"({"similarityThreshold":1.01,"searchStrategies":[],"maxResults":101})"),
            "prompt:required similarityThreshold:range searchStrategies:minItems maxResults:range ");
  EXPECT_EQ(search_faults(R"({"prompt":"x","searchStrategies":["exact","Semantic"]})"), "searchStrategies:enum ");
}

TEST(LangCacheConversation, HasAContextToBeChecked) {
  const auto faults = [](const std::string& context) {
    const auto read = read_conversation_search(reader, padded(R"({"prompt":"x","context":)" + context + "}"), 10);
    return std::holds_alternative<Faults>(read) ? fields(std::get<Faults>(read)) : "";
  };
  const auto array_of = [](int count) {
    std::string array = "[";
    for (int i = 0; i < count; ++i) array += i == 0 ? "\"q\"" : ",\"q\"";
    return array + "]";
  };
  for (const std::string& good : {std::string("null"), std::string("[]"), std::string(R"(["0123456789"])"), array_of(100)}) {
    EXPECT_EQ(faults(good), "") << good;
  }
  EXPECT_EQ(faults("\"q\""), "context:type ");
  EXPECT_EQ(faults("[1]"), "context:type ");
  EXPECT_EQ(faults(R"([""])"), "context:length ");
  EXPECT_EQ(faults(R"(["0123456789a"])"), "context:length ");
  EXPECT_EQ(faults(array_of(101)), "context:maxItems ");
  const auto has_context = [](const std::string& body) {
    return std::get<SearchRequest>(read_conversation_search(reader, padded(body), 10)).has_context;
  };
  EXPECT_TRUE(has_context(R"({"prompt":"x","context":["q"]})"));
  EXPECT_FALSE(has_context(R"({"prompt":"x","context":[]})"));
  EXPECT_FALSE(has_context(R"({"prompt":"x"})"));
  // Of an ordinary search it is an unknown member.
  EXPECT_TRUE(std::holds_alternative<SearchRequest>(read_search(reader, padded(R"({"prompt":"x","context":1})"), 10)));
}

TEST(LangCacheSet, NamesEveryFault) {
  EXPECT_EQ(set_faults(R"({"prompt":"x","response":"y","ttlMillis":1,"attributes":{"a-_9":"v"}})"), "");
  EXPECT_EQ(set_faults(R"({"prompt":"x","response":"y","ttlMillis":31556952000})"), "");
  EXPECT_EQ(set_faults(R"({"prompt":1,"response":2,"ttlMillis":31556952001})"), "prompt:type response:type ttlMillis:range ");
  EXPECT_EQ(set_faults(R"({"prompt":"x","response":"y","ttlMillis":1.5})"), "ttlMillis:type ");
  EXPECT_EQ(set_faults(R"({"prompt":"x","response":"y","attributes":{"":"v"}})"), "attributes:pattern ");
  EXPECT_EQ(set_faults(R"({"prompt":"x","response":"y","attributes":{"a":"v,w"}})"), "attributes.a:pattern ");
  EXPECT_EQ(set_faults(R"({"prompt":"x","response":"y","attributes":{"a":1}})"), "attributes.a:type ");
  EXPECT_EQ(set_faults(R"({"prompt":"x","response":"y","attributes":{"a":"1","b":"1","c":"1","d":"1","e":"1","f":"1"}})"), "attributes:maxProperties ");
}

TEST(LangCacheError, TheUriDependsOnTheClientsGeneration) {
  const auto has = [](LangCacheError error, std::string_view agent, std::string_view uri) {
    return langcache_error(error, agent, "d").body.find("\"type\":\"" + std::string(uri) + "\"") != std::string::npos;
  };
  for (const char* fresh : {"speakeasy-sdk/python 0.12.0 2.9 langcache", "speakeasy-sdk/python 0.14.0 x", "speakeasy-sdk/python 1.0.0 x"}) {
    EXPECT_TRUE(has(LangCacheError::entry_not_found, fresh, "/errors/resource-not-found"));
    EXPECT_TRUE(has(LangCacheError::database_unavailable, fresh, "/errors/resource-unavailable"));
  }
  for (const char* old : {"", "curl/8", "speakeasy-sdk/python 0.11.1 2.9 langcache", "speakeasy-sdk/python x", "speakeasy-sdk/python 0.",
                          "speakeasy-sdk/typescript 0.14.0 x"}) {
    EXPECT_TRUE(has(LangCacheError::entry_not_found, old, "/errors/cache/entry/not-found"));
    EXPECT_TRUE(has(LangCacheError::database_unavailable, old, "/errors/database/resource-database-unavailable"));
  }
}

TEST(LangCacheEntry, IsWhole) {
  const auto entry = std::make_shared<Entry>();
  entry->id = std::string(32, 'a');
  entry->prompt = "\"p\"";
  entry->response = "r";
  std::string out;
  append_langcache_entry(out, Hit{entry, Similarity{0.5}, Layer::semantic, {}}, Strategy::semantic);
  EXPECT_EQ(out, R"({"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","prompt":"\"p\"","response":"r","attributes":{},"similarity":0.75,"searchStrategy":"semantic"})");
}

}  // namespace
}  // namespace sosie::gateway
