#include "commands.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "terminal.hpp"

namespace wherry::cli {

int model_merge_command(settings const& given) {
  auto wanted = given.model;
  wanted.model = given.file;
  auto llm = load_model(wanted, true);
  if (!llm) return report(llm.error(), false);
  if (auto loaded = llm->load_adapter("merged", std::filesystem::path(given.adapter)); !loaded)
    return report(loaded.error(), false);
  slow_work const telling("writing " + given.output_file);
  if (auto saved = llm->save_merged(given.output_file, {{"merged", given.strength}}); !saved)
    return report(saved.error(), false);
  say("wherry: wrote " + given.output_file);
  return exit_ok;
}

}  // namespace wherry::cli
