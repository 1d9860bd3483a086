#include "embed/local_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

#include "embed/tiny_model.h"

namespace sosie::embed {
namespace {

using testing::HasSubstr;

std::shared_ptr<LocalEncoder> open(const TinyModel& model, Precision precision = Precision::f32, std::size_t threads = 1) {
  auto encoder = LocalEncoder::open({.model = model.folder(), .precision = precision, .threads = threads});
  EXPECT_TRUE(encoder) << encoder.error().message;
  return encoder ? *encoder : nullptr;
}

std::vector<Embedding> embed(const LocalEncoder& encoder, const std::vector<std::string>& texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  auto out = encoder.embed(views);
  EXPECT_TRUE(out);
  return *out;
}

std::vector<std::string> some_texts() {
  std::vector<std::string> texts = {"", "a", "a b c", "z z z z", "\xFF", "a\u00e9b"};
  for (std::size_t n = 1; n < 60; n += 3) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text += std::string(1, static_cast<char>('a' + (i * n) % 26)) + " ";
    texts.push_back(text);
  }
  return texts;
}

float gap(const std::vector<float>& a, const std::vector<float>& b) {
  float worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

TEST(LocalEncoder, DescribesItself) {
  const TinyModel model;
  const auto encoder = open(model);
  EXPECT_EQ(encoder->dimension(), 40U);
  EXPECT_EQ(encoder->max_tokens(), 48U);
  EXPECT_EQ(encoder->precision(), Precision::f32);
  EXPECT_EQ(encoder->precision_name(), "f32");
  EXPECT_EQ(encoder->model_name(), model.folder().filename().string());
}

TEST(LocalEncoder, VectorsHaveLengthOneAndTextsTheirTokens) {
  const TinyModel model;
  const auto encoder = open(model);
  for (const auto& text : some_texts()) {
    const Embedding e = embed(*encoder, {text})[0];
    double squares = 0;
    for (const float v : e.vector) squares += double{v} * v;
    EXPECT_NEAR(squares, 1, 1e-5);
    EXPECT_EQ(e.tokens, encoder->tokenize(text).ids.size());
  }
}

TEST(LocalEncoder, ATextBeyondTheWindowSaysSo) {
  const TinyModel model;
  const auto encoder = open(model);
  std::string text;
  for (int i = 0; i < 46; ++i) text += "a ";
  const auto fits = embed(*encoder, {text})[0];
  EXPECT_EQ(fits.tokens, 48U);
  EXPECT_FALSE(fits.truncated);
  EXPECT_EQ(fits.unseen, "");
  const auto left = embed(*encoder, {text + "yes"})[0], right = embed(*encoder, {text + "no"})[0];
  EXPECT_TRUE(left.truncated);
  EXPECT_EQ(left.tokens, 48U);
  EXPECT_EQ(left.vector, right.vector);
  EXPECT_NE(left.unseen, right.unseen);
}

class PurityTest : public testing::TestWithParam<Precision> {};

TEST_P(PurityTest, AVectorDependsOnItsTextAlone) {
  const TinyModel model;
  auto alone = LocalEncoder::open({.model = model.folder(), .precision = GetParam()});
  if (!alone && alone.error().code == ErrorCode::unsupported) GTEST_SKIP() << alone.error().message;
  ASSERT_TRUE(alone);
  auto texts = some_texts();
  std::vector<Embedding> single;
  for (const auto& text : texts) single.push_back(embed(**alone, {text})[0]);
  for (const std::size_t threads : {1, 2, 4}) {
    const auto encoder = open(model, GetParam(), threads);
    auto batch = texts;
    for (int round = 0; round < 3; ++round) {
      const auto out = embed(*encoder, batch);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        const auto at = static_cast<std::size_t>(std::find(texts.begin(), texts.end(), batch[i]) - texts.begin());
        EXPECT_EQ(out[i].vector, single[at].vector) << threads << " threads";
      }
      std::rotate(batch.begin(), batch.begin() + 7, batch.end());
    }
  }
}

TEST_P(PurityTest, ConcurrentCallsGiveTheSameVectors) {
  const TinyModel model;
  auto encoder = LocalEncoder::open({.model = model.folder(), .precision = GetParam(), .threads = 2});
  if (!encoder && encoder.error().code == ErrorCode::unsupported) GTEST_SKIP() << encoder.error().message;
  const auto texts = some_texts();
  std::vector<std::vector<Embedding>> out(4);
  std::vector<std::thread> threads;
  for (auto& o : out) threads.emplace_back([&] { o = embed(**encoder, texts); });
  for (auto& thread : threads) thread.join();
  for (const auto& o : out) {
    for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(o[i].vector, out[0][i].vector);
  }
}

TEST_P(PurityTest, StaysNearF32) {
  const TinyModel model;
  auto encoder = LocalEncoder::open({.model = model.folder(), .precision = GetParam()});
  if (!encoder && encoder.error().code == ErrorCode::unsupported) GTEST_SKIP() << encoder.error().message;
  const auto reference = embed(*open(model), some_texts()), got = embed(**encoder, some_texts());
  for (std::size_t i = 0; i < got.size(); ++i) {
    double cosine = 0;
    for (std::size_t k = 0; k < got[i].vector.size(); ++k) cosine += double{got[i].vector[k]} * reference[i].vector[k];
    EXPECT_GT(cosine, 0.99);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryPrecision, PurityTest, testing::Values(Precision::f32, Precision::bf16, Precision::int8));

TEST(LocalEncoder, APrefixStandsBeforeEveryText) {
  const TinyModel model;
  const auto plain = open(model);
  auto prefixed = LocalEncoder::open({.model = model.folder(), .precision = Precision::f32, .prefix = "q a "});
  ASSERT_TRUE(prefixed);
  EXPECT_EQ(embed(**prefixed, {"b c"})[0].vector, embed(*plain, {"q a b c"})[0].vector);
  EXPECT_EQ((*prefixed)->unseen("b \u00e9"), plain->unseen("q a b \u00e9"));
  EXPECT_NE((*prefixed)->fingerprint(), plain->fingerprint());
}

TEST(LocalEncoder, FingerprintsTellVectorSpacesApart) {
  const TinyModel model, same;
  const std::string first(open(model)->fingerprint());
  EXPECT_GE(first.size(), 16U);
  EXPECT_EQ(first, open(same)->fingerprint());
  if (auto int8 = LocalEncoder::open({.model = same.folder(), .precision = Precision::int8})) {
    EXPECT_NE(first, (*int8)->fingerprint());
  }
  same.write("1_Pooling/config.json", R"({"pooling_mode_cls_token":true})");
  EXPECT_NE(first, open(same)->fingerprint());
  const TinyModel weights;
  weights.write("model.safetensors", TinyModel::weights(1));
  EXPECT_NE(first, open(weights)->fingerprint());
  const TinyModel window;
  window.write("sentence_bert_config.json", R"({"max_seq_length":16})");
  EXPECT_NE(first, open(window)->fingerprint());
  EXPECT_EQ(open(window)->max_tokens(), 16U);
  const TinyModel words;
  words.write("vocab.txt", words.read("vocab.txt").replace(24, 1, "1"));
  EXPECT_NE(first, open(words)->fingerprint());
}

TEST(LocalEncoder, ClsPoolingTakesTheFirstToken) {
  const TinyModel model;
  const auto mean = embed(*open(model), {"a b c"})[0];
  model.write("1_Pooling/config.json", R"({"pooling_mode_cls_token":true})");
  const auto cls = embed(*open(model), {"a b c"})[0];
  EXPECT_GT(gap(mean.vector, cls.vector), 0.01F);
}

TEST(LocalEncoder, BrokenFoldersNameFileAndField) {
  const std::string good = TinyModel::weights(0);
  const auto long_header = [&](std::uint64_t length) { return std::string(reinterpret_cast<const char*>(&length), 8) + good.substr(8); };
  const auto replaced = [&](std::string from, const std::string& to) {
    std::string out = good;
    const auto at = out.find(from);
    EXPECT_NE(at, std::string::npos);
    EXPECT_EQ(from.size(), to.size());
    return out.replace(at, from.size(), to);
  };
  const struct {
    const char* file;
    std::optional<std::string> content;  // Unset: the file is removed.
    ErrorCode code;
    std::vector<const char*> named;
  } cases[] = {
      {"config.json", {}, ErrorCode::not_found, {"config.json"}},
      {"config.json", "{}", ErrorCode::data_corruption, {"config.json", "hidden_size"}},
      {"config.json", R"({"model_type":"roberta"})", ErrorCode::unsupported, {"config.json", "model_type", "roberta"}},
      {"config.json", "", ErrorCode::data_corruption, {"config.json"}},
      {"model.safetensors", {}, ErrorCode::not_found, {"model.safetensors"}},
      {"model.safetensors", "", ErrorCode::data_corruption, {"model.safetensors"}},
      {"model.safetensors", "1234", ErrorCode::data_corruption, {"model.safetensors", "header"}},
      {"model.safetensors", good.substr(0, 100), ErrorCode::data_corruption, {"model.safetensors", "header"}},
      {"model.safetensors", good.substr(0, good.size() - 4), ErrorCode::data_corruption, {"model.safetensors", "tensor", "data_offsets"}},
      {"model.safetensors", long_header(~0ULL), ErrorCode::data_corruption, {"model.safetensors", "header"}},
      {"model.safetensors", TinyModel::weights(0, std::size_t{17} << 20), ErrorCode::data_corruption, {"model.safetensors", "header"}},
      {"model.safetensors", replaced("{\"embeddings", "[\"embeddings"), ErrorCode::data_corruption, {"model.safetensors"}},
      {"model.safetensors", replaced("\"F32\"", "\"I32\""), ErrorCode::unsupported, {"model.safetensors", "dtype"}},
      {"model.safetensors", replaced("\"F32\"", "\"X32\""), ErrorCode::unsupported, {"model.safetensors", "dtype"}},
      {"model.safetensors", replaced("[30,40]", "[40,30]"), ErrorCode::data_corruption, {"model.safetensors", "word_embeddings", "shape"}},
      {"model.safetensors", replaced("layer.1.output.dense.bias", "layer.1.output.dense.bia2"), ErrorCode::data_corruption, {"model.safetensors", "layer.1.output.dense.bias", "missing"}},
      {"vocab.txt", {}, ErrorCode::not_found, {"vocab.txt"}},
      {"vocab.txt", "a\nb\n", ErrorCode::data_corruption, {"vocab.txt", "[UNK]"}},
      {"vocab.txt", "[UNK]\n[CLS]\n[SEP]\n" + std::string(40, '\n'), ErrorCode::data_corruption, {"config.json", "vocab_size"}},
      {"tokenizer.json", "{\"model\":{\"type\":\"BPE\"}}", ErrorCode::unsupported, {"tokenizer.json", "model.type", "BPE"}},
      {"1_Pooling/config.json", R"({"pooling_mode_max_tokens":true})", ErrorCode::unsupported, {"1_Pooling/config.json", "pooling_mode_max_tokens"}},
      {"modules.json", R"([{"type":"sentence_transformers.models.Dense"}])", ErrorCode::unsupported, {"modules.json", "Dense"}},
      {"sentence_bert_config.json", R"({"max_seq_length":-4})", ErrorCode::data_corruption, {"sentence_bert_config.json", "max_seq_length"}},
      {"tokenizer_config.json", "[", ErrorCode::data_corruption, {"tokenizer_config.json"}},
  };
  for (const auto& c : cases) {
    const TinyModel model;
    if (c.content) {
      model.write(c.file, *c.content);
    } else {
      model.remove(c.file);
    }
    const auto encoder = LocalEncoder::open({.model = model.folder(), .precision = Precision::f32});
    ASSERT_FALSE(encoder) << c.file;
    EXPECT_EQ(encoder.error().code, c.code) << encoder.error().message;
    for (const char* part : c.named) EXPECT_THAT(encoder.error().message, HasSubstr(part));
  }
}

TEST(LocalEncoder, WeightsThatAreNotNumbersAreAnError) {
  const TinyModel model;
  std::string weights = TinyModel::weights(0);
  const float nan = NAN;
  for (std::size_t at = weights.size() - 400; at < weights.size(); at += 4) std::memcpy(weights.data() + at, &nan, 4);
  model.write("model.safetensors", weights);
  const std::string_view text = "a";
  const auto out = open(model)->embed({&text, 1});
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, ErrorCode::data_corruption);
}

TEST(LocalEncoder, AMissingModelSaysHowToGetIt) {
  const auto encoder = LocalEncoder::open({.model = "/nowhere/at/all"});
  ASSERT_FALSE(encoder);
  EXPECT_EQ(encoder.error().code, ErrorCode::not_found);
  EXPECT_THAT(encoder.error().message, HasSubstr("/nowhere/at/all"));
  EXPECT_THAT(encoder.error().message, HasSubstr("script/bootstrap"));
}

TEST(LocalEncoder, NoThreadsIsAnError) {
  const TinyModel model;
  EXPECT_EQ(LocalEncoder::open({.model = model.folder(), .threads = 0}).error().code, ErrorCode::invalid_argument);
}

std::size_t threads_of_this_process() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("Threads:")) return std::stoul(line.substr(8));
  }
  return 0;
}

TEST(LocalEncoder, StartsNoThreadUnasked) {
  const std::size_t before = threads_of_this_process();
  const TinyModel model;
  const auto encoder = open(model, Precision::automatic);
  embed(*encoder, some_texts());
  EXPECT_EQ(threads_of_this_process(), before);
  std::size_t inside = 0;
  std::thread([&] {
    embed(*encoder, some_texts());
    inside = threads_of_this_process();
  }).join();
  EXPECT_EQ(inside, before + 1);
}

TEST(LocalEncoder, PublicFaceIsTheSameEncoder) {
  const TinyModel model;
  const auto encoder = open_local_encoder({.model = model.folder(), .precision = Precision::f32});
  ASSERT_TRUE(encoder);
  EXPECT_EQ((*encoder)->fingerprint(), open(model)->fingerprint());
}

}  // namespace
}  // namespace sosie::embed
