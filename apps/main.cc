// sosie: one binary. main() parses and hands over; each subcommand has a file.
#include <cstdio>

#include "command.h"

int main(int argc, char** argv) {
  using namespace sosie::app;
  CLI::App app{"sosie: a semantic cache for LLM answers"};
  app.set_version_flag("--version", "sosie " SOSIE_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(
      "Examples:\n"
      "  sosie serve --upstream https://api.openai.com/v1\n"
      "  sosie set \"How do I reset my password?\" \"Settings, Security, Reset.\"\n"
      "  sosie get \"How can I reset my password?\"        exit code 0: hit, 1: miss, 2: failure\n"
      "  sosie replay questions.jsonl\n"
      "Each subcommand has a --help of its own.");

  Run run;
  add_serve(app, run);
  add_entry_commands(app, run);
  add_embed(app, run);
  add_bench(app, run);
  add_replay(app, run);
  add_doctor(app, run);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kFailed;
  }
  const int code = run();
  if (std::fflush(stdout) != 0) {
    std::fprintf(stderr, "sosie: standard output cannot be written\n");
    return kFailed;
  }
  return code;
}
