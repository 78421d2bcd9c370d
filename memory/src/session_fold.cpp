#include "session_fold.hpp"

#include <wherry/core/json.hpp>

#include <algorithm>

namespace wherry::inline v0::memory_detail {
namespace {

error wrong_payload(session_event const& e, std::string const& why) {
  return error{errc::parse_error,
               "event " + std::to_string(e.seq) + " (" + to_string(e.type) + ") cannot be read: " + why, "session"};
}

bool carries_message(event_type type) {
  return type == event_type::user_message || type == event_type::assistant_message || type == event_type::tool_results;
}

std::string member(json const& object, char const* name) {
  auto const found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

result<json> object_of(session_event const& e) {
  auto payload = parse_json(e.payload);
  if (!payload) return wrong_payload(e, payload.error().message);
  if (!payload->is_object()) return wrong_payload(e, "the payload is not an object");
  return payload;
}

result<tool_call> call_of(session_event const& e) {
  auto const payload = object_of(e);
  if (!payload) return payload.error();
  auto const call = payload->find("call");
  if (call == payload->end() || !call->is_object()) return wrong_payload(e, "the member \"call\" is missing");
  return tool_call{member(*call, "id"), member(*call, "name"), member(*call, "arguments")};
}

}  // namespace

result<void> session_fold::apply(session_event const& e) {
  switch (e.type) {
    case event_type::run_ended:
      if (auto ended = end_run(e); !ended) return ended;
      break;
    case event_type::undo:
      if (!turns_.empty()) turns_.pop_back();
      break;
    case event_type::call_pending: {
      auto call = call_of(e);
      if (!call) return call.error();
      pending_.push_back({std::move(*call), e.run, e.seq});
      join(e);
      break;
    }
    case event_type::call_resolved: {
      auto const payload = object_of(e);
      if (!payload) return payload.error();
      auto const id = member(*payload, "call_id");
      std::erase_if(pending_, [&](auto const& waiting) { return waiting.run == e.run && waiting.call.id == id; });
      join(e);
      break;
    }
    default: join(e);
  }
  covered_ = e.seq;
  return {};
}

/// An event of a run that has not ended belongs to it; the first one opens it.
void session_fold::join(session_event const& e) {
  if (e.run == ulid{} || ended_.contains(e.run)) return;
  auto run = std::find_if(open_.begin(), open_.end(), [&](auto const& o) { return o.run == e.run; });
  if (run == open_.end()) run = open_.insert(run, open_run{e.run, {}});
  run->events.push_back(e);
}

result<void> session_fold::end_run(session_event const& e) {
  auto const payload = object_of(e);
  if (!payload) return payload.error();
  auto const run = std::find_if(open_.begin(), open_.end(), [&](auto const& o) { return o.run == e.run; });
  if (run == open_.end()) {
    ended_.insert(e.run);
    return {};
  }
  auto const keep = payload->find("keep");
  if (keep != payload->end() && keep->is_boolean() && keep->get<bool>()) {
    std::vector<message> turn;
    for (auto const& step : run->events) {
      if (!carries_message(step.type)) continue;
      if (step.said) {
        turn.push_back(*step.said);
        continue;
      }
      auto const body = object_of(step);
      if (!body) return body.error();
      auto said = message_from_json(*body);
      if (!said) return wrong_payload(step, said.error().message);
      turn.push_back(std::move(*said));
    }
    turns_.push_back(std::move(turn));
  }
  open_.erase(run);
  ended_.insert(e.run);
  std::erase_if(pending_, [&](auto const& waiting) { return waiting.run == e.run; });
  return {};
}

std::vector<message> session_fold::history() const {
  std::vector<message> out;
  for (auto const& turn : turns_) out.insert(out.end(), turn.begin(), turn.end());
  return out;
}

}  // namespace wherry::inline v0::memory_detail
