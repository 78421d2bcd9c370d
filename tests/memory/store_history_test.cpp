// Several threads on one store: what each was told, with when it asked and when it was told, must be the story of one
// store that does one thing at a time. Versions and sequence numbers give the order of writes, so the check is exact:
// each write made the next version; what was over before another began comes before it; a read saw a version that
// existed while it looked; a conflict was told only if another version existed meanwhile.

#include "oracle_backend.hpp"
#include "rocks_backend.hpp"

#include <wherry/core/random.hpp>

#include <atomic>
#include <barrier>
#include <functional>
#include <thread>

using namespace wherry;
using namespace wherry_test;

namespace {

struct seen_operation {
  enum class what { read, write, conflict } kind = what::read;
  std::uint64_t version = 0;  ///< Read, made, or expected in vain.
  std::uint64_t began = 0, ended = 0;
};
using history = std::vector<seen_operation>;

/// Why a history of one register is no story of one store; empty when it is.
std::string broken_by(history const& all) {
  using what = seen_operation::what;
  std::map<std::uint64_t, seen_operation const*> writes;
  for (auto const& o : all)
    if (o.kind == what::write && !writes.emplace(o.version, &o).second)
      return "version " + std::to_string(o.version) + " was made twice";
  if (!writes.empty() && writes.rbegin()->first != writes.size()) return "a version is missing";
  // The versions that may have been the last one at some moment of an operation.
  auto const existed_at_latest = [&](seen_operation const& o) {  // the newest that had begun before it ended
    std::uint64_t newest = 0;
    for (auto const& [version, w] : writes)
      if (w->began < o.ended) newest = version;
    return newest;
  };
  auto const existed_at_least = [&](seen_operation const& o) {  // the newest that was over before it began
    std::uint64_t newest = 0;
    for (auto const& [version, w] : writes)
      if (w->ended < o.began) newest = std::max(newest, version);
    for (auto const& other : all)  // or had been read by then
      if (other.kind == what::read && other.ended < o.began) newest = std::max(newest, other.version);
    return newest;
  };
  for (auto const& o : all) {
    auto const least = existed_at_least(o), most = existed_at_latest(o);
    auto const named = " (at " + std::to_string(o.began) + " to " + std::to_string(o.ended) + ")";
    if (o.kind == what::write && o.version <= least) return "a write came before one that was over" + named;
    if (o.kind == what::read && (o.version < least || o.version > most))
      return "a read saw version " + std::to_string(o.version) + named;
    if (o.kind == what::conflict && least == most && o.version == least)
      return "a conflict was told about the only version there was" + named;
  }
  return {};
}

class recorder {
 public:
  /// Runs an operation and notes it; it tells what came of it.
  void note(std::string const& of, std::function<seen_operation()> const& operation) {
    auto const began = ++moment_;
    auto seen = operation();
    seen.began = began;
    seen.ended = ++moment_;
    std::lock_guard const lock(mutex_);
    all_[of].push_back(seen);
  }
  std::map<std::string, history> const& all() const { return all_; }

 private:
  std::atomic<std::uint64_t> moment_{0};
  std::mutex mutex_;
  std::map<std::string, history> all_;
};

constexpr int threads = 4;
constexpr std::uint32_t steps = 400;

void work(store_backend& db, recorder& story, int thread) {
  using what = seen_operation::what;
  scope_name const scopes[] = {{.tenant = "a"}, {.tenant = "ab"}};
  std::map<std::string, std::uint64_t> seen;
  for (std::uint32_t step = 0; step < steps; ++step) {
    auto const draw = [&](std::uint32_t lane, std::uint64_t below) {
      return random_bits({.run = 40 + static_cast<std::uint64_t>(thread), .step = step}, lane) % below;
    };
    auto const& scope = scopes[draw(0, 2)];
    auto const name = scope.tenant + (draw(1, 2) ? " item" : " session");
    bool const is_item = name.ends_with("item");
    if (draw(2, 3) == 0) {
      story.note(name, [&]() -> seen_operation {
        if (!is_item) return {what::read, seen[name] = db.events(scope, "s").value().size()};
        auto const found = db.item(scope, "n", "k").value();
        // A value says which version it is.
        if (found && found->value != std::to_string(found->version)) return {what::read, ~std::uint64_t{0}};
        return {what::read, seen[name] = found ? found->version : 0};
      });
      continue;
    }
    auto const expected = seen[name];
    story.note(name, [&]() -> seen_operation {
      std::vector<change> changes;
      if (is_item)
        changes.push_back(item_change{"n", "k", std::to_string(expected + 1), expected});
      else
        changes.push_back(append_change{"s", expected, {"{\"n\":" + std::to_string(expected + 1) + "}"}});
      auto const done = db.commit(scope, std::move(changes));
      if (!done && done.error().is(errc::conflict)) return {what::conflict, expected};
      done.value();
      return {what::write, seen[name] = expected + 1};
    });
  }
}

void check_backend(store_backend& db) {
  recorder story;
  std::barrier start(threads);
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&, t] {
      start.arrive_and_wait();
      work(db, story, t);
    });
  for (auto& t : all) t.join();
  std::size_t writes = 0, conflicts = 0;
  for (auto const& [name, of] : story.all()) {
    INFO(name);
    CHECK(broken_by(of).empty());
    for (auto const& o : of) {
      writes += o.kind == seen_operation::what::write;
      conflicts += o.kind == seen_operation::what::conflict;
    }
  }
  CHECK(writes > 0);
  CHECK(conflicts > 0);
  for (auto const* tenant : {"a", "ab"}) {
    auto const events = db.events({.tenant = tenant}, "s").value();
    for (std::size_t i = 0; i < events.size(); ++i)
      CHECK(events[i] == std::to_string(i + 1) + " {\"n\":" + std::to_string(i + 1) + "}");
  }
}

}  // namespace

TEST_CASE("a history is judged: stale reads, lost and doubled writes, conflicts without a cause", "[memory]") {
  using what = seen_operation::what;
  CHECK(broken_by({{what::write, 1, 1, 2}, {what::read, 1, 3, 4}, {what::conflict, 0, 5, 6}}).empty());
  CHECK(broken_by({{what::write, 1, 1, 4}, {what::read, 0, 2, 3}}).empty());
  CHECK(broken_by({{what::write, 1, 1, 4}, {what::conflict, 0, 2, 3}}).empty());
  CHECK_FALSE(broken_by({{what::write, 1, 1, 2}, {what::read, 0, 3, 4}}).empty());
  CHECK_FALSE(broken_by({{what::write, 1, 1, 2}, {what::write, 1, 3, 4}}).empty());
  CHECK_FALSE(broken_by({{what::write, 2, 1, 2}}).empty());
  CHECK_FALSE(broken_by({{what::write, 1, 3, 4}, {what::write, 2, 1, 2}}).empty());
  CHECK_FALSE(broken_by({{what::write, 1, 1, 2}, {what::conflict, 1, 3, 4}}).empty());
  CHECK_FALSE(broken_by({{what::write, 1, 1, 9}, {what::read, 1, 2, 3}, {what::read, 0, 4, 5}}).empty());
}

TEST_CASE("threads that write and read at once see one store", "[memory]") {
  oracle_backend oracle(clock::system());
  check_backend(oracle);
  rocks_backend rocks({.commit_durability = durability::os});
  check_backend(rocks);
}
