#include <wherry/tools/tool.hpp>

#include <wherry/tools/detail/shared_validator.hpp>

#include <cassert>
#include <utility>

namespace wherry::inline v0 {

struct tool::state {
  tool_spec spec;
  argument_binder bind;
  raw_json output_schema;
  effect_class effect = effect_class::writes;
  std::optional<std::chrono::milliseconds> time_limit;
  bool runs_inline = false;
  bool is_recall = false;
};

char const* to_string(effect_class effect) noexcept { return effect == effect_class::reads ? "reads" : "writes"; }

namespace detail {

error result_misfit(error const& misfit) {
  return {errc::tool_failed,
          "the tool ran, but its result does not fit its output schema" +
              (misfit.path.empty() ? std::string() : " at " + misfit.path) + ": " + misfit.message,
          "tool.result", misfit.path};
}

}  // namespace detail

namespace {

using validator = std::shared_ptr<detail::shared_validator>;

result<std::string> checked(validator const& schema, result<std::string> outcome) {
  if (!outcome) return outcome;
  if (auto const fits = schema->check(*outcome); !fits) return detail::result_misfit(fits.error());
  return outcome;
}

task<result<std::string>> checked_later(validator schema, std::function<task<result<std::string>>(tool_context)> run,
                                        tool_context context) {
  auto outcome = co_await run(std::move(context));
  co_return checked(schema, std::move(outcome));
}

/// Binds to a call whose result is checked.
result<bound_call> bind_checked(validator const& schema, argument_binder const& bind, std::string_view arguments) {
  auto bound = bind(arguments);
  if (!bound) return bound;
  bound_call call;
  if (bound->now)
    call.now = [schema, run = std::move(bound->now)](tool_context const& c) { return checked(schema, run(c)); };
  if (bound->later)
    call.later = [schema, run = std::move(bound->later)](tool_context c) {
      return checked_later(schema, run, std::move(c));
    };
  return call;
}

}  // namespace

tool::tool(tool_spec spec, argument_binder bind) : tool(std::move(spec), std::move(bind), raw_json{}) {}

tool::tool(tool_spec spec, argument_binder bind, raw_json output_schema)
    : state_(std::make_shared<state const>(state{.spec = std::move(spec),
                                                 .bind = std::move(bind),
                                                 .output_schema = std::move(output_schema),
                                                 .time_limit = {}})) {
  assert(state_->bind && "a tool needs a binder");
}

result<tool> tool::with_output(tool_spec spec, raw_json output_schema, argument_binder bind) {
  auto schema = detail::shared_validator::make(output_schema);
  if (!schema) return std::move(schema).error();
  argument_binder checking = [schema = std::move(*schema), bind = std::move(bind)](std::string_view arguments) {
    return bind_checked(schema, bind, arguments);
  };
  return tool(std::move(spec), std::move(checking), std::move(output_schema));
}

tool tool::changed(std::function<void(state&)> const& change) const {
  auto next = std::make_shared<state>(*state_);
  change(*next);
  auto copy = *this;
  copy.state_ = std::move(next);
  return copy;
}

tool tool::reads() const {
  return changed([](state& s) { s.effect = effect_class::reads; });
}
tool tool::writes() const {
  return changed([](state& s) { s.effect = effect_class::writes; });
}
tool tool::deadline(std::chrono::milliseconds limit) const {
  assert(limit.count() > 0 && "a deadline lies in the future");
  return changed([limit](state& s) { s.time_limit = limit; });
}
tool tool::recalls() const {
  return changed([](state& s) { s.is_recall = true; });
}
tool tool::inline_run() const {
  return changed([](state& s) { s.runs_inline = true; });
}

tool_spec const& tool::spec() const noexcept { return state_->spec; }
raw_json const& tool::output_schema() const noexcept { return state_->output_schema; }
effect_class tool::effect() const noexcept { return state_->effect; }
std::optional<std::chrono::milliseconds> tool::time_limit() const noexcept { return state_->time_limit; }
bool tool::is_recall() const noexcept { return state_->is_recall; }
bool tool::runs_inline() const noexcept { return state_->runs_inline; }

result<bound_call> tool::bind(std::string_view arguments) const { return state_->bind(arguments); }

}  // namespace wherry::inline v0
