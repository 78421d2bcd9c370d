#include <wherry/memory/event.hpp>

#include <wherry/core/json.hpp>
#include <wherry/memory/record.hpp>

#include <cassert>

namespace wherry::inline v0 {

char const* to_string(event_type type) noexcept {
  switch (type) {
    case event_type::run_opened: return "run_opened";
    case event_type::user_message: return "user_message";
    case event_type::assistant_message: return "assistant_message";
    case event_type::call_intent: return "call_intent";
    case event_type::tool_results: return "tool_results";
    case event_type::call_pending: return "call_pending";
    case event_type::call_resolved: return "call_resolved";
    case event_type::run_ended: return "run_ended";
    case event_type::undo: return "undo";
    case event_type::note: return "note";
  }
  return "unknown";
}

char const* to_string(record_origin origin) noexcept {
  switch (origin) {
    case record_origin::user: return "user";
    case record_origin::tool: return "tool";
    case record_origin::agent: return "agent";
    case record_origin::document: return "document";
    case record_origin::recalled: return "recalled";
  }
  return "unknown";
}

char const* to_string(remembered outcome) noexcept {
  switch (outcome) {
    case remembered::created: return "created";
    case remembered::same: return "same";
    case remembered::merged: return "merged";
    case remembered::superseded: return "superseded";
  }
  return "unknown";
}

char const* to_string(effect_state state) noexcept {
  switch (state) {
    case effect_state::intent: return "intent";
    case effect_state::done: return "done";
    case effect_state::unknown: return "unknown";
  }
  return "unknown";
}

session_event message_event(event_type type, ulid const& run, message const& m) {
  assert(type == event_type::user_message || type == event_type::assistant_message || type == event_type::tool_results);
  return {.type = type, .run = run, .payload = to_json_text(m), .said = std::make_shared<message const>(m)};
}

session_event call_pending_event(ulid const& run, tool_call const& call) {
  json payload;
  payload["call"] = to_json(call);
  return {.type = event_type::call_pending, .run = run, .payload = to_text(payload)};
}

session_event call_resolved_event(ulid const& run, std::string const& call_id, std::string const& resolution) {
  json const payload{{"call_id", call_id}, {"resolution", resolution}};
  return {.type = event_type::call_resolved, .run = run, .payload = to_text(payload)};
}

session_event run_ended_event(ulid const& run, bool keep, std::string const& status) {
  std::string payload = keep ? "{\"keep\":true,\"status\":" : "{\"keep\":false,\"status\":";
  append_json_string(payload, status);
  payload += '}';
  return {.type = event_type::run_ended, .run = run, .payload = std::move(payload), .keeps = keep};
}

}  // namespace wherry::inline v0
