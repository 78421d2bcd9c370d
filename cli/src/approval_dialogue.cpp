#include "approval_dialogue.hpp"

#include "terminal.hpp"

#include <algorithm>
#include <cctype>

namespace wherry::cli {

approval_dialogue::approval_dialogue(std::string const& confirm) {
  if (confirm != "none") policy_.writes = approval::ask;
  if (confirm == "all") policy_.reads = approval::ask;
}

std::optional<std::vector<call_answer>> approval_dialogue::ask(std::vector<pending_call> const& waiting,
                                                               line_reader& lines) {
  std::vector<call_answer> answers;
  for (auto const& pending : waiting) {
    auto const known = policy_.tools.find(pending.call.name);
    bool const always = known != policy_.tools.end() && known->second == approval::allow;
    auto const said = always ? decision::always : decide(pending.call, lines);
    if (!said) return std::nullopt;
    if (*said == decision::always) policy_.tools[pending.call.name] = approval::allow;
    answers.push_back(*said == decision::no ? deny(pending) : approve(pending));
  }
  return answers;
}

// The whole call is shown, however long: nobody should agree to what cannot be seen.
std::optional<approval_dialogue::decision> approval_dialogue::decide(tool_call const& call, line_reader& lines) {
  say(styled(style::bold, "wherry: the model wants to call " + harmless(call.name)));
  say("  " + harmless(call.arguments));
  while (auto line = lines.next("allow it? [y]es, [n]o, [a]lways this tool, [l]ater: ")) {
    std::transform(line->begin(), line->end(), line->begin(),
                   [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
    if (*line == "y" || *line == "yes") return decision::yes;
    if (*line == "n" || *line == "no") return decision::no;
    if (*line == "a" || *line == "always") return decision::always;
    if (*line == "l" || *line == "later") return std::nullopt;
    say(styled(style::dim, "y, n or a; l or Ctrl-D leaves and lets the call wait"));
  }
  return std::nullopt;
}

}  // namespace wherry::cli
