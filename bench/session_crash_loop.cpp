// Kills a process that writes a session, again and again, and looks whether the store kept its word.
//
//   session_crash_loop [--cycles N] [--seed S] [--dir PATH]
//
// Each cycle starts a child that carries on a session of 50 runs. A run has four commit points: the user message is
// accepted, the intent of an effectful call, its results, the end of the run. The child tells the parent through a pipe
// after each commit that returned. At a moment drawn from the seed the parent kills it with SIGKILL, opens the store
// and checks: every point the child told of is there; each point is there whole or not at all, over events, effect
// journal and records; a run without its end is an open run with its journalled steps and never history; and the next
// child goes on from there. Prints one line; exit status 1 when anything was found.

#include <wherry/memory/transaction.hpp>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace wherry;

namespace {

constexpr std::uint64_t runs_per_session = 50;
constexpr std::uint32_t points_before_kill_max = 60;
constexpr int child_silence_max_ms = 60'000;

/// A commit point of a run; most are several changes in one commit.
enum class point : std::uint32_t { opened = 1, intent, results, ended };

/// What the child sends: small enough that a pipe takes it whole or not at all.
struct acknowledgement {
  std::uint64_t session = 0;
  std::uint64_t run = 0;  ///< Counted over all sessions and cycles.
  point reached = point::opened;
  std::uint32_t last_seq = 0;
};

struct options {
  std::uint32_t cycles = 20;
  std::uint64_t seed = 1;
  std::filesystem::path directory;
  bool child = false;
  std::uint32_t cycle = 0;
  int pipe = -1;
};

/// What a run writes, as a function of its number: writer and checker agree without talking.
struct script {
  std::uint64_t run;

  ulid id() const { return ulid::draw(1, {.run = run}); }
  ulid record_id() const { return ulid::draw(2, {.run = run}); }
  std::string effect_key() const { return "effect-" + std::to_string(run); }
  message question() const { return message::user("question " + std::to_string(run)); }
  message call() const {
    return {.role = role::assistant,
            .parts = {tool_call{effect_key(), "pay", "{\"run\":" + std::to_string(run) + "}"}}};
  }
  message results() const {
    return {.role = role::tool, .parts = {tool_result{effect_key(), "pay", "paid " + std::to_string(run), false}}};
  }
  message answer() const { return message::assistant("answer " + std::to_string(run)); }
  std::vector<message> messages() const { return {question(), call(), results(), answer()}; }

  std::vector<session_event> events(point p) const {
    auto const intent = "{\"effect\":\"" + effect_key() + "\"}";
    switch (p) {
      case point::opened:
        return {{.type = event_type::run_opened, .run = id()},
                message_event(event_type::user_message, id(), question())};
      case point::intent:
        return {message_event(event_type::assistant_message, id(), call()),
                {.type = event_type::call_intent, .run = id(), .payload = intent}};
      case point::results: return {message_event(event_type::tool_results, id(), results())};
      case point::ended:
        return {message_event(event_type::assistant_message, id(), answer()), run_ended_event(id(), true, "completed")};
    }
    return {};
  }
};

constexpr std::array points{point::opened, point::intent, point::results, point::ended};

std::string session_name(std::uint64_t number) { return "session " + std::to_string(number); }
scope_handle scope_of(store const& db) { return db.scope({.tenant = "crash", .user = "loop"}); }

// ---- the child -----------------------------------------------------------------------------------------------------

/// Ends what the last child left open, as a program does that finds open runs: not kept, their effects unknown.
void clean_up(scope_handle const& scope, session const& s) {
  transaction tx{scope};
  std::vector<session_event> ends;
  for (auto const& open : s.open_runs().value()) ends.push_back(run_ended_event(open.run, false, "interrupted"));
  for (auto effect : scope.unfinished_effects().value()) {
    if (effect.state == effect_state::unknown) continue;
    effect.state = effect_state::unknown;
    tx.journal(std::move(effect));
  }
  tx.append(s, s.last_seq().value(), std::move(ends)).commit().value();
}

void write_point(scope_handle const& scope, session const& s, script const& what, point p, durability how) {
  transaction tx{scope};
  tx.append(s, s.last_seq().value(), what.events(p));
  if (p == point::intent) tx.journal({.key = what.effect_key(), .state = effect_state::intent, .run = what.id()});
  if (p == point::results) tx.journal({.key = what.effect_key(), .state = effect_state::done, .run = what.id()});
  if (p == point::ended) tx.put({.id = what.record_id(), .kind = "fact", .text = "run " + std::to_string(what.run)});
  tx.commit(how).value();
}

/// Carries sessions on until it is killed.
[[noreturn]] void run_child(options const& o) {
  store db{o.directory};
  auto const scope = scope_of(db);
  auto const how = o.cycle % 3 == 2 ? durability::os : durability::synced;
  std::uint64_t run = std::uint64_t{o.cycle} << 32;
  std::uint64_t number = scope.sessions().value().size();
  if (number > 0) --number;
  for (;; ++number) {
    auto const s = scope.session(session_name(number));
    clean_up(scope, s);
    std::uint64_t ended = 0;
    for (auto const& e : s.events(1, latest_seq).value()) ended += e.type == event_type::run_ended;
    for (; ended < runs_per_session; ++ended, ++run) {
      for (auto const p : points) {
        write_point(scope, s, {run}, p, how);
        acknowledgement const told{number, run, p, static_cast<std::uint32_t>(s.last_seq().value())};
        if (::write(o.pipe, &told, sizeof told) != sizeof told) std::_Exit(3);
      }
    }
  }
}

// ---- the parent ----------------------------------------------------------------------------------------------------

struct tally {
  std::uint64_t acknowledged = 0;
  std::uint64_t runs = 0;
  std::uint64_t open_runs = 0;
  std::uint64_t violations = 0;

  void violation(std::uint32_t cycle, std::string const& what) {
    ++violations;
    std::cerr << "cycle " << cycle << ": " << what << '\n';
  }
};

/// Starts a child, kills it at a moment drawn from the seed; returns what it acknowledged, in order.
std::vector<acknowledgement> kill_one(options const& o, std::uint32_t cycle, tally& found) {
  int ends[2];
  if (::pipe(ends) != 0) std::abort();
  auto const pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    auto const pipe = std::to_string(ends[1]), number = std::to_string(cycle);
    ::execl("/proc/self/exe", "session_crash_loop", "--child", pipe.c_str(), "--cycle", number.c_str(), "--dir",
            o.directory.c_str(), nullptr);
    std::_Exit(127);
  }
  ::close(ends[1]);
  draw_key const place{.run = o.seed, .step = cycle};
  auto const kill_after = static_cast<std::size_t>(uniform(place, 0) * points_before_kill_max);
  auto const delay = std::chrono::microseconds(static_cast<long>(uniform(place, 1) * 3000));

  std::vector<acknowledgement> told;
  acknowledgement one;
  pollfd ready{ends[0], POLLIN, 0};
  bool killed = false;
  for (;;) {
    if (!killed && told.size() >= kill_after) {
      auto const until = std::chrono::steady_clock::now() + delay;
      while (std::chrono::steady_clock::now() < until) {
      }
      ::kill(pid, SIGKILL);
      killed = true;
    }
    if (::poll(&ready, 1, child_silence_max_ms) <= 0) {
      found.violation(cycle, "the child hangs");
      ::kill(pid, SIGKILL);
      break;
    }
    if (::read(ends[0], &one, sizeof one) != sizeof one) break;  // the child is gone and everything it told is read
    told.push_back(one);
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFSIGNALED(status)) found.violation(cycle, "the child ended by itself with status " + std::to_string(status));
  return told;
}

/// What the parent knows of a run: how far it was acknowledged, and in which cycle.
using ledger = std::map<std::uint64_t, std::map<std::uint64_t, acknowledgement>>;  // session -> run -> last point

/// Checks one session against what was acknowledged for it.
class session_check {
 public:
  session_check(scope_handle scope, std::uint64_t number, std::uint32_t cycle, tally& found)
      : scope_(std::move(scope)), session_(scope_.session(session_name(number))), cycle_(cycle), found_(found) {}

  void check(std::map<std::uint64_t, acknowledgement> const& acknowledged, std::set<std::uint64_t> const& runs_begun) {
    if (auto whole = session_.verify(); !whole) complain(to_string(whole.error()));
    for (auto const& e : session_.events(1, latest_seq).value()) by_run_[e.run].push_back(e);
    for (auto const& [run, last] : acknowledged) check_acknowledged({run}, last);
    for (auto const run : runs_begun) check_whole({run});
    check_fold(runs_begun);
  }

 private:
  void complain(std::string const& what) { found_.violation(cycle_, session_.name() + ": " + what); }

  /// Everything up to the acknowledged point is there, as it was written, where the child said.
  void check_acknowledged(script const& what, acknowledgement const& last) {
    std::size_t at = 0;
    auto const& stored = by_run_[what.id()];
    for (auto const p : points) {
      if (p > last.reached) break;
      for (auto const& e : what.events(p)) {
        if (at >= stored.size() || stored[at].type != e.type || stored[at].payload != e.payload)
          return complain("run " + std::to_string(what.run) + " lacks an acknowledged event");
        ++at;
      }
      if (p == last.reached && stored[at - 1].seq != last.last_seq)
        complain("run " + std::to_string(what.run) + " stands elsewhere than acknowledged");
    }
  }

  /// Each point is there with all it consists of, or with nothing.
  void check_whole(script const& what) {
    auto const& stored = by_run_[what.id()];
    std::set<event_type> types;
    for (auto const& e : stored) types.insert(e.type);
    bool const completed = !stored.empty() && stored.back().payload == run_ended_event({}, true, "completed").payload;
    auto const effect = scope_.effect(what.effect_key()).value();
    auto const record = scope_.record(what.record_id()).value();
    auto const demand = [&](bool one, bool other, char const* pair) {
      if (one != other) complain("run " + std::to_string(what.run) + " is half applied: " + pair);
    };
    demand(types.contains(event_type::run_opened), types.contains(event_type::user_message), "opened, user message");
    demand(types.contains(event_type::call_intent), effect.has_value(), "intent, effect journal");
    demand(types.contains(event_type::tool_results), effect && effect->state == effect_state::done, "results, effect");
    demand(completed, record.has_value(), "end, record");
  }

  /// History holds the completed runs and nothing else; runs without an end are open, with all their events.
  void check_fold(std::set<std::uint64_t> const& runs_begun) {
    std::vector<message> expected;
    std::map<ulid, std::vector<session_event>> open;
    std::map<std::uint64_t, std::uint64_t> completed;  // seq of the end -> run
    for (auto const run : runs_begun) {
      auto const& stored = by_run_[script{run}.id()];
      if (stored.empty()) continue;
      if (stored.back().type != event_type::run_ended)
        open[script{run}.id()] = stored;
      else if (stored.back().payload == run_ended_event({}, true, "completed").payload)
        completed[stored.back().seq] = run;
    }
    for (auto const& [seq, run] : completed)
      for (auto& m : script{run}.messages()) expected.push_back(std::move(m));
    if (session_.history().value() != expected) complain("history is not the completed runs");
    auto const listed = session_.open_runs().value();
    if (listed.size() != open.size()) complain("open runs are missing or invented");
    for (auto const& run : listed)
      if (open[run.run] != run.events) complain("an open run does not show its journalled steps");
    found_.open_runs += listed.size();
  }

  scope_handle scope_;
  session session_;
  std::uint32_t cycle_;
  tally& found_;
  std::map<ulid, std::vector<session_event>> by_run_;
};

/// Runs that may have begun in a cycle: those acknowledged, and the one after the last of them.
void note_begun(std::map<std::uint64_t, std::set<std::uint64_t>>& begun, std::uint32_t cycle,
                std::vector<acknowledgement> const& told, std::uint64_t sessions) {
  for (auto const& one : told) begun[one.session].insert(one.run);
  auto const next = told.empty() ? std::uint64_t{cycle} << 32 : told.back().run + 1;
  if (sessions > 0) begun[sessions - 1].insert(next);
}

void run_cycle(options const& o, std::uint32_t cycle, ledger& acknowledged,
               std::map<std::uint64_t, std::set<std::uint64_t>>& begun, tally& found) {
  auto const told = kill_one(o, cycle, found);
  found.acknowledged += told.size();
  for (auto const& one : told) acknowledged[one.session][one.run] = one;

  auto db = store::open(o.directory);
  if (!db) return found.violation(cycle, to_string(db.error()));
  auto const scope = scope_of(*db);
  auto const sessions = scope.sessions().value().size();
  note_begun(begun, cycle, told, sessions);
  std::set<std::uint64_t> touched;
  for (auto const& one : told) touched.insert(one.session);
  if (sessions > 0) touched.insert(sessions - 1);
  bool const last = cycle + 1 == o.cycles;
  for (auto const& [number, runs] : begun)
    if (last || touched.contains(number)) session_check(scope, number, cycle, found).check(acknowledged[number], runs);
}

int run_parent(options o) {
  bool const own = o.directory.empty();
  if (own) {
    auto name = (std::filesystem::temp_directory_path() / "wherry-crash-XXXXXX").string();
    if (!::mkdtemp(name.data())) return 2;
    o.directory = name;
  }
  auto const start = std::chrono::steady_clock::now();
  ledger acknowledged;
  std::map<std::uint64_t, std::set<std::uint64_t>> begun;
  tally found;
  for (std::uint32_t cycle = 0; cycle < o.cycles && found.violations == 0; ++cycle)
    run_cycle(o, cycle, acknowledged, begun, found);
  for (auto const& [number, runs] : acknowledged) found.runs += runs.size();
  auto const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "session_crash_loop: seed %llu, %u kills, %zu sessions, %llu runs, %llu acknowledged commit points, "
      "%llu open runs seen, %llu violations, %.1f s\n",
      static_cast<unsigned long long>(o.seed), o.cycles, acknowledged.size(),
      static_cast<unsigned long long>(found.runs), static_cast<unsigned long long>(found.acknowledged),
      static_cast<unsigned long long>(found.open_runs), static_cast<unsigned long long>(found.violations), seconds);
  if (found.violations > 0) {
    std::cerr << "the store is left in " << o.directory << '\n';
    return 1;
  }
  if (own) std::filesystem::remove_all(o.directory);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string const name = argv[i];
    char const* const value = argv[i + 1];
    if (name == "--cycles") o.cycles = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
    if (name == "--seed") o.seed = std::strtoull(value, nullptr, 10);
    if (name == "--dir") o.directory = value;
    if (name == "--cycle") o.cycle = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
    if (name == "--child") {
      o.child = true;
      o.pipe = std::atoi(value);
    }
  }
  if (o.child) run_child(o);
  return run_parent(o);
}
