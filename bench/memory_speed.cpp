// How fast recall is; the other parts of "speed" have files of their own.

#include "bench_memory.hpp"
#include "memory_workload.hpp"

#include <wherry/memory/transaction.hpp>

#include <cctype>
#include <cstdlib>

using namespace wherry;

namespace bench_memory {
namespace {

constexpr std::size_t records = 10'000, questions = 400, appends = 200;
constexpr std::uint64_t questions_first = 20;  ///< They fill what is kept in memory and are not counted.

struct recall_times {
  double filled = 0;  ///< Seconds.
  std::vector<double> append_os_us, append_synced_us, text_ms, named_ms, both_ms;
};

void append_notes(scope_handle const& scope, wherry::durability how, std::vector<double>& us) {
  auto const log = scope.session("log");
  auto seen = log.last_seq().value();
  std::string const payload = "{\"text\":\"" + std::string(400, 'x') + "\"}";
  for (std::size_t i = 0; i < appends; ++i) {
    stopwatch const watch;
    transaction tx{scope};
    std::vector<session_event> events{{.type = event_type::note, .payload = payload}};
    tx.append(log, seen++, std::move(events));
    tx.commit(how).value();
    us.push_back(watch.wall() * 1e6);
  }
}

recall_times measure(std::filesystem::path const& directory, store_options const& options) {
  recall_times out;
  store const db{directory, options};
  auto const scope = db.scope({});
  stopwatch const filling;
  for (std::size_t n = 0; n < records;) {
    transaction tx{scope};
    for (int i = 0; i < 500; ++i, ++n) {
      auto const id = tx.put({.kind = "fact", .text = text_of(n)});
      tx.embed(id, {"m", vector_of(n)});
    }
    tx.commit(wherry::durability::os).value();
  }
  out.filled = filling.wall();
  append_notes(scope, wherry::durability::os, out.append_os_us);
  append_notes(scope, wherry::durability::synced, out.append_synced_us);
  for (std::uint64_t q = 0; q < questions + questions_first; ++q) {
    recall_query query{.limit = 10};
    for (std::uint32_t i = 0; i < 5; ++i) (query.text += word(50'000'000 + q, i)) += ' ';
    auto const timed = [&](std::vector<double>& into) {
      stopwatch const watch;
      scope.recall(query).value();
      if (q >= questions_first) into.push_back(watch.wall() * 1e3);
    };
    timed(out.text_ms);
    auto const plain = query;
    query.text = "about";
    for (std::uint32_t i = 0; i < 5; ++i) {
      auto name = word(50'000'000 + q, i);
      name.front() = static_cast<char>(std::toupper(name.front()));
      (query.text += ' ') += name + ',';
    }
    query.weights.entity = 1;
    timed(out.named_ms);
    query = plain;
    query.vectors = {{"m", vector_of(50'000'000 + q)}};
    timed(out.both_ms);
  }
  return out;
}

bool recall_speed(std::filesystem::path const& directory) {
  store_options encrypted;
  encrypted.keys = store_keys{directory / "keys", std::string(32, 'k')};
  std::pair<char const*, recall_times> const rows[] = {{"plain", measure(directory / "plain", {})},
                                                       {"encrypted", measure(directory / "encrypted", encrypted)}};
  std::printf("a scope of %zu records, a text of about 400 B and a vector of %zu dimensions each; p50 and p99\n",
              records, width);
  std::printf("  %-10s %9s %16s %16s %16s %16s %16s\n", "", "filled", "append, os", "append, synced", "recall by text",
              "by five names", "and every vector");
  for (auto const& [name, t] : rows) {
    auto const pair = [](std::vector<double> const& v) { return std::pair(percentile(v, 0.5), percentile(v, 0.99)); };
    auto const os = pair(t.append_os_us), synced = pair(t.append_synced_us), text = pair(t.text_ms),
               named = pair(t.named_ms), both = pair(t.both_ms);
    std::printf("  %-10s %7.1f s %5.0f %7.0f us %5.0f %7.0f us %6.2f %6.2f ms %6.2f %6.2f ms %6.2f %6.2f ms\n", name,
                t.filled, os.first, os.second, synced.first, synced.second, text.first, text.second, named.first,
                named.second, both.first, both.second);
  }
  auto const& plain = rows[0].second.both_ms;
  std::printf("  plain, by text and every vector: bars 1.5 and 6 ms\n");
  return verdict(percentile(plain, 0.5) <= 1.5 && percentile(plain, 0.99) <= 6);
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
