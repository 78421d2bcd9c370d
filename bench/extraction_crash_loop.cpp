// Kills a process that learns facts from what was said, again and again: no turn may be left unread, none read twice.
//
//   extraction_crash_loop [--cycles N] [--seed S] [--dir PATH]
//
// A child commits turns of a conversation, each together with the job that reads it, and does the jobs: one in two with
// a model that copies what was said, the others by rules. It is killed a drawn moment after a turn was committed (so
// amid the claim of its job), after the model was asked (between claim and write), or after a job was done. Each turn
// states two facts. The parent opens the store and checks: every acknowledged turn is there; it has its job and no
// fact, or no job and both facts, each proven once. In the end what is left is done, and every turn has its facts.
// Prints one line; exit status 1 when anything was found.

#include "killed_child.hpp"

#include <wherry/agent/extraction.hpp>
#include <wherry/core/json.hpp>
#include <wherry/core/random.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/store.hpp>
#include <wherry/memory/transaction.hpp>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

using namespace wherry;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t turns_per_session = 20;
constexpr std::uint64_t turns_per_store = 200;  ///< Then a cycle begins with a fresh store.
constexpr std::uint64_t events_per_turn = 3;
constexpr std::size_t facts_per_turn = 2;
constexpr std::size_t things_told_before_kill_max = 40;
constexpr std::chrono::milliseconds lease{1};  // a killed worker's job is free for the next one

enum class phase : std::uint32_t { committed = 1, asked, kept };

struct options {
  std::uint32_t cycles = 20;
  std::uint64_t seed = 1;
  fs::path directory;
  std::uint64_t next = 0;
  int pipe = -1;
};

scope_handle scope_of(store const& db) { return db.scope({.tenant = "crash", .user = "learner"}); }

/// One message of a user, as a function of its number.
struct turn {
  std::uint64_t number = 0;

  std::string session() const { return "talk " + std::to_string(number / turns_per_session); }
  std::uint64_t first_seq() const { return number % turns_per_session * events_per_turn + 1; }
  std::uint64_t message_seq() const { return first_seq() + 1; }
  std::uint64_t last_seq() const { return first_seq() + events_per_turn - 1; }
  ulid run() const { return ulid::draw(1, {.run = number}); }
  std::string text() const {
    return "I like shade " + std::to_string(number) + ". I own crate " + std::to_string(3 * number + 1) + " of plates.";
  }

  /// Commits it with its job, unless it is there already.
  void commit(scope_handle const& scope) const {
    auto const s = scope.session(session());
    if (s.last_seq().value() >= last_seq()) return;
    transaction tx{scope};
    std::vector<session_event> events{{.type = event_type::run_opened, .run = run()},
                                      message_event(event_type::user_message, run(), message::user(text())),
                                      run_ended_event(run(), true, "completed")};
    tx.append(s, first_seq() - 1, std::move(events));
    tx.job(extraction_job(session(), run(), first_seq(), last_seq()));
    tx.commit(number % 3 == 2 ? durability::os : durability::synced).value();
  }
};

/// Finds in a message that each of its sentences is a fact, and tells when it is asked.
class copying_model final : public model {
 public:
  explicit copying_model(int pipe) : pipe_(pipe) {}
  model_info const& info() const noexcept override { return shape_->info(); }
  result<std::unique_ptr<model_stream>> submit(model_request request) override {
    killed_child::tell(pipe_, {static_cast<std::uint32_t>(phase::asked), 0});
    json answer;
    answer["facts"] = json::array();
    auto const text = request.messages.back().text();
    for (std::size_t at = 0, end = 0; (end = text.find('.', at)) != std::string::npos; at = end + 2) {
      auto const sentence = text.substr(at, end + 1 - at);
      answer["facts"].push_back({{"quote", sentence}, {"fact", sentence}, {"kind", "fact"}, {"subject", "user"}});
    }
    std::shared_ptr<model> const once = scripted_model{say(to_text(answer))};
    return once->submit(std::move(request));
  }

 private:
  int pipe_;
  std::shared_ptr<model> shape_ = scripted_model{};
};

[[noreturn]] void run_child(options const& o) {
  store const db{o.directory};
  auto const scope = scope_of(db);
  extraction_options const how{.lease = lease};
  fact_extractor const by_rules{how}, by_model{std::make_shared<copying_model>(o.pipe), how};
  for (auto n = o.next;; ++n) {
    turn{n}.commit(scope);
    killed_child::tell(o.pipe, {static_cast<std::uint32_t>(phase::committed), n});
    while ((n % 2 ? by_rules : by_model).next(scope).value())
      killed_child::tell(o.pipe, {static_cast<std::uint32_t>(phase::kept), n});
  }
}

struct tally {
  std::uint64_t acknowledged = 0, begun = 0, violations = 0;
  void violation(std::uint32_t cycle, std::string const& what) {
    ++violations;
    std::cerr << "cycle " << cycle << ": " << what << '\n';
  }
};

/// `finished`: no job may be left.
void check(store const& db, std::uint32_t cycle, std::uint64_t acknowledged, std::uint64_t attempted, bool finished,
           tally& found) {
  auto const scope = scope_of(db);
  std::set<ulid> waiting;
  for (auto const& job : scope.jobs().value()) {
    auto const payload = parse_json(job.payload);
    waiting.insert(ulid::parse((*payload)["run"].get<std::string>()).value());
    found.begun += job.attempts > 0;
  }
  std::map<std::pair<std::string, std::uint64_t>, std::vector<std::uint32_t>> proofs;
  for (auto const& r : scope.records({}, turns_per_store * facts_per_turn * 2).value())
    proofs[{r.source.session, r.source.first_seq}].push_back(r.proofs);
  for (std::uint64_t n = 0; n < attempted; ++n) {
    turn const t{n};
    auto const name = "turn " + std::to_string(n);
    bool const there = scope.session(t.session()).last_seq().value() >= t.last_seq();
    bool const waits = waiting.contains(t.run());
    auto const facts = proofs[{t.session(), t.message_seq()}];
    if (n < acknowledged && !there) found.violation(cycle, name + " was acknowledged and is lost");
    if (waits && (!there || finished)) found.violation(cycle, name + " has a job it should not have");
    if (facts.size() != (there && !waits ? facts_per_turn : 0))
      found.violation(
          cycle, name + (waits ? " has a job and " : " has no job and ") + std::to_string(facts.size()) + " facts");
    for (auto const times : facts)
      if (times != 1) found.violation(cycle, "a fact of " + name + " is proven " + std::to_string(times) + " times");
  }
  auto const report = db.verify();
  if (!report) return found.violation(cycle, to_string(report.error()));
  for (auto const& problem : report->problems) found.violation(cycle, problem);
}

/// Does the jobs that were left.
void finish(options const& o, std::uint32_t cycle, std::uint64_t next, tally& found) {
  store const db{o.directory};
  while (fact_extractor{}.next(scope_of(db)).value()) {
  }
  check(db, cycle, next, next, true, found);
}

void run_cycle(options const& o, std::uint32_t cycle, std::uint64_t& next, tally& found) {
  if (next >= turns_per_store) {
    finish(o, cycle, next, found);
    fs::remove_all(o.directory);
    next = 0;
  }
  static constexpr phase aims[] = {phase::committed, phase::asked, phase::kept};
  draw_key const place{.run = o.seed, .step = cycle};
  auto const ended = killed_child::run(
      {"--next", std::to_string(next), "--dir", o.directory.string()},
      {.after = static_cast<std::size_t>(uniform(place, 0) * things_told_before_kill_max),
       .aim = static_cast<std::uint32_t>(aims[static_cast<std::size_t>(uniform(place, 1) * std::size(aims))]),
       .delay = std::chrono::microseconds(static_cast<long>(uniform(place, 2) * 4000))});
  if (!ended.wrong.empty()) found.violation(cycle, ended.wrong);
  for (auto const& t : ended.heard)
    if (t.what == static_cast<std::uint32_t>(phase::committed)) next = t.number + 1, ++found.acknowledged;
  // The one after the last acknowledged may be there too; the next child finds out.
  store const db{o.directory};
  check(db, cycle, next, next + 1, false, found);
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
    if (name == "--next") o.next = std::strtoull(value, nullptr, 10);
    if (name == "--child") o.pipe = std::atoi(value);
  }
  if (o.pipe >= 0) run_child(o);
  bool const own = o.directory.empty();
  if (own) {
    auto name = (fs::temp_directory_path() / "extraction_crash_loop-XXXXXX").string();
    if (!::mkdtemp(name.data())) return 2;
    o.directory = fs::path(name) / "db";
  }
  tally found;
  std::uint64_t next = 0;
  std::uint32_t cycle = 0;
  for (; cycle < o.cycles && found.violations == 0; ++cycle) run_cycle(o, cycle, next, found);
  if (found.violations == 0) finish(o, cycle, next, found);
  std::printf(
      "extraction_crash_loop: seed %llu, %u kills, %llu acknowledged turns of two facts, %llu jobs found begun, %llu "
      "violations\n",
      static_cast<unsigned long long>(o.seed), cycle, static_cast<unsigned long long>(found.acknowledged),
      static_cast<unsigned long long>(found.begun), static_cast<unsigned long long>(found.violations));
  if (found.violations > 0) {
    std::cerr << "the store is left in " << o.directory << '\n';
    return 1;
  }
  if (own) fs::remove_all(o.directory.parent_path());
  return 0;
}
