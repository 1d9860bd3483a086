// embed: texts in, vectors out.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "command.h"
#include "embed/local_encoder.h"

namespace sosie::app {
namespace {

using nlohmann::json;

constexpr std::size_t kEmbedBatch = 32;

struct EmbedArguments {
  LocalEncoderOptions encoder;
  bool json = false;
};

void print(const embed::LocalEncoder& encoder, std::string_view text, const Embedding& embedding, bool as_json) {
  if (as_json) {
    const auto tokens = encoder.tokenize(text);
    std::printf("%s\n", json{{"ids", tokens.ids},
                             {"embedding", embedding.vector},
                             {"tokens", embedding.tokens},
                             {"truncated", embedding.truncated}}
                            .dump()
                            .c_str());
    return;
  }
  for (std::size_t i = 0; i < embedding.vector.size(); ++i) std::printf("%s%.9g", i ? " " : "", embedding.vector[i]);
  std::printf("\n");
}

int run_embed(const EmbedArguments& arguments) {
  auto encoder = embed::LocalEncoder::open(arguments.encoder);
  if (!encoder) return fail(encoder.error());
  std::vector<std::string> lines;
  const auto flush = [&]() -> Result<void> {
    const std::vector<std::string_view> texts(lines.begin(), lines.end());
    auto embedded = (*encoder)->embed(texts);
    if (!embedded) return std::move(embedded).error();
    for (std::size_t i = 0; i < texts.size(); ++i) print(**encoder, texts[i], (*embedded)[i], arguments.json);
    lines.clear();
    return {};
  };
  for (std::string line; std::getline(std::cin, line);) {
    lines.push_back(std::move(line));
    if (lines.size() < kEmbedBatch) continue;
    if (auto done = flush(); !done) return fail(done.error());
  }
  if (!lines.empty()) {
    if (auto done = flush(); !done) return fail(done.error());
  }
  return kOk;
}

}  // namespace

void add_embed(CLI::App& app, const Settings& settings, Run& run) {
  static EmbedArguments arguments;
  auto* command = app.add_subcommand("embed", "Embed a text a line from standard input");
  add_encoder_options(*command, settings, arguments.encoder);
  command->add_option("--threads", arguments.encoder.threads, "Threads of the encoder")->check(CLI::Range(1, 1024))->capture_default_str();
  command->add_flag("--json", arguments.json, "A line each with ids, embedding, tokens, truncated");
  command->footer("Example:\n  echo 'How do I reset my password?' | sosie embed --json --precision f32");
  command->callback([&run] { run = [] { return run_embed(arguments); }; });
}

}  // namespace sosie::app
