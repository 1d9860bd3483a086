// encoder_probe: the encoder for texts that no line of text can hold. Every text on standard input is a 32-bit length
// (little-endian) and that many bytes.
//
//   encoder_probe tokens MODEL LIMIT                      a text: count, cut (1 byte), length of unseen, ids, unseen
//   encoder_probe embed MODEL PRECISION THREADS BATCH     a text: its floats
//   encoder_probe open MODEL                              prints the error's code and message, or "ok"
//   encoder_probe isas                                    prints the instruction sets that this CPU runs, a line each
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "embed/kernels.h"
#include "embed/local_encoder.h"
#include "embed/model_folder.h"

namespace {

using namespace sosie;

bool read_text(std::string& text) {
  std::uint32_t length = 0;
  if (std::fread(&length, sizeof length, 1, stdin) != 1) return false;
  text.resize(length);
  return length == 0 || std::fread(text.data(), length, 1, stdin) == 1;
}

void write(const void* data, std::size_t bytes) { std::fwrite(data, 1, bytes, stdout); }

int fail(const Error& error) {
  std::fprintf(stderr, "%s: %s\n", std::string(to_string(error.code)).c_str(), error.message.c_str());
  return 1;
}

int tokens(const std::string& model, std::size_t limit) {
  auto folder = embed::read_model_folder(model);
  if (!folder) return fail(folder.error());
  for (std::string text; read_text(text);) {
    const text::Tokens out = folder->tokenizer.tokenize(text, limit);
    const auto count = static_cast<std::uint32_t>(out.ids.size());
    const auto cut = static_cast<std::uint8_t>(out.truncated);
    const auto unseen = static_cast<std::uint32_t>(out.unseen.size());
    write(&count, 4);
    write(&cut, 1);
    write(&unseen, 4);
    write(out.ids.data(), 4 * out.ids.size());
    write(out.unseen.data(), out.unseen.size());
  }
  return 0;
}

int embed_all(const LocalEncoderOptions& options, std::size_t batch) {
  auto encoder = embed::LocalEncoder::open(options);
  if (!encoder) return fail(encoder.error());
  std::vector<std::string> texts;
  const auto flush = [&]() -> bool {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    auto out = (*encoder)->embed(views);
    if (!out) return fail(out.error()) == 0;
    for (const Embedding& e : *out) write(e.vector.data(), 4 * e.vector.size());
    texts.clear();
    return true;
  };
  for (std::string text; read_text(text);) {
    texts.push_back(std::move(text));
    if (texts.size() == batch && !flush()) return 1;
  }
  return flush() ? 0 : 1;
}

int open_only(const std::string& model) {
  auto encoder = embed::LocalEncoder::open({.model = model});
  if (!encoder) return fail(encoder.error());
  std::puts("ok");
  return 0;
}

int isas() {
  for (const base::Isa isa : base::kBestIsaFirst) {
    if (embed::kernels_for(isa) != nullptr) std::puts(std::string(to_string(isa)).c_str());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "tokens") return tokens(arguments[1], std::stoul(arguments[2]));
  if (arguments.size() == 2 && arguments[0] == "open") return open_only(arguments[1]);
  if (arguments.size() == 1 && arguments[0] == "isas") return isas();
  if (arguments.size() == 5 && arguments[0] == "embed") {
    const Precision precision = arguments[2] == "int8" ? Precision::int8 : arguments[2] == "bf16" ? Precision::bf16 : Precision::f32;
    return embed_all({.model = arguments[1], .precision = precision, .threads = std::stoul(arguments[3])}, std::stoul(arguments[4]));
  }
  std::fputs("usage: encoder_probe tokens MODEL LIMIT | embed MODEL PRECISION THREADS BATCH | open MODEL | isas\n", stderr);
  return 2;
}
