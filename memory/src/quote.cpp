#include <wherry/memory/quote.hpp>

#include "text_analyser.hpp"

#include <wherry/core/json.hpp>

namespace wherry::inline v0 {

std::string said_text(session_event const& event) {
  bool const speaks = event.type == event_type::user_message || event.type == event_type::assistant_message ||
                      event.type == event_type::tool_results;
  if (!speaks) return {};
  auto const parsed = parse_json(event.payload);
  auto const m = parsed ? message_from_json(*parsed) : result<message>(parsed.error());
  if (!m) return {};
  if (event.type != event_type::tool_results) return m->text();
  std::string out;
  for (auto const& part : m->parts)
    if (auto const* r = std::get_if<tool_result>(&part)) out += r->content + '\n';
  return out;
}

result<std::string> quote_of(scope_handle const& scope, record const& r) {
  auto const& at = r.source;
  auto const absent = [&](std::string what) {
    return error{errc::not_found, "record " + r.id.text() + " cites " + std::move(what), "quote_of"};
  };
  if (at.session.empty() || at.first_seq == 0 || at.end <= at.begin) return absent("nothing that was said");
  auto const events = scope.session(at.session).events(at.first_seq, 1);
  if (!events) return events.error();
  if (events->empty()) return absent("an event that is not there");
  auto const text = said_text(events->front());
  if (at.end > text.size()) return absent("bytes that event " + std::to_string(at.first_seq) + " does not have");
  return text.substr(at.begin, at.end - at.begin);
}

bool same_but_for_form(std::string_view a, std::string_view b) {
  return memory_detail::normalised_text(a) == memory_detail::normalised_text(b);
}

bool contains_but_for_form(std::string_view whole, std::string_view part) {
  auto const looked_for = memory_detail::normalised_text(part);
  return !looked_for.empty() && memory_detail::normalised_text(whole).find(looked_for) != std::string::npos;
}

}  // namespace wherry::inline v0
