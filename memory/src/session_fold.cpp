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

result<bool> keeps_its_run(session_event const& e) {
  if (e.keeps) return *e.keeps;
  auto const payload = object_of(e);
  if (!payload) return payload.error();
  auto const keep = payload->find("keep");
  return keep != payload->end() && keep->is_boolean() && keep->get<bool>();
}

result<std::shared_ptr<message const>> message_of(session_event const& e) {
  if (e.said) return e.said;
  auto const body = object_of(e);
  if (!body) return body.error();
  auto said = message_from_json(*body);
  if (!said) return wrong_payload(e, said.error().message);
  return std::make_shared<message const>(std::move(*said));
}

}  // namespace

result<void> session_fold::apply(session_event e) {
  auto const seq = e.seq;
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
      join(std::move(e));
      break;
    }
    case event_type::call_resolved: {
      auto const payload = object_of(e);
      if (!payload) return payload.error();
      auto const id = member(*payload, "call_id");
      std::erase_if(pending_, [&](auto const& waiting) { return waiting.run == e.run && waiting.call.id == id; });
      join(std::move(e));
      break;
    }
    default: join(std::move(e));
  }
  covered_ = seq;
  return {};
}

/// An event of a run that has not ended belongs to it; the first one opens it.
void session_fold::join(session_event e) {
  if (e.run == ulid{} || ended_.contains(e.run)) return;
  auto run = std::find_if(open_.begin(), open_.end(), [&](auto const& o) { return o.run == e.run; });
  if (run == open_.end()) run = open_.insert(run, open_run{e.run, {}});
  run->events.push_back(std::move(e));
}

result<void> session_fold::end_run(session_event const& e) {
  auto const keep = keeps_its_run(e);
  if (!keep) return keep.error();
  auto const run = std::find_if(open_.begin(), open_.end(), [&](auto const& o) { return o.run == e.run; });
  if (run == open_.end()) {
    ended_.insert(e.run);
    return {};
  }
  if (*keep) {
    turn kept;
    for (auto const& step : run->events) {
      if (!carries_message(step.type)) continue;
      auto said = message_of(step);
      if (!said) return said.error();
      kept.push_back(std::move(*said));
    }
    turns_.push_back(std::move(kept));
  }
  open_.erase(run);
  ended_.insert(e.run);
  std::erase_if(pending_, [&](auto const& waiting) { return waiting.run == e.run; });
  return {};
}

std::vector<message> session_fold::history() const {
  std::vector<message> out;
  std::size_t count = 0;
  for (auto const& kept : turns_) count += kept.size();
  out.reserve(count);
  for (auto const& kept : turns_)
    for (auto const& said : kept) out.push_back(*said);
  return out;
}

}  // namespace wherry::inline v0::memory_detail
