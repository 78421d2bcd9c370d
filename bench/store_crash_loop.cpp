// Kills a process that writes a store, or takes the power away, again and again, and looks whether the store kept its
// word over everything it holds: events, records, index, vectors, items; through images of graphs, erases and copies.
//
//   store_crash_loop [--cycles N] [--seed S] [--dir PATH] [--power-loss] [--encrypted]
//
// A child commits scripts (store_workload.hpp) to one scope and tells each that returned through a pipe. Between them
// it maintains the scope (a graph over its vectors, an image on disk), erases a second scope it filled before, and
// copies the store; it says so before it begins, and in such a cycle the parent kills it a drawn moment later, so that
// every stretch of these is hit. The parent then opens the store and checks: each acknowledged script is there as a
// whole, each other whole or not at all, an acknowledged erase left nothing, and verify finds nothing wrong.
//
// --power-loss: the same scripts in this process on a file system that dies at a drawn operation; what was not synced
// is then cut away, or torn at a multiple of 512 bytes. --encrypted: the store has keys. Prints one line; exit status 1
// when anything was found.

#include "killed_child.hpp"
#include "power_loss_fs.hpp"
#include "scope_commit.hpp"
#include "store_workload.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>

using namespace wherry;
using store_workload::script;
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t acks_before_kill_max = 40;
constexpr std::uint64_t scripts_per_store = 400;  ///< Then a cycle begins with a fresh store.

enum class phase : std::uint32_t { committed = 1, maintaining, filling, erasing, erased, copying, idle };
using killed_child::told;
bool is(told const& t, phase p) { return t.what == static_cast<std::uint32_t>(p); }

struct options {
  std::uint32_t cycles = 20;
  std::uint64_t seed = 1;
  fs::path directory;
  bool power_loss = false;
  bool encrypted = false;
  bool child = false;
  std::uint64_t next = 0;
  int pipe = -1;
};

scope_handle scope_of(store const& db) { return db.scope({.tenant = "crash", .user = "loop"}); }
scope_handle doomed_of(store const& db) { return db.scope({.tenant = "crash", .user = "doomed"}); }
fs::path keys_of(options const& o) { return o.directory.string() + ".keys"; }
store_options small_store(options const& o) {
  store_options out{.write_buffer_bytes = std::size_t{1} << 20, .vectors_exact_max = 20};
  if (o.encrypted) out.keys = store_keys{keys_of(o), std::string(32, 'k')};
  return out;
}
void begin_anew(options const& o) {
  fs::remove_all(o.directory);
  fs::remove_all(keys_of(o));
}

[[noreturn]] void run_child(options const& o) {
  store db{o.directory, small_store(o)};
  auto const scope = scope_of(db);
  auto const talk = scope.session("talk");
  auto const tell = [&](phase what, std::uint64_t number) {
    killed_child::tell(o.pipe, {static_cast<std::uint32_t>(what), number});
  };
  for (std::uint64_t n = o.next;; ++n) {
    transaction tx{scope};
    script{n}.add_to(tx, talk, talk.last_seq().value());
    tx.commit(n % 3 == 2 ? durability::os : durability::synced).value();
    tell(phase::committed, n);
    if (n % 16 == 5) {
      tell(phase::maintaining, n);
      scope.maintain({.changes_before_image = 1}).value();
    }
    if (n % 16 == 9) {
      tell(phase::filling, n);
      auto const doomed = doomed_of(db);
      transaction fill{doomed};
      script{n}.add_to(fill, doomed.session("talk"), doomed.session("talk").last_seq().value());
      fill.commit(durability::synced).value();
      tell(phase::erasing, n);
      doomed.erase({.everything = true}).value();
      tell(phase::erased, n);
    }
    if (n % 16 == 13) {
      tell(phase::copying, n);
      auto const copy = o.directory.string() + ".copy";
      fs::remove_all(copy);
      db.copy_to(copy).value();
    }
    tell(phase::idle, n);
  }
}

struct tally {
  std::uint64_t acknowledged = 0, present = 0, in_phase = 0, violations = 0;
  void violation(std::uint32_t cycle, std::string const& what) {
    ++violations;
    std::cerr << "cycle " << cycle << ": " << what << '\n';
  }
};

std::vector<told> kill_one(options const& o, std::uint32_t cycle, std::uint64_t next, tally& found) {
  draw_key const place{.run = o.seed, .step = cycle};
  static constexpr phase aims[] = {phase::committed, phase::maintaining, phase::erasing, phase::copying};
  auto const aim = aims[static_cast<std::size_t>(uniform(place, 2) * 4)];
  auto const spread_us = aim == phase::committed ? 3000.0 : 30'000.0;
  std::vector<std::string> arguments{"--next", std::to_string(next), "--dir", o.directory.string()};
  if (o.encrypted) arguments.push_back("--encrypted");
  auto ended = killed_child::run(
      arguments, {.after = static_cast<std::size_t>(uniform(place, 0) * acks_before_kill_max),
                  .aim = static_cast<std::uint32_t>(aim),
                  .delay = std::chrono::microseconds(static_cast<long>(uniform(place, 1) * spread_us))});
  found.in_phase += aim != phase::committed;
  if (!ended.wrong.empty()) found.violation(cycle, ended.wrong);
  return std::move(ended.heard);
}

/// What must be in the store (acknowledged) and what may be (attempted): checks all of it.
void check_store(options const& o, std::uint32_t cycle, std::set<std::uint64_t> const& acknowledged,
                 std::uint64_t attempted_end, tally& found) {
  auto db = store::open(o.directory, small_store(o));
  if (!db) return found.violation(cycle, to_string(db.error()));
  auto const scope = scope_of(*db);
  auto const events = scope.session("talk").events(1, latest_seq);
  if (!events) return found.violation(cycle, to_string(events.error()));
  for (std::uint64_t n = 0; n < attempted_end; ++n) {
    auto const held = script{n}.in(scope, *events);
    if (held == script::held::part) found.violation(cycle, "script " + std::to_string(n) + " is half applied");
    if (held != script::held::all && acknowledged.contains(n))
      found.violation(cycle, "script " + std::to_string(n) + " was acknowledged and is lost");
    found.present += held == script::held::all;
  }
  auto const report = db->verify();
  if (!report) return found.violation(cycle, to_string(report.error()));
  for (auto const& problem : report->problems) found.violation(cycle, problem);
}

void run_cycle(options const& o, std::uint32_t cycle, std::set<std::uint64_t>& acknowledged, std::uint64_t& next,
               tally& found) {
  if (next >= scripts_per_store) {
    begin_anew(o);
    acknowledged.clear();
    next = 0;
  }
  auto const all = kill_one(o, cycle, next, found);
  bool erased = true;
  for (auto const& t : all) {
    if (is(t, phase::committed)) {
      acknowledged.insert(t.number);
      next = t.number + 1;
      ++found.acknowledged;
    }
    if (is(t, phase::filling)) erased = false;
    if (is(t, phase::erased)) erased = true;
  }
  ++next;  // the one after the last acknowledged may be there too
  check_store(o, cycle, acknowledged, next, found);
  auto const db = store::open(o.directory, small_store(o));
  if (db && erased && !doomed_of(*db).records().value().empty())
    found.violation(cycle, "a scope whose erase was acknowledged still has records");
  if (db) doomed_of(*db).erase({.everything = true}).value();
}

// ---- power loss ----------------------------------------------------------------------------------------------------

/// Writes scripts until the file system dies. Returns: those acknowledged as synced.
void write_until_death(options const& o, rocksdb::Env* env, std::uint64_t& next, std::set<std::uint64_t>& synced,
                       std::set<std::uint64_t>& loose) {
  auto opened = memory_detail::store_state::open(o.directory, small_store(o), env);
  if (!opened) return;
  auto const scope = (*opened)->scope({.tenant = "crash", .user = "loop"});
  auto const talk = scope->session("talk");
  for (;; ++next) {
    script const s{next};
    std::lock_guard const lock(scope->mutex);
    if (!scope->load_locked(*talk)) return;
    memory_detail::scope_commit commit(*scope);
    auto events = s.events();
    bool const made = commit.append(talk, talk->last_seq, events) && commit.put(s.record()) &&
                      commit.embed(s.record_id(), s.vector()) && commit.put_item("items", s.key(), s.item(), {});
    bool const sync = next % 3 != 2;
    if (!made || !commit.write(sync ? durability::synced : durability::os)) return;
    loose.insert(next);
    if (sync) {
      synced.insert(loose.begin(), loose.end());  // the log is synced up to here
      loose.clear();
    }
  }
}

void power_cycle(options const& o, std::uint32_t cycle, std::set<std::uint64_t>& synced, std::uint64_t& next,
                 tally& found) {
  if (next >= scripts_per_store) {
    begin_anew(o);
    synced.clear();
    next = 0;
  }
  draw_key const place{.run = o.seed, .step = cycle};
  auto const files = std::make_shared<bench_memory::power_loss_fs>(static_cast<std::uint64_t>(uniform(place, 0) * 400),
                                                                   random_bits(place, 1));
  auto const before = synced.size();
  std::set<std::uint64_t> loose;
  {
    auto const env = rocksdb::NewCompositeEnv(files);
    write_until_death(o, env.get(), next, synced, loose);
  }
  files->cut_power();
  ++next;
  found.acknowledged += synced.size() - before;
  check_store(o, cycle, synced, next, found);
}

int run_parent(options o) {
  bool const own = o.directory.empty();
  if (own) {
    auto name = (fs::temp_directory_path() / "store_crash_loop-XXXXXX").string();
    if (!::mkdtemp(name.data())) return 2;
    o.directory = fs::path(name) / "db";
  }
  auto const start = std::chrono::steady_clock::now();
  tally found;
  std::set<std::uint64_t> acknowledged;
  std::uint64_t next = 0;
  std::uint32_t cycle = 0;
  for (; cycle < o.cycles && found.violations == 0; ++cycle)
    o.power_loss ? power_cycle(o, cycle, acknowledged, next, found) : run_cycle(o, cycle, acknowledged, next, found);
  auto const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf(
      "store_crash_loop%s: seed %llu, %u %s, %llu acknowledged commits, %llu kills amid maintenance, erase or copy, "
      "%llu violations, %.1f s\n",
      o.encrypted ? " --encrypted" : "", static_cast<unsigned long long>(o.seed), cycle,
      o.power_loss ? "power losses" : "kills", static_cast<unsigned long long>(found.acknowledged),
      static_cast<unsigned long long>(found.in_phase), static_cast<unsigned long long>(found.violations), seconds);
  if (found.violations > 0) {
    std::cerr << "the store is left in " << o.directory << '\n';
    return 1;
  }
  if (own) fs::remove_all(o.directory.parent_path());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  options o;
  for (int i = 1; i < argc; ++i) {
    std::string const name = argv[i];
    if (name == "--power-loss") o.power_loss = true;
    if (name == "--encrypted") o.encrypted = true;
    if (i + 1 == argc) break;
    char const* const value = argv[i + 1];
    if (name == "--cycles") o.cycles = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
    if (name == "--seed") o.seed = std::strtoull(value, nullptr, 10);
    if (name == "--dir") o.directory = value;
    if (name == "--next") o.next = std::strtoull(value, nullptr, 10);
    if (name == "--child") {
      o.child = true;
      o.pipe = std::atoi(value);
    }
  }
  if (o.child) run_child(o);
  return run_parent(o);
}
