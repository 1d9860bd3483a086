#include "text/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sosie::text {
namespace {

using testing::HasSubstr;

constexpr std::string_view kBert = R"({"model_type":"bert","hidden_size":384,"num_hidden_layers":6,"num_attention_heads":12,
  "intermediate_size":1536,"max_position_embeddings":512,"vocab_size":30522,"layer_norm_eps":1e-12,"hidden_act":"gelu"})";

std::string with(std::string_view json, std::string_view from, std::string_view to) {
  std::string out(json);
  const auto at = out.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return out.replace(at, from.size(), to);
}

TEST(BertConfig, ReadsWhatItNeeds) {
  const auto config = parse_bert_config(kBert, "config.json");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->hidden, 384U);
  EXPECT_EQ(config->heads, 12U);
  EXPECT_EQ(config->types, 2U);
  EXPECT_EQ(config->activation, Activation::gelu);
}

TEST(BertConfig, PositionsOfXlmRobertaBeginBehindThatOfPadding) {
  EXPECT_EQ(parse_bert_config(kBert, "c")->first_position, 0U);
  const std::string xlmr = with(kBert, "\"bert\"", "\"xlm-roberta\"");
  EXPECT_EQ(parse_bert_config(xlmr, "c")->first_position, 2U);
  EXPECT_EQ(parse_bert_config(with(xlmr, "\"vocab_size\"", "\"pad_token_id\":3,\"vocab_size\""), "c")->first_position, 4U);
  const auto none = parse_bert_config(with(xlmr, "512", "4"), "c");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("max_position_embeddings"));
}

TEST(BertConfig, NamesFileAndField) {
  const struct {
    std::string json;
    ErrorCode code;
    const char* field;
  } cases[] = {
      {"", ErrorCode::data_corruption, "config.json"},
      {"{", ErrorCode::data_corruption, "config.json"},
      {"[]", ErrorCode::data_corruption, "config.json"},
      {"{\"a\":\"\xFF\"}", ErrorCode::data_corruption, "config.json"},
      {std::string(100'000, '['), ErrorCode::data_corruption, "nested"},
      {with(kBert, "\"bert\"", "\"roberta\""), ErrorCode::unsupported, "model_type is \"roberta\""},
      {with(kBert, "\"gelu\"", "\"silu\""), ErrorCode::unsupported, "hidden_act"},
      {with(kBert, "\"vocab_size\":30522", "\"position_embedding_type\":\"relative_key\""), ErrorCode::unsupported, "position_embedding_type"},
      {with(kBert, "384", "-1"), ErrorCode::data_corruption, "hidden_size"},
      {with(kBert, "384", "\"384\""), ErrorCode::data_corruption, "hidden_size"},
      {with(kBert, "384", "1e9"), ErrorCode::data_corruption, "hidden_size"},
      {with(kBert, "384", "385"), ErrorCode::data_corruption, "num_attention_heads"},
      {with(kBert, "384", "18446744073709551615"), ErrorCode::data_corruption, "hidden_size"},
      {with(kBert, "\"intermediate_size\":1536,", ""), ErrorCode::data_corruption, "intermediate_size"},
      {with(kBert, "1e-12", "\"x\""), ErrorCode::data_corruption, "layer_norm_eps"},
  };
  for (const auto& c : cases) {
    const auto config = parse_bert_config(c.json, "config.json");
    ASSERT_FALSE(config) << c.field;
    EXPECT_EQ(config.error().code, c.code) << config.error().message;
    EXPECT_THAT(config.error().message, HasSubstr("config.json"));
    EXPECT_THAT(config.error().message, HasSubstr(c.field));
  }
}

TEST(Pooling, MeanOrCls) {
  EXPECT_EQ(*parse_pooling(R"({"pooling_mode_mean_tokens":true})", "p"), Pooling::mean);
  EXPECT_EQ(*parse_pooling(R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})", "p"), Pooling::cls);
  const auto max = parse_pooling(R"({"pooling_mode_max_tokens":true})", "1_Pooling/config.json");
  ASSERT_FALSE(max);
  EXPECT_EQ(max.error().code, ErrorCode::unsupported);
  EXPECT_THAT(max.error().message, HasSubstr("1_Pooling/config.json: pooling_mode_max_tokens"));
  EXPECT_FALSE(parse_pooling("{}", "p"));
}

TEST(Modules, ADenseLayerIsNotIgnored) {
  EXPECT_TRUE(check_modules(R"([{"type":"sentence_transformers.models.Transformer"},{"type":"sentence_transformers.models.Pooling"}])", "modules.json"));
  const auto dense = check_modules(R"([{"type":"sentence_transformers.models.Dense"}])", "modules.json");
  ASSERT_FALSE(dense);
  EXPECT_EQ(dense.error().code, ErrorCode::unsupported);
  EXPECT_FALSE(check_modules("{}", "modules.json"));
  EXPECT_FALSE(check_modules("[1]", "modules.json"));
}

TEST(Window, IsReadWhereItIsSaid) {
  EXPECT_EQ(parse_sentence_config(R"({"max_seq_length":256})", "s")->window, 256U);
  EXPECT_EQ(parse_sentence_config(R"({"max_seq_length":null})", "s")->window, std::nullopt);
  EXPECT_FALSE(parse_sentence_config(R"({"max_seq_length":"x"})", "s"));
  EXPECT_FALSE(parse_sentence_config(R"({"max_seq_length":2})", "s"));
  EXPECT_EQ(*parse_tokenizer_window(R"({"model_max_length":512})", "t"), 512U);
  EXPECT_EQ(*parse_tokenizer_window(R"({"model_max_length":1000000000000000019884624838656})", "t"), std::nullopt);
}

constexpr std::string_view kHeader = R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
  "b":{"dtype":"F16","shape":[4],"data_offsets":[24,32]}})";

TEST(SafetensorsHeader, ReadsTensors) {
  const auto entries = parse_safetensors_header(kHeader, 32, "m");
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].shape, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ((*entries)[1].type, TensorType::f16);
}

TEST(SafetensorsHeader, RefusesWhatContradictsItself) {
  EXPECT_FALSE(parse_safetensors_header(kHeader, 31, "m"));  // Cut off.
  for (const auto& [from, to] : std::initializer_list<std::pair<const char*, const char*>>{
           {"[24,32]", "[16,24]"},                  // Overlaps.
           {"[24,32]", "[32,24]"},                  // Backwards.
           {"[24,32]", "[24,30]"},                  // Not what the shape needs.
           {"[24,32]", "[24]"},
           {"[24,32]", "[-8,0]"},
           {"[4]", "[18446744073709551615]"},
           {"[4]", "[4294967296,4294967296]"},      // Overflows when multiplied.
           {"[4]", "[4.0]"},
           {"[4]", "{}"},
           {"\"F16\"", "\"Q4\""},
           {"\"F16\"", "16"},
           {"{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[24,32]}", "7"},
       }) {
    const auto entries = parse_safetensors_header(with(kHeader, from, to), 32, "model.safetensors");
    ASSERT_FALSE(entries) << to;
    EXPECT_THAT(entries.error().message, HasSubstr("model.safetensors: tensor"));
  }
}

constexpr std::string_view kTokenizer = R"({"added_tokens":[{"id":1,"content":"[CLS]","special":true,"normalized":false}],
  "normalizer":{"type":"BertNormalizer","lowercase":true,"strip_accents":null},"pre_tokenizer":{"type":"BertPreTokenizer"},
  "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"[CLS]"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"[SEP]"}}]},
  "model":{"type":"WordPiece","unk_token":"[UNK]","vocab":{"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3}}})";

TEST(Tokenizer, ReadsTokenizerJson) {
  const auto parsed = parse_tokenizer(kTokenizer, "tokenizer.json");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto* spec = std::get_if<WordPieceSpec>(&*parsed);
  ASSERT_NE(spec, nullptr);
  EXPECT_EQ(spec->vocabulary.size(), 4U);
  EXPECT_EQ(spec->cls, 1);
  EXPECT_EQ(spec->sep, 2);
  EXPECT_TRUE(spec->strip_accents);
  EXPECT_EQ(spec->max_word_chars, 100U);
}

TEST(Tokenizer, NamesTheFieldThatDoesNotFit) {
  for (const auto& [from, to, field] : std::initializer_list<std::tuple<const char*, const char*, const char*>>{
           {"WordPiece", "BPE", "model.type"},
           {"BertNormalizer", "NFKC", "normalizer.type"},
           {"BertPreTokenizer", "Metaspace", "pre_tokenizer.type"},
           {"TemplateProcessing", "ByteLevel", "post_processor.type"},
           {"\"normalized\":false", "\"normalized\":true", "added_tokens.normalized"},
           {"\"unk_token\":\"[UNK]\"", "\"unk_token\":\"?\"", "model.unk_token"},
           {"\"a\":3", "\"a\":-3", "model.vocab"},
           {"\"a\":3", "\"a\":\"3\"", "model.vocab"},
           {"{\"SpecialToken\":{\"id\":\"[SEP]\"}}", "{}", "post_processor"},
           {"\"id\":1", "\"id\":99999999999", "id"},
       }) {
    const auto spec = parse_tokenizer(with(kTokenizer, from, to), "tokenizer.json");
    ASSERT_FALSE(spec) << to;
    EXPECT_THAT(spec.error().message, HasSubstr("tokenizer.json: "));
    EXPECT_THAT(spec.error().message, HasSubstr(field));
  }
}

constexpr std::string_view kUnigram = R"({"added_tokens":[{"id":4,"content":"<mask>","lstrip":true,"normalized":true}],
  "normalizer":{"type":"Sequence","normalizers":[{"type":"Strip","strip_left":false,"strip_right":true},
    {"type":"Replace","pattern":{"Regex":" {2,}"},"content":"\u2581"}]},
  "pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace","replacement":"\u2581","add_prefix_space":true}]},
  "post_processor":{"type":"RobertaProcessing","sep":["</s>",1],"cls":["<s>",0],"trim_offsets":true,"add_prefix_space":false},
  "model":{"type":"Unigram","unk_id":2,"vocab":[["<s>",0],["</s>",0.0],["<unk>",0.0],["a",-9.123456789012345]]}})";

TEST(Tokenizer, ReadsTokenizerJsonOfUnigram) {
  for (const std::string& json : {std::string(kUnigram), with(kUnigram, "\"type\":\"Unigram\",", "")}) {
    const auto parsed = parse_tokenizer(json, "tokenizer.json");
    ASSERT_TRUE(parsed) << parsed.error().message;
    const auto* spec = std::get_if<UnigramSpec>(&*parsed);
    ASSERT_NE(spec, nullptr);
    EXPECT_EQ(spec->vocabulary.size(), 4U);
    EXPECT_EQ(spec->vocabulary[3].second, -9.123456789012344);  // As Hugging Face reads it.
    EXPECT_EQ(spec->opening, 0);
    EXPECT_EQ(spec->closing, 1);
    EXPECT_EQ(spec->unknown, 2);
    ASSERT_EQ(spec->added.size(), 1U);
    EXPECT_TRUE(spec->added[0].strips_left && !spec->added[0].strips_right && spec->added[0].normalized);
    ASSERT_EQ(spec->steps.size(), 2U);
    EXPECT_EQ(std::get<UnigramSpec::CollapseSpaces>(spec->steps[1]).content, U"\u2581");
    EXPECT_TRUE(spec->split_at_space && spec->split_at_mark && !spec->byte_fallback);
    EXPECT_TRUE(spec->prepends_mark);
  }
  for (const char* fields : {"\"prepend_scheme\":\"never\",\"split\":false", "\"add_prefix_space\":false,\"split\":false"}) {
    const auto parsed = parse_tokenizer(with(with(kUnigram, "{\"type\":\"WhitespaceSplit\"},", ""), "\"add_prefix_space\":true", fields), "tokenizer.json");
    ASSERT_TRUE(parsed) << parsed.error().message;
    const auto& spec = std::get<UnigramSpec>(*parsed);
    EXPECT_FALSE(spec.prepends_mark || spec.split_at_space || spec.split_at_mark);
  }
}

TEST(Tokenizer, NamesTheFieldOfUnigramThatDoesNotFit) {
  for (const auto& [from, to, code, field] : std::initializer_list<std::tuple<const char*, const char*, ErrorCode, const char*>>{
           {"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}", "{\"type\":\"NFKC\"}", ErrorCode::unsupported, "normalizer.type is \"NFKC\""},
           {"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}", "{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAAA\"}", ErrorCode::data_corruption,
            "normalizer.precompiled_charsmap"},
           {" {2,}", " +", ErrorCode::unsupported, "normalizer.pattern"},
           {"WhitespaceSplit", "ByteLevel", ErrorCode::unsupported, "pre_tokenizer.type is \"ByteLevel\""},
           {"{\"type\":\"WhitespaceSplit\"},", "{\"type\":\"Metaspace\"},", ErrorCode::unsupported, "pre_tokenizer.type"},
           {"\"add_prefix_space\":true", "\"add_prefix_space\":false,\"prepend_scheme\":\"always\"", ErrorCode::data_corruption, "pre_tokenizer.prepend_scheme"},
           {"\"add_prefix_space\":true", "\"prepend_scheme\":\"first\"", ErrorCode::unsupported, "pre_tokenizer.prepend_scheme"},
           {"\"unk_id\":2,", "", ErrorCode::unsupported, "model.unk_id"},
           {"\"unk_id\":2", "\"unk_id\":7", ErrorCode::data_corruption, "unk_id"},
           {"[\"</s>\",0.0]", "[\"</s>\"]", ErrorCode::data_corruption, "model.vocab"},
           {"\"lstrip\":true", "\"single_word\":true", ErrorCode::unsupported, "added_tokens.single_word"},
           {"\"<s>\",0],\"trim", "\"<S>\",0],\"trim", ErrorCode::data_corruption, "post_processor"},
       }) {
    const auto spec = parse_tokenizer(with(kUnigram, from, to), "tokenizer.json");
    ASSERT_FALSE(spec) << to;
    EXPECT_EQ(spec.error().code, code) << spec.error().message;
    EXPECT_THAT(spec.error().message, HasSubstr("tokenizer.json: "));
    EXPECT_THAT(spec.error().message, HasSubstr(field));
  }
}

TEST(Vocabulary, ReadsLinesAndConfig) {
  const std::string lines = "[PAD]\n[UNK]\n[CLS]\r\n[SEP]\nword\n";
  const auto spec = parse_vocabulary(lines, "vocab.txt", R"({"do_lower_case":false,"cls_token":{"content":"[CLS]"}})", "tokenizer_config.json");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->vocabulary.size(), 5U);
  EXPECT_EQ(spec->unknown, 1);
  EXPECT_EQ(spec->cls, 2);
  EXPECT_FALSE(spec->lowercase);
  EXPECT_FALSE(spec->strip_accents);
  EXPECT_FALSE(parse_vocabulary("", "vocab.txt", "", "t"));
  EXPECT_THAT(parse_vocabulary("a\nb\n", "vocab.txt", "", "t").error().message, HasSubstr("[UNK]"));
}

}  // namespace
}  // namespace sosie::text
