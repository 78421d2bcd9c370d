#include "commands.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "terminal.hpp"
#include "version.hpp"

#include <wherry/core/json.hpp>

namespace wherry::cli {

int about_command(settings const& given) {
  std::string const what = "agents around a language model that runs in this process";
  auto const choice = choose_model(given.model);
  if (given.output.as_json) {
    json j;
    j["name"] = "wherry";
    j["version"] = version_text;
    j["description"] = what;
    j["model"] = choice.file.empty() ? json(nullptr) : json(choice.file);
    put_raw(to_text(j) + '\n');
    return exit_ok;
  }
  auto const try_this = [](std::string const& command, std::string const& purpose) {
    put_raw("  " + styled_output(style::bold, command) + std::string(36 - command.size(), ' ') + purpose + '\n');
  };
  put_raw(styled_output(style::bold, "wherry") + ' ' + std::string(version_text) + ": " + what + ".\n");
  put_raw("Model: " + harmless(describe_choice(choice)) + ".\n");
  try_this("wherry ask \"What is a wherry?\"", "one question, one answer");
  try_this("wherry chat", "a conversation that is kept");
  try_this("wherry --help", "every command, with examples");
  return exit_ok;
}

}  // namespace wherry::cli
