// What the orchestration costs beside the model: one agent step (model call -> tool -> model call) with a scripted
// model, bare and with a durable session; the start of the command; idle agents. User and system CPU, medians.
//
//   bench_orchestration [--json FILE] [--main-job RUNS]

#include "bench_report.hpp"

#include "../tests/agent/main_job.hpp"

#include <wherry/agent/agent.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/llm/random_model.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/store.hpp>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

extern char** environ;

namespace w = wherry;
using namespace wherry_bench;

namespace {

struct add_in {
  int a = 0;
  int b = 0;
};
int add(add_in const& in) { return in.a + in.b; }

w::agent make_agent(std::shared_ptr<w::model> llm, bool inline_tool) {
  auto t = w::tool("add", "Adds two numbers.", add).reads();
  return w::agent{std::move(llm), "Add numbers."}.with(inline_tool ? t.inline_run() : t).durability(w::durability::os);
}

std::shared_ptr<w::model> script() {
  w::scripted_model fake{w::call("add", R"({"a":1,"b":2})"), w::say("three")};
  return fake.loop();
}

// Microseconds of CPU per run: `rounds` batches, median.
template <class F>
double per_run(std::size_t rounds, std::size_t batch, F run) {
  std::vector<double> us;
  run();
  for (std::size_t r = 0; r < rounds; ++r) {
    double const before = cpu_seconds();
    for (std::size_t i = 0; i < batch; ++i) run();
    us.push_back((cpu_seconds() - before) * 1e6 / static_cast<double>(batch));
  }
  return quantile(us, 0.5);
}

void must(bool ok, char const* what) {
  if (ok) return;
  std::cerr << "bench_orchestration: " << what << " failed\n";
  std::exit(1);
}

double session_step(bool effectful) {
  auto const where = std::filesystem::temp_directory_path() / ("wherry-bench-" + std::to_string(getpid()));
  double us = 0;
  {
    w::store db{where};
    auto const scope = db.scope({.tenant = "bench", .user = "u"});
    auto t = w::tool("add", "Adds two numbers.", add).inline_run();
    auto const desk = w::agent{script(), "Add numbers."}.with(effectful ? t : t.reads()).durability(w::durability::os);
    // A session of its own every four runs, so that history stays nearly as short as the bare step's.
    std::size_t n = 0;
    w::session session = scope.session("s0");
    us = per_run(15, 400, [&] {
      if (n++ % 4 == 0) session = scope.session("s" + std::to_string(n));
      must(desk.run("1 + 2", session).has_value(), "a run in a session");
    });
  }
  std::filesystem::remove_all(where);
  return us;
}

// Milliseconds of CPU and of wall time from spawn to exit.
std::pair<double, double> start_of(std::string program) {
  std::vector<double> cpu, wall;
  for (int i = 0; i < 15; ++i) {
    rusage before{}, after{};
    getrusage(RUSAGE_CHILDREN, &before);
    auto const t0 = std::chrono::steady_clock::now();
    std::string flag = "--version";
    char* const argv[] = {program.data(), flag.data(), nullptr};
    pid_t child = 0;
    posix_spawn_file_actions_t quiet;
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
    must(posix_spawn(&child, program.c_str(), &quiet, nullptr, argv, environ) == 0, "starting the command");
    int status = 0;
    waitpid(child, &status, 0);
    posix_spawn_file_actions_destroy(&quiet);
    must(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wherry --version");
    getrusage(RUSAGE_CHILDREN, &after);
    auto const s = [](timeval const& t) {
      return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_usec) * 1e-3;
    };
    cpu.push_back(s(after.ru_utime) + s(after.ru_stime) - s(before.ru_utime) - s(before.ru_stime));
    wall.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - t0).count());
  }
  return {quantile(cpu, 0.5), quantile(wall, 0.5)};
}

double resident_mebibytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  in >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

void main_job(report& out, std::shared_ptr<w::model> const& llm, std::string const& name, std::size_t runs) {
  wherry_test::main_job_count count;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    wherry_test::main_job_run(llm, seed, count);
    if (seed % 100 == 0) std::cerr << name << ": " << seed << " of " << runs << " runs\n";
  }
  out.inform("main job on " + name + ": runs that ended in the struct", static_cast<double>(count.finished), "runs");
  out.inform("main job on " + name + ": tool calls", static_cast<double>(count.calls), "calls");
  out.at_most("main job on " + name + ": runs that ended in limit, share",
              static_cast<double>(count.limited) / static_cast<double>(count.runs), "", 0.2);
  // a bar of zero, told as "less than one"
  out.at_most("main job on " + name + ": invalid dispatches and other ends",
              static_cast<double>(count.invalid_dispatches + count.failed_results + count.other), "", 0.5);
}

}  // namespace

int main(int argc, char** argv) {
  report out("orchestration", argc, argv);
  {
    auto const desk = make_agent(script(), true);
    out.at_most("bare step, tool on the run's thread",
                per_run(15, 4000, [&] { must(desk.run("1 + 2").has_value(), "a bare run"); }), "us", 6);
    auto const pooled = make_agent(script(), false);
    out.inform("bare step, tool on the compute pool",
               per_run(9, 1000, [&] { must(pooled.run("1 + 2").has_value(), "a pooled run"); }), "us",
               "a thread's wake-up and return");
  }
  out.at_most("step with a session, written, not fsynced", session_step(false), "us", 40);
  out.inform("the same with an effectful tool (intent journalled)", session_step(true), "us");

  auto const command = std::filesystem::canonical("/proc/self/exe").parent_path() / "wherry";
  if (std::filesystem::exists(command)) {
    auto const [cpu, wall] = start_of(command.string());
    out.at_most("wherry --version", cpu, "ms", 20);
    out.inform("wherry --version, wall", wall, "ms");
  }
  {
    auto const base = make_agent(script(), true);
    double const before = resident_mebibytes();
    std::vector<w::agent> idle;
    for (int i = 0; i < 10'000; ++i) idle.push_back(base.named("agent " + std::to_string(i)));
    out.at_most("10,000 idle agents", resident_mebibytes() - before, "MiB", 20);
  }

  std::size_t runs = 0;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::string(argv[i]) == "--main-job") runs = std::strtoul(argv[i + 1], nullptr, 10);
  if (runs > 0) {
    main_job(out, w::local_model::from(w::make_random_model().value()).value(), "the random model", runs);
    char const* shared = std::getenv("WHERRY_SHARED");
    auto const stories =
        std::filesystem::path(shared ? shared : "../shared") / "models/stories260K/stories260Ktok512.gguf";
    if (std::filesystem::exists(stories))
      main_job(out, w::local_model{stories, {.context_tokens = 2'048, .exceed_declared_context = true}}, "stories260K",
               runs);
    else
      std::cerr << "SKIP: main job on stories260K needs " << stories << " (set WHERRY_SHARED)\n";
  }
  return out.finish();
}
