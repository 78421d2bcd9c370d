// Whatever is written to a scope bears the scope's canary, and whatever is read from it is searched for another's.

#include "events.hpp"
#include "temp_dir.hpp"

#include <wherry/core/random.hpp>
#include <wherry/memory/document.hpp>

#include <set>
#include <tuple>

using namespace wherry;
using namespace wherry_test;

namespace {

/// Names that begin with each other, look alike, or are wildcards, separators, keys or paths elsewhere.
std::vector<scope_name> hostile_names(std::size_t count) {
  std::vector<std::string> odd{"",
                               "a",
                               "ab",
                               "abc",
                               "a%",
                               "a_",
                               "%",
                               "_",
                               "*",
                               "?",
                               "a/",
                               "/a",
                               "../",
                               "..",
                               ".",
                               "scope/",
                               "sid",
                               "'",
                               "\"",
                               "';--",
                               "{}",
                               "$ne",
                               "a,b",
                               "a:b",
                               "a\tb",
                               "a\nb",
                               " a",
                               "a ",
                               "A",
                               "\xC3\xA9" /* é */,
                               "e\xCC\x81" /* the same, composed */,
                               "\xEF\xBD\x81" /* wide a */,
                               "\xE2\x84\xAA" /* Kelvin */,
                               "K",
                               "k",
                               "\xF0\x9F\x99\x82",
                               "\xF4\x8F\xBF\xBF" /* last */,
                               "\xE2\x80\xAE",
                               "\xD7\x90"};
  odd.push_back(std::string("a\0b", 3));
  odd.push_back(std::string("\0", 1));
  odd.push_back(std::string("\0\0\0\1a", 5));  // a length and a name
  odd.push_back(std::string(name_bytes_max, 'a'));
  odd.push_back(std::string(name_bytes_max - 1, 'a'));
  odd.push_back(std::string(name_bytes_max - 1, 'a') + 'b');
  std::vector<scope_name> out;
  std::set<std::tuple<std::string, std::string, std::string, std::vector<std::string>>> known;
  for (std::uint32_t n = 0; out.size() < count; ++n) {
    auto const part = [&](std::uint32_t lane) { return odd[random_bits({.run = 77, .step = n}, lane) % odd.size()]; };
    scope_name name{.tenant = part(0), .user = part(1)};
    if (n % 3 == 1) name.agent = part(2);
    if (n % 4 == 2) name.space = {part(3)};
    if (n % 8 == 6) name.space = {part(3), part(4)};
    if (known.emplace(name.tenant, name.user, name.agent, name.space).second) out.push_back(std::move(name));
  }
  return out;
}

std::string canary(std::size_t n) { return "canary" + std::to_string(n) + "bird"; }

class watched_scopes {
 public:
  watched_scopes(std::uint64_t seed, std::size_t count) : seed_(seed), names_(hostile_names(count)) { open(); }

  void step(std::uint32_t step) {
    step_ = step;
    lane_ = 0;
    if (step % 50'000 == 49'999) scopes_.clear();  // what is kept in memory is read again
    if (step % 250'000 == 249'999) open();
    n_ = draw(names_.size());
    if (scopes_.empty())
      for (auto const& name : names_) scopes_.push_back(db_->scope(name));
    auto const& scope = scopes_[n_];
    auto const what = draw(100);
    if (what < 28) return write(scope);
    if (what < 45) return find(scope);
    if (what < 60) return list_items(scope);
    if (what < 72) return list_records(scope);
    if (what < 86) return read_sessions(scope);
    if (what < 93) return take_jobs(scope);
    if (what < 97) return forget(scope);
    if (what < 99) return cite_document(scope);
    if (draw(200) == 0) return erase(scope);
    scope.session("talk" + canary(n_)).fork("fork" + std::to_string(step) + canary(n_)).value();
  }

  std::size_t foreign = 0;  ///< Reads that held another scope's canary, or none.
  std::size_t seen = 0;     ///< Reads that were searched.
  store const& db() const { return *db_; }

 private:
  std::uint64_t draw(std::uint64_t below) { return random_bits({.run = seed_, .step = step_}, lane_++) % below; }
  void open() {
    scopes_.clear();
    db_.reset();
    db_.emplace(store{dir_ / "db", {.commit_durability = durability::os, .vectors_exact_max = 40}});
  }

  /// Every canary in it is this scope's, and there is one.
  void look(std::string const& text) {
    ++seen;
    auto const ours = canary(n_);
    std::size_t count = 0;
    for (auto at = text.find("canary"); at != std::string::npos; at = text.find("canary", at + 1), ++count)
      if (text.compare(at, ours.size(), ours) != 0) return void(++foreign);
    foreign += count == 0;
  }

  void write(scope_handle const& scope) {
    transaction tx{scope};
    auto const ours = canary(n_);
    auto const number = std::to_string(step_);
    switch (draw(6)) {
      case 0: {
        auto const id = tx.put({.kind = "fact", .text = "common words and " + ours + " " + number});
        tx.embed(id, {"m", {1, static_cast<float>(n_ + 1), static_cast<float>(step_ % 97), 3}});
        break;
      }
      case 1:
        tx.remember({.kind = "preference", .text = ours + " likes " + number, .subject = "user", .attribute = "taste"});
        break;
      case 2: tx.put_item("notes", "k" + std::to_string(draw(50)), "\"" + ours + "\""); break;
      case 3: tx.journal({.key = "effect" + number, .call = ours}); break;
      case 4: tx.job({.kind = "work", .payload = ours, .idempotency_key = "once" + std::to_string(draw(500))}); break;
      default: {
        auto const talk = scope.session("talk" + ours);
        tx.append(talk, talk.last_seq().value(), {note(ours + " " + number)});
      }
    }
    tx.commit().value();
  }

  void find(scope_handle const& scope) {
    auto const other = draw(names_.size());
    recall_query q{.text = "common words " + canary(other) + " likes", .limit = 20};
    if (draw(2) == 0) q.vectors = {{"m", {1, static_cast<float>(other + 1), 1, 3}}};
    if (draw(4) == 0) q.text.clear();
    if (q.text.empty() && q.vectors.empty()) q.text = canary(other);
    for (auto const& hit : scope.recall(q).value().hits) look(hit.record.text);
  }

  void list_items(scope_handle const& scope) {
    auto const items = scope.items("notes");
    if (draw(10) == 0)
      for (auto const& i : items.search(canary(draw(names_.size())), 5).value()) look(i.value);
    for (auto const& i : items.list("k", "", 10).value()) look(i.value);
    if (auto const one = items.get("k" + std::to_string(draw(50))).value()) look(one->value);
  }

  void list_records(scope_handle const& scope) {
    for (auto const& r : scope.records(ulid{}, 20).value()) look(r.text);
  }

  void read_sessions(scope_handle const& scope) {
    for (auto const& s : scope.sessions().value()) look(s.name);
    for (auto const& e : scope.session("talk" + canary(draw(names_.size()))).events(1, 20).value()) look(e.payload);
    for (auto const& e : scope.session("talk" + canary(n_)).events(1, 20).value()) look(e.payload);
  }

  void take_jobs(scope_handle const& scope) {
    if (auto const job = scope.claim_job("work", std::chrono::milliseconds(1)).value()) {
      look(job->payload);
      transaction tx{scope};
      tx.finish(job->id);
      tx.commit().value();
    }
    for (auto const& e : scope.unfinished_effects().value()) {
      look(e.call);
      transaction tx{scope};
      tx.journal({.key = e.key, .state = effect_state::done, .call = e.call});
      tx.commit().value();
    }
  }

  void forget(scope_handle const& scope) {
    auto const some = scope.records(ulid{}, 5).value();
    transaction tx{scope};
    for (auto const& r : some) {
      look(r.text);
      tx.forget(r.id);
    }
    tx.commit().value();
  }

  void cite_document(scope_handle const& scope) {
    auto const ours = canary(n_);
    auto const text = "# " + ours + "\n\nA paragraph about " + ours + " and common words.\n";
    ingest_document(scope, "manual", text).value();
    for (auto const& hit : scope.recall({.text = "paragraph", .limit = 3, .kinds = {"document"}}).value().hits) {
      look(hit.record.text);
      auto const cited = cite(hit.record);
      verify_citation(scope, cited).value();
      auto const neighbour = (n_ + 1) % names_.size();
      foreign += verify_citation(scopes_[neighbour], cited).has_value();
    }
  }

  void erase(scope_handle const& scope) {
    if (draw(2) == 0) {
      scope.erase({.everything = true}).value();
      foreign += !scope.records().value().empty();
      return;
    }
    scope.erase({.sessions = {"talk" + canary(n_), "talk" + canary(draw(names_.size()))}}).value();
  }

  temp_dir dir_;
  std::uint64_t const seed_;
  std::vector<scope_name> const names_;
  std::optional<store> db_;
  std::vector<scope_handle> scopes_;
  std::uint32_t step_ = 0, lane_ = 0;
  std::size_t n_ = 0;
};

void walk(std::size_t scopes, std::uint32_t steps) {
  std::uint64_t const seed = 11;
  watched_scopes all(seed, scopes);
  for (std::uint32_t step = 0; step < steps; ++step) {
    INFO("seed " << seed << " step " << step);
    all.step(step);
    REQUIRE(all.foreign == 0);
  }
  CHECK(all.seen > steps / 2);
  CHECK(all.db().verify().value().problems == std::vector<std::string>{});
}

}  // namespace

TEST_CASE("scopes with hostile names never see each other's canaries", "[isolation]") { walk(120, 20'000); }

TEST_CASE("a thousand scopes never see each other's canaries in a million operations", "[isolation][slow]") {
  walk(1'000, 1'000'000);
}
