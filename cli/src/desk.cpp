#include "desk.hpp"

#include "demo_tools.hpp"

#include <algorithm>

namespace wherry::cli {

agent make_desk(std::shared_ptr<model> llm, agent_settings const& given) {
  run_limits limits;
  limits.step_tokens = given.max_tokens;
  sampling_options sampling;
  if (given.temperature) sampling.temperature = *given.temperature;
  auto desk = agent(std::move(llm), given.system).named("assistant").limits(limits).sampling(sampling);
  if (given.seed) desk = desk.seed(*given.seed);
  for (auto const& t : demo_tools(given.seed.value_or(0)))
    if (std::find(given.tools.begin(), given.tools.end(), t.name()) != given.tools.end()) desk = desk.with(t);
  return desk;
}

}  // namespace wherry::cli
