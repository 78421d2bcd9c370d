#pragma once
// The main job: an agent with two typed tools and an output struct on a model that is free to say anything valid.
// Shared by the ctest and the benchmark.

#include <wherry/agent/agent.hpp>
#include <wherry/llm/local_model.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wherry_test {

enum class unit { metre, kilometre, mile };
struct length_in {
  double amount = 0;
  unit from = unit::metre;
  std::optional<unit> to;
};
struct note_in {
  std::string text;
  std::vector<std::string> tags;
  bool urgent = false;
};
struct plan_out {
  std::string title;
  std::vector<std::string> steps;
  std::optional<int> days;
};

}  // namespace wherry_test

template <>
inline constexpr auto wherry::describe<wherry_test::length_in> =
    std::tuple{wherry::field<&wherry_test::length_in::amount>("How much").range(-1e6, 1e6)};
template <>
inline constexpr auto wherry::describe<wherry_test::note_in> =
    std::tuple{wherry::field<&wherry_test::note_in::text>("Text").length(1, 60),
               wherry::field<&wherry_test::note_in::tags>("Tags").items(0, 3)};
template <>
inline constexpr auto wherry::describe<wherry_test::plan_out> =
    std::tuple{wherry::field<&wherry_test::plan_out::title>("Title").length(0, 40),
               wherry::field<&wherry_test::plan_out::steps>("Steps").items(1, 4),
               wherry::field<&wherry_test::plan_out::days>("Days").range(1, 30)};

namespace wherry_test {

struct main_job_count {
  std::size_t runs = 0, finished = 0, limited = 0, other = 0;
  std::size_t calls = 0, failed_results = 0;  // a failed result would be an invalid dispatch that was caught
  std::size_t invalid_dispatches = 0;         // arguments outside the declared bounds that reached a function
  std::string first_problem;
};

/// One run with the seed, counted.
inline void main_job_run(std::shared_ptr<wherry::model> const& llm, std::uint64_t seed, main_job_count& count) {
  using namespace wherry;
  auto convert = [&count](length_in const& in) {
    if (!(in.amount >= -1e6 && in.amount <= 1e6)) ++count.invalid_dispatches;
    return in.amount * 2;
  };
  auto note = [&count](note_in const& in) {
    if (in.text.empty() || in.tags.size() > 3) ++count.invalid_dispatches;
    return std::string("noted");
  };
  auto const desk = agent{llm, "Plan."}
                        .with(tool("convert", "Converts.", convert).inline_run())
                        .with(tool("note", "Notes.", note).inline_run())
                        .sampling({.temperature = 1.5})
                        .seed(seed)
                        .limits({.steps = 4, .total_tokens = 20'000, .step_tokens = 160});
  auto run = desk.start<plan_out>("Go on.");
  for (auto const& event : run) {
    if (auto const* done = std::get_if<call_finished>(&event)) {
      ++count.calls;
      if (done->result.failed) {
        ++count.failed_results;
        if (count.first_problem.empty()) count.first_problem = done->result.content;
      }
    }
  }
  ++count.runs;
  auto const r = run.result();
  if (r)
    ++count.finished;
  else if (r.error().is(errc::limit_reached))
    ++count.limited;
  else {
    ++count.other;
    if (count.first_problem.empty()) count.first_problem = to_string(r.error());
  }
}

}  // namespace wherry_test
