#include "outcome.hpp"

#include "terminal.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::cli {
namespace {

std::string as_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

exit_code exit_code_of(error const& e) noexcept {
  if (e.is(errc::needs_approval)) return exit_needs_approval;
  bool const limit = e.is(errc::limit_reached) || e.is(errc::deadline_exceeded) || e.is(errc::context_overflow) ||
                     e.is(errc::budget_too_small);
  return limit ? exit_limit : exit_failed;
}

exit_code report(error const& e, bool as_json) {
  std::string text = e.message.empty() ? e.code.message() : e.message;
  if (!e.path.empty() && text.find(e.path) == std::string::npos) text += " (" + e.path + ")";
  say(styled(style::warning, "wherry: " + harmless(as_one_line(std::move(text)))));
  if (as_json) {
    json j;
    j["error"] = {{"code", e.code.message()}, {"message", e.message}, {"where", e.where}, {"path", e.path}};
    if (!e.unsaved.empty()) j["error"]["unsaved"] = e.unsaved;
    put_raw(to_text(j) + '\n');
  }
  return exit_code_of(e);
}

}  // namespace wherry::cli
