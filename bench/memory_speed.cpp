// How fast recall is; the other parts of "speed" have files of their own.

#include "bench_memory.hpp"
#include "memory_workload.hpp"

#include <wherry/memory/transaction.hpp>

#include <cstdlib>

using namespace wherry;

namespace bench_memory {
namespace {

bool recall_speed(std::filesystem::path const& directory) {
  constexpr std::size_t records = 10'000, questions = 400;
  store const db{directory / "recall"};
  auto const scope = db.scope({});
  auto const before = resident_bytes();
  stopwatch const filling;
  for (std::size_t n = 0; n < records;) {
    transaction tx{scope};
    for (int i = 0; i < 500; ++i, ++n) {
      auto const id = tx.put({.kind = "fact", .text = text_of(n)});
      tx.embed(id, {"m", vector_of(n)});
    }
    tx.commit(wherry::durability::os).value();
  }
  auto const filled = filling.wall();
  std::vector<double> text_ms, named_ms, both_ms;
  for (std::uint64_t q = 0; q < questions + 20; ++q) {
    recall_query query{.limit = 10};
    for (std::uint32_t i = 0; i < 5; ++i) (query.text += word(50'000'000 + q, i)) += ' ';
    auto const timed = [&](std::vector<double>& into) {
      stopwatch const watch;
      scope.recall(query).value();
      if (q >= 20) into.push_back(watch.wall() * 1e3);  // the first ones fill what is kept in memory
    };
    timed(text_ms);
    auto const plain = query;
    query.text = "about";
    for (std::uint32_t i = 0; i < 5; ++i) {
      auto name = word(50'000'000 + q, i);
      name.front() = static_cast<char>(std::toupper(name.front()));
      (query.text += ' ') += name + ',';
    }
    query.weights.entity = 1;
    timed(named_ms);
    query = plain;
    query.vectors = {{"m", vector_of(50'000'000 + q)}};
    timed(both_ms);
  }
  auto const p50 = percentile(both_ms, 0.5), p99 = percentile(both_ms, 0.99);
  std::printf("recall in a scope of %zu records (filled in %.1f s)\n", records, filled);
  std::printf("  text p50 %.2f ms p99 %.2f ms; text + exact scan of %zu-d p50 %.2f ms p99 %.2f ms (bars: 1.5, 6)\n",
              percentile(text_ms, 0.5), percentile(text_ms, 0.99), width, p50, p99);
  std::printf("  text + entities of five names p50 %.2f ms p99 %.2f ms\n", percentile(named_ms, 0.5),
              percentile(named_ms, 0.99));
  std::printf("  memory of the process grew by %.0f MB for them\n",
              static_cast<double>(resident_bytes() - before) / 1e6);
  return verdict(p50 <= 1.5 && p99 <= 6);
}

}  // namespace

bool speed(std::filesystem::path const& directory, speed_options const& o) {
  bool held = true;
  if (o.only.empty() || o.only == "recall") held = recall_speed(directory) && held;
  if (o.only.empty() || o.only == "graph") held = graph_speed(directory, o.vectors) && held;
  if (o.only.empty() || o.only == "open") held = open_speed(directory, o.records) && held;
  double load[1] = {0};
  (void)::getloadavg(load, 1);
  std::printf("load %.1f\n", load[0]);
  return held;
}

}  // namespace bench_memory
