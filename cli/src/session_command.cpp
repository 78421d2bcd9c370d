#include "commands.hpp"
#include "event_printer.hpp"
#include "outcome.hpp"
#include "store_place.hpp"

#include <wherry/core/text.hpp>

#include <algorithm>
#include <fstream>

namespace wherry::cli {
namespace {

std::string padded(std::string text, std::size_t columns) {
  if (text.size() < columns) text.resize(columns, ' ');
  return text;
}

json list_json(std::vector<session_info> const& all) {
  json list = json::array();
  for (auto const& s : all) {
    json j;
    j["name"] = s.name;
    j["events"] = s.last_seq;
    j["created"] = to_rfc3339(s.created);
    j["last"] = to_rfc3339(s.last_time);
    j["forked"] = s.forked;
    list.push_back(std::move(j));
  }
  return list;
}

// One part of a message as a reader wants to see it.
std::string part_text(content_part const& part) {
  if (auto const* text = std::get_if<text_part>(&part)) return text->text;
  if (auto const* reasoning = std::get_if<reasoning_part>(&part)) return "(thinks) " + reasoning->text;
  if (auto const* call = std::get_if<tool_call>(&part)) return "calls " + call->name + ' ' + call->arguments;
  if (auto const* r = std::get_if<tool_result>(&part))
    return r->name + (r->failed ? " failed: " : " returned: ") + r->content;
  return std::string("[") + to_string(kind_of(part)) + ']';
}

void show_message(message const& m) {
  std::string const who = to_string(m.role);
  for (auto const& part : m.parts)
    put_raw(styled_output(style::bold, padded(who, 10)) +
            (output_is_terminal() ? harmless(part_text(part)) : part_text(part)) + '\n');
}

void show_waiting(session const& s) {
  if (auto const waiting = s.pending(); waiting)
    for (auto const& p : *waiting) say_notice("waits for approval: " + p.call.name + ' ' + harmless(p.call.arguments));
}

}  // namespace

int session_list_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::read);
  if (!scope && scope.error().is(errc::not_found)) {  // nothing was ever kept: an empty list, not a failure
    as_json ? put_raw("[]\n") : say(scope.error().message);
    return exit_ok;
  }
  if (!scope) return report(scope.error(), as_json);
  auto const all = scope->sessions();
  if (!all) return report(all.error(), as_json);
  if (as_json) {
    put_raw(to_text(list_json(*all)) + '\n');
    return exit_ok;
  }
  if (all->empty()) say("There are no sessions of " + given.store.scope + " yet; wherry chat begins one.");
  std::size_t widest = 0;
  for (auto const& s : *all) widest = std::max(widest, s.name.size());
  for (auto const& s : *all)
    put(padded(one_line(s.name, 60), std::min<std::size_t>(widest, 60)) + "  " + to_rfc3339(s.last_time) + "  " +
        std::to_string(s.last_seq) + " events" + (s.forked ? ", forked" : "") + '\n');
  return exit_ok;
}

int session_show_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto found = open_existing_session(given.store, given.session);
  if (!found) return report(found.error(), as_json);
  auto const history = found->history();
  if (!history) return report(history.error(), as_json);
  if (as_json) {
    json messages = json::array();
    for (auto const& m : *history) messages.push_back(to_json(m));
    put_raw(to_text(messages) + '\n');
    return exit_ok;
  }
  for (auto const& m : *history) show_message(m);
  show_waiting(*found);
  return exit_ok;
}

int session_export_command(settings const& given) {
  auto found = open_existing_session(given.store, given.session);
  if (!found) return report(found.error(), given.output.as_json);
  auto const lines = found->export_json();
  if (!lines) return report(lines.error(), given.output.as_json);
  if (given.file.empty()) {
    put_raw(*lines);
    return exit_ok;
  }
  std::ofstream out(given.file, std::ios::binary);
  out << *lines << std::flush;
  if (!out)
    return report({errc::io_failed, "the session could not be written; name another file", "cli.export", given.file},
                  given.output.as_json);
  return exit_ok;
}

}  // namespace wherry::cli
