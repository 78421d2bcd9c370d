#include "commands.hpp"
#include "demo_tools.hpp"
#include "event_printer.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "scenario.hpp"
#include "store_place.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/core/text.hpp>

#include <algorithm>

namespace wherry::cli {
namespace {

run_limits limits_of(scenario_agent const& a) {
  run_limits limits;
  if (!a.limits) return limits;
  limits.steps = a.limits->steps.value_or(limits.steps);
  limits.total_tokens = a.limits->total_tokens.value_or(limits.total_tokens);
  limits.step_tokens = a.limits->step_tokens.value_or(limits.step_tokens);
  limits.tool_calls = a.limits->tool_calls.value_or(limits.tool_calls);
  if (a.limits->time_ms) limits.time = std::chrono::milliseconds(*a.limits->time_ms);
  return limits;
}

sampling_options sampling_of(scenario_agent const& a, std::optional<double> temperature) {
  sampling_options s;
  if (a.sampling) {
    s.temperature = a.sampling->temperature.value_or(s.temperature);
    s.top_k = a.sampling->top_k.value_or(s.top_k);
    s.top_p = a.sampling->top_p.value_or(s.top_p);
    s.min_p = a.sampling->min_p.value_or(s.min_p);
    s.repetition_penalty = a.sampling->repetition_penalty.value_or(s.repetition_penalty);
    s.presence_penalty = a.sampling->presence_penalty.value_or(s.presence_penalty);
    s.frequency_penalty = a.sampling->frequency_penalty.value_or(s.frequency_penalty);
  }
  s.temperature = temperature.value_or(s.temperature);
  return s;
}

approval_policy policy_of(scenario_agent const& a, bool allow_all) {
  approval_policy policy;
  if (!a.approvals || allow_all) return policy;
  policy.reads = a.approvals->reads.value_or(policy.reads);
  policy.writes = a.approvals->writes.value_or(policy.writes);
  if (a.approvals->tools) policy.tools = *a.approvals->tools;
  return policy;
}

result<void> check_is_json(std::string_view text) {
  auto const parsed = parse_json(text);
  if (!parsed) return error{errc::output_invalid, "the answer is not JSON: " + parsed.error().message, "cli.run"};
  return {};
}

/// A scenario under way.
class performance {
 public:
  performance(settings const& given, scenario const& script, local_model llm, std::optional<session> in)
      : given_(given),
        script_(script),
        llm_(std::move(llm)),
        session_(std::move(in)),
        seed_(given.agent.seed ? given.agent.seed : script.seed) {
    for (auto const& a : script_.agents) agents_.push_back(make_agent(a));
  }

  int play();

 private:
  agent make_agent(scenario_agent const& from) const;
  int play_message(scenario_message const& m);
  int explain(error e, std::size_t agent_index);
  void tell(std::string const& line) const {
    if (given_.output.verbose) say(styled(style::dim, harmless(line)));
  }
  int close();

  settings const& given_;
  scenario const& script_;
  local_model llm_;
  std::optional<session> session_;
  std::optional<std::uint64_t> seed_;
  std::vector<agent> agents_;
  json runs_ = json::array();
};

agent performance::make_agent(scenario_agent const& from) const {
  auto made = agent(llm_, from.instructions.value_or(""))
                  .named(from.name)
                  .limits(limits_of(from))
                  .sampling(sampling_of(from, given_.agent.temperature))
                  .first_step(from.first_step.value_or(tool_choice::automatic))
                  .approvals(policy_of(from, given_.yes));
  if (from.stop) made = made.stop(*from.stop);
  if (seed_) made = made.seed(*seed_ + agents_.size());
  auto const offered = from.tools.value_or(std::vector<std::string>{});
  for (auto const& t : demo_tools(seed_.value_or(0)))
    if (std::find(offered.begin(), offered.end(), t.name()) != offered.end()) made = made.with(t);
  if (from.asks)
    for (auto const& ask : *from.asks)
      made = made.with(agents_[script_.index_of(ask.agent)].ask(ask.tool, ask.description));
  return made;
}

int performance::play() {
  for (auto const& m : script_.messages)
    if (int const code = play_message(m); code != exit_ok) {
      close();
      return code;
    }
  return close();
}

int performance::play_message(scenario_message const& m) {
  auto const& output = given_.output;
  std::size_t const to = script_.index_of(m.to);
  tell("to " + m.to + ": " + m.text);
  event_printer printer({.stream = false, .events = output.events, .verbose = output.verbose});
  output_contract contract;
  if (auto const& schema = script_.output_schemas[to]) contract = {*schema, check_is_json};
  // Every run has a seed of its own, all of them from the one that was given.
  auto const speaker = seed_ ? agents_[to].seed(*seed_ + agents_.size() + runs_.size()) : agents_[to];
  auto under_way = speaker.start(message::user(m.text), session_, std::move(contract));
  auto answered = drive(under_way, printer);

  json j;
  j["to"] = m.to;
  j["status"] = answered ? answered->status : answered.error().code.message();
  if (answered) {
    j["run"] = answered->id.text();
    j["answer"] = utf8_repaired(answered->output);
    if (script_.output_schemas[to])
      if (auto value = parse_json(answered->output)) j["output"] = std::move(*value);
    j["steps"] = answered->steps.size();
    j["usage"] = usage_json(answered->usage);
  }
  if (!answered) j["error"] = answered.error().message;
  j["calls"] = calls_json(printer.calls());
  runs_.push_back(std::move(j));
  if (!answered) return explain(std::move(answered).error(), to);
  if (output.as_json || output.events) return exit_ok;
  bool const one_agent = script_.agents.size() == 1;
  put((one_agent ? "" : m.to + ": ") + answered->output + '\n');
  return exit_ok;
}

int performance::explain(error e, std::size_t agent_index) {
  if (e.is(errc::schema_unsupported) && script_.output_schemas[agent_index]) {
    e.path = "/agents/" + std::to_string(agent_index) + "/output_schema" + e.path;
    e.message = e.path + ": " + e.message;
  }
  if (e.is(errc::needs_approval)) e.message += "; wherry run --yes allows such calls";
  return report(e, false);
}

int performance::close() {
  std::uint64_t events = 0;
  if (session_) {
    auto const last = session_->last_seq();
    auto const whole = session_->verify();
    if (!last || !whole) return report(last ? whole.error() : last.error(), given_.output.as_json);
    events = *last;
    tell("session " + session_->name() + ": " + std::to_string(events) + " events on disk, verified");
  }
  if (!given_.output.as_json) return exit_ok;
  json j;
  j["scenario"] = given_.file;
  j["model"] = std::shared_ptr<model>(llm_)->info().name;
  if (session_) j["session"] = {{"name", session_->name()}, {"events", events}};
  j["runs"] = std::move(runs_);
  put_raw(to_text(j) + '\n');
  return exit_ok;
}

// The session of a scenario: in the store that was named, else in one that is gone at the end.
result<std::optional<session>> open_session(settings const& given, scenario const& script,
                                            std::optional<temporary_store>& temporary) {
  if (!script.session) return std::optional<session>();
  auto place = given.store;
  if (place.store.empty()) {
    auto made = temporary_store::make();
    if (!made) return std::move(made).error();
    temporary.emplace(std::move(*made));
    place.store = temporary->path().string();
  }
  auto scope = open_scope(place, access::write);
  if (!scope) return std::move(scope).error();
  return std::optional<session>(scope->session(*script.session));
}

}  // namespace

int run_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto script = read_scenario(given.file);
  if (!script) return report(script.error(), as_json);
  std::optional<temporary_store> temporary;  // outlives the session in it
  auto in = open_session(given, *script, temporary);
  if (!in) return report(in.error(), as_json);
  auto llm = load_model(given.model);
  if (!llm) return report(llm.error(), as_json);
  return performance(given, *script, std::move(*llm), std::move(*in)).play();
}

}  // namespace wherry::cli
