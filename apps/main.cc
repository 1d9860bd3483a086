// sosie: one binary. main() parses and hands over; each subcommand has a file.
#include <cstdio>

#include "command.h"

namespace {

/// The value of --config, wherever it stands: the file's values are the defaults of the other flags, so it comes first.
std::string find_config_flag(int argc, char** argv) {
  CLI::App finder;
  finder.set_help_flag();
  finder.allow_extras();
  std::string file;
  finder.add_option("--config", file);
  try {
    finder.parse(argc, argv);
  } catch (const CLI::ParseError&) {
    return "";  // said by the parser of the whole line
  }
  return file;
}

/// Lets --config stand behind the subcommands, too.
void fall_through(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands({})) {
    command->fallthrough();
    fall_through(*command);
  }
}

}  // namespace

int main(int argc, char** argv) {
  using namespace sosie::app;
  const auto file = find_settings_file(find_config_flag(argc, argv));
  auto settings = file.empty() ? sosie::Result<Settings>(Settings()) : load_settings(file);
  const Settings defaults = settings ? *settings : Settings();  // --help works in any case

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

  std::string config;
  app.add_option("--config", config,
                 "Configuration file (default: $SOSIE_CONFIG, else ./sosie.toml where it exists); flags win over it")
      ->type_name("FILE");

  Run run;
  add_serve(app, defaults, run);
  add_entry_commands(app, defaults, run);
  add_move_commands(app, defaults, run);
  add_embed(app, defaults, run);
  add_bench(app, defaults, run);
  add_replay(app, defaults, run);
  add_doctor(app, defaults, run);

  fall_through(app);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kFailed;
  }
  if (!settings) return fail(settings.error());
  const int code = run();
  if (std::fflush(stdout) != 0) {
    std::fprintf(stderr, "sosie: standard output cannot be written\n");
    return kFailed;
  }
  return code;
}
