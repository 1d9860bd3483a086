#include "embed/packed_weights.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "embed/tiny_model.h"

namespace sosie::embed {
namespace {

FileState old_state(const TinyModel& model) {
  FileState state = *state_of(model.folder() / "model.safetensors");
  state.changed_ns = 1'000'000'000'000'000'000;  // No program can set it.
  return state;
}

std::vector<ByteMatrix> matrices() {
  std::vector<ByteMatrix> out;
  for (const auto& [depth, columns] : {std::pair<std::size_t, std::size_t>{40, 120}, {17, 3}}) {
    std::vector<float> weight(depth * columns), bias(columns, 0.5F);
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i % 29) - 14;
    out.emplace_back(weight, bias, depth, columns);
  }
  return out;
}

TEST(PackedWeights, GiveBackWhatWasWritten) {
  const TinyModel model;
  const auto path = model.folder() / "packed";
  const auto source = old_state(model);
  const auto written = matrices();
  ASSERT_TRUE(PackedWeights::write(path, source, base::sha256("weights"), written));
  const auto read = PackedWeights::open(path, source);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->weights(), base::sha256("weights"));
  for (std::size_t i = 0; i < written.size(); ++i) {
    const auto matrix = read->matrix(i, written[i].depth(), written[i].columns());
    ASSERT_TRUE(matrix);
    ASSERT_EQ(matrix->block().size(), written[i].block().size());
    EXPECT_EQ(std::memcmp(matrix->block().data(), written[i].block().data(), matrix->block().size()), 0);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(matrix->block().data()) % 64, 0U);
  }
  EXPECT_FALSE(read->matrix(0, 40, 119));
  EXPECT_FALSE(read->matrix(2, 40, 120));
}

TEST(PackedWeights, OfAnotherStateAreNone) {
  const TinyModel model;
  const auto path = model.folder() / "packed";
  const auto source = old_state(model);
  EXPECT_FALSE(PackedWeights::open(path, source));
  ASSERT_TRUE(PackedWeights::write(path, source, {}, matrices()));
  for (auto change : {&FileState::device, &FileState::inode, &FileState::bytes, &FileState::mode}) {
    FileState other = source;
    other.*change += 1;
    EXPECT_FALSE(PackedWeights::open(path, other));
  }
  for (auto change : {&FileState::modified_ns, &FileState::changed_ns}) {
    FileState other = source;
    other.*change += 1;
    EXPECT_FALSE(PackedWeights::open(path, other));
  }
  EXPECT_TRUE(PackedWeights::open(path, source));
}

TEST(PackedWeights, DamagedOnesAreNone) {
  const TinyModel model;
  const auto path = model.folder() / "packed";
  const auto source = old_state(model);
  ASSERT_TRUE(PackedWeights::write(path, source, {}, matrices()));
  const std::string whole = model.read("packed");
  for (std::size_t at = 0; at < whole.size(); at = at < 200 ? at + 1 : at + 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    model.write("packed", damaged);
    const auto read = PackedWeights::open(path, source);
    // The digest of the weights themselves, and what fills up the header's page, tell nothing about the matrices.
    if (at < 4096 && read) continue;
    EXPECT_FALSE(read) << at;
  }
  for (const std::size_t size : {0, 1, 100, 4095, 4096, 5000}) {
    model.write("packed", whole.substr(0, size));
    EXPECT_FALSE(PackedWeights::open(path, source)) << size;
  }
}

TEST(PackedWeights, AreNotWrittenForWeightsThatMayStillChange) {
  const TinyModel model;
  const auto fresh = state_of(model.folder() / "model.safetensors");
  ASSERT_TRUE(fresh);
  EXPECT_TRUE(PackedWeights::write(model.folder() / "packed", *fresh, {}, matrices()));
  EXPECT_FALSE(std::filesystem::exists(model.folder() / "packed"));
}

TEST(PackedWeights, AFolderThatCannotBeWrittenSaysSo) {
  const TinyModel model;
  const auto done = PackedWeights::write(model.folder() / "missing" / "packed", old_state(model), {}, matrices());
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("packed"), std::string::npos);
}

}  // namespace
}  // namespace sosie::embed
