// wherry memory learn: the jobs that runs left behind.

#include "commands.hpp"
#include "learner.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "store_place.hpp"
#include "terminal.hpp"

#include <wherry/core/json.hpp>

namespace wherry::cli {

/// Random weights know nothing: without a model the rules do it.
int memory_learn_command(settings const& given) {
  bool const as_json = given.output.as_json;
  auto scope = open_scope(given.store, access::write);
  if (!scope) return report(scope.error(), as_json);
  std::shared_ptr<model> llm;
  if (!given.memory.rules && choose_model(given.model).source != model_source::random) {
    auto loaded = load_model(given.model);
    if (!loaded) return report(loaded.error(), as_json);
    llm = with_named_adapters(*loaded, given.model);
  }
  fact_extractor const worker(std::move(llm));
  json all = json::array();
  for (;;) {
    slow_work const waiting("learning from what was said");
    auto const done = worker.next(*scope);
    if (!done) return report(done.error(), as_json);
    if (!*done) break;
    auto const& r = **done;
    json j;
    j["session"] = r.session;
    j["run"] = r.run.text();
    j["by"] = r.by;
    j["facts"] = json::array();
    for (auto const& fact : r.facts)
      j["facts"].push_back({{"id", fact.id.text()}, {"outcome", to_string(fact.outcome)}});
    j["refused"] = {{"without_span", r.without_span},
                    {"recalled", r.recalled},
                    {"number_not_said", r.number_not_said},
                    {"unusable", r.unusable}};
    j["degraded"] = r.degraded;
    all.push_back(std::move(j));
    if (!as_json)
      for (auto const& line : lines_of(r)) put(line + '\n');
  }
  if (as_json)
    put_raw(to_text(all) + '\n');
  else if (all.empty())
    say("Nothing waits; runs of wherry chat --memory and of agents that learn do.");
  return exit_ok;
}

}  // namespace wherry::cli
