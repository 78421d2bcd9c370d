#include <wherry/agent/agent.hpp>

#include "definition.hpp"
#include "runner.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/llm/grammar.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace wherry::inline v0 {

namespace {

// A changed copy of a definition; the original is shared and stays as it is.
template <class Change>
std::shared_ptr<agent::definition const> changed(std::shared_ptr<agent::definition const> const& from, Change change) {
  auto copy = std::make_shared<agent::definition>(*from);
  change(*copy);
  return copy;
}

}  // namespace

call_answer approve(pending_call const& pending) { return {pending.call.id, detail::call_hash(pending.call), true}; }

call_answer deny(pending_call const& pending) { return {pending.call.id, detail::call_hash(pending.call), false}; }

output_contract output_contract::text_in(grammar::expr language) {
  return {.constraint = std::make_shared<grammar::expr const>(std::move(language))};
}

agent::agent(std::shared_ptr<model> llm, std::string instructions) {
  assert(llm && "an agent needs a model");
  auto d = std::make_shared<definition>();
  d->llm = std::move(llm);
  d->instructions = std::move(instructions);
  definition_ = std::move(d);
}

agent agent::named(std::string name) const {
  return agent(changed(definition_, [&](definition& d) { d.name = std::move(name); }));
}

agent agent::with(tool t) const {
  return agent(changed(definition_, [&](definition& d) {
    auto const have = d.executor.tools().tools();
    std::vector<tool> all(have.begin(), have.end());
    all.push_back(std::move(t));
    auto registry = tool_registry::make(std::move(all));
    if (registry)
      d.executor = tool_executor(std::move(*registry), d.approvals);
    else if (!d.broken)
      d.broken = std::move(registry).error();
  }));
}

agent agent::with(result<std::vector<tool>> tools) const {
  if (!tools)
    return agent(changed(definition_, [&](definition& d) {
      if (!d.broken) d.broken = std::move(tools).error();
    }));
  auto all = *this;
  for (auto& t : *tools) all = all.with(std::move(t));
  return all;
}

agent agent::with(std::shared_ptr<context_source> source) const {
  assert(source && "a context source must not be null");
  return agent(changed(definition_, [&](definition& d) { d.sources.push_back(std::move(source)); }));
}
agent agent::budget(context_budget bounds) const {
  return agent(changed(definition_, [&](definition& d) { d.budget = std::move(bounds); }));
}

agent agent::guard(output_guard by) const {
  assert(by.check && "a guard needs a check");
  return agent(changed(definition_, [&](definition& d) { d.guards.push_back(std::move(by)); }));
}
agent agent::learns(bool on) const {
  return agent(changed(definition_, [&](definition& d) { d.learns = on; }));
}

agent agent::limits(run_limits const& bounds) const {
  return agent(changed(definition_, [&](definition& d) { d.limits = bounds; }));
}
agent agent::sampling(sampling_options const& options) const {
  return agent(changed(definition_, [&](definition& d) { d.sampling = options; }));
}
agent agent::seed(std::uint64_t seed) const {
  return agent(changed(definition_, [&](definition& d) { d.seed = seed; }));
}
agent agent::first_step(tool_choice choice) const {
  return agent(changed(definition_, [&](definition& d) { d.first_step = choice; }));
}
agent agent::approvals(approval_policy policy) const {
  return agent(changed(definition_, [&](definition& d) {
    d.executor = tool_executor(d.executor.tools(), policy);
    d.approvals = std::move(policy);
  }));
}
agent agent::durability(wherry::v0::durability how) const {
  return agent(changed(definition_, [&](definition& d) { d.durability = how; }));
}
agent agent::trace(std::shared_ptr<trace_sink> sink) const {
  return agent(changed(definition_, [&](definition& d) { d.trace = std::move(sink); }));
}
agent agent::time_source(std::shared_ptr<clock const> source) const {
  assert(source);
  return agent(changed(definition_, [&](definition& d) { d.time_source = std::move(source); }));
}
agent agent::stop(std::vector<std::string> sequences) const {
  return agent(changed(definition_, [&](definition& d) { d.stop = std::move(sequences); }));
}

std::string const& agent::name() const noexcept { return definition_->name; }
std::string const& agent::instructions() const noexcept { return definition_->instructions; }
std::shared_ptr<model> const& agent::llm() const noexcept { return definition_->llm; }
std::vector<tool_spec> const& agent::tools() const noexcept { return *definition_->executor.tools().specs(); }

tool agent::ask_for(std::string tool_name, std::string description, output_contract output) const {
  auto answer = [other = *this, output = std::move(output)](std::string text) -> task<result<std::string>> {
    auto under_way = other.start(message::user(std::move(text)), std::nullopt, output);
    auto r = co_await under_way.async_result();
    if (!r) co_return std::move(r).error();
    co_return std::move(r->output);
  };
  return wherry::v0::tool(std::move(tool_name), std::move(description), {"message"}, std::move(answer));
}

detail::run_base agent::begin(message text, std::optional<session> in, output_contract output) const {
  return detail::run_base(
      std::make_shared<detail::runner>(definition_, std::move(text), std::move(in), std::move(output)));
}

detail::run_base agent::begin_resumed(session const& in, std::vector<call_answer> answers,
                                      output_contract output) const {
  return detail::run_base(std::make_shared<detail::runner>(definition_, in, std::move(answers), std::move(output)));
}

result<rendered_request> agent::show(run_record const& record, std::size_t step) const {
  if (step >= record.steps.size())
    return error{errc::invalid_argument,
                 "the run has " + std::to_string(record.steps.size()) + " steps; step " + std::to_string(step) +
                     " (counted from 0) is not one of them",
                 "agent.show"};
  return definition_->llm->render(record.request_of(step));
}

model_request run_record::request_of(std::size_t step) const {
  assert(step < steps.size());
  auto const& s = steps[step];
  model_request out = s.request;
  auto const at = [&](std::size_t i) { return transcript.begin() + static_cast<std::ptrdiff_t>(i); };
  out.messages.reserve(s.transcript_end - s.history_dropped);
  out.messages.assign(at(0), at(system_messages));
  out.messages.insert(out.messages.end(), at(system_messages + s.history_dropped), at(s.transcript_end));
  if (auto before = context_text(context, before_message); !before.empty() && !s.context_dropped) {
    auto& parts = out.messages.at(first_new - s.history_dropped).parts;
    parts.insert(parts.begin(), text_part{std::move(before)});
  }
  return out;
}

namespace detail {

std::string call_hash(tool_call const& call) { return content_hash(call.name + '\n' + call.arguments); }

task<std::optional<run_event>> run_base::async_next() { return runner_->async_next(); }

std::optional<run_event> run_base::next() {
  auto step = [](std::shared_ptr<runner> r) -> task<result<std::optional<run_event>>> {
    co_return co_await r->async_next();
  };
  auto event = run_blocking(step(runner_), "run.next", "run.async_next");
  if (event) return std::move(*event);
  runner_->refuse(std::move(event).error());
  return std::nullopt;
}

task<result<void>> run_base::async_end() { return runner_->async_end(); }

result<void> run_base::end() {
  auto ended = run_blocking(runner_->async_end(), "agent.run", "agent.async_run");
  if (!ended) runner_->refuse(ended.error());
  return ended;
}

void run_base::cancel() const noexcept { runner_->cancel(); }
void run_base::on(std::function<void(run_event const&)> handler) { runner_->on(std::move(handler)); }
run_record const& run_base::record() const { return runner_->record; }
run_record run_base::take_record() { return std::move(runner_->record); }

}  // namespace detail
}  // namespace wherry::inline v0
