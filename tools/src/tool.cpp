#include <wherry/tools/tool.hpp>

#include <cassert>
#include <utility>

namespace wherry::inline v0 {

struct tool::state {
  tool_spec spec;
  argument_binder bind;
  effect_class effect = effect_class::writes;
  std::optional<std::chrono::milliseconds> time_limit;
  bool runs_inline = false;
  bool is_recall = false;
};

char const* to_string(effect_class effect) noexcept { return effect == effect_class::reads ? "reads" : "writes"; }

tool::tool(tool_spec spec, argument_binder bind)
    : state_(std::make_shared<state const>(state{.spec = std::move(spec), .bind = std::move(bind), .time_limit = {}})) {
  assert(state_->bind && "a tool needs a binder");
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
effect_class tool::effect() const noexcept { return state_->effect; }
std::optional<std::chrono::milliseconds> tool::time_limit() const noexcept { return state_->time_limit; }
bool tool::is_recall() const noexcept { return state_->is_recall; }
bool tool::runs_inline() const noexcept { return state_->runs_inline; }

result<bound_call> tool::bind(std::string_view arguments) const { return state_->bind(arguments); }

}  // namespace wherry::inline v0
