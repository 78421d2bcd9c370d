// How fast recall is, what a graph over vectors is worth, and how long a store takes to open.

#include "bench_memory.hpp"
#include "vector_graph.hpp"

#include <wherry/core/random.hpp>
#include <wherry/memory/transaction.hpp>

#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>

using namespace wherry;
using steady = std::chrono::steady_clock;

namespace bench_memory {
namespace {

constexpr std::size_t width = 384;
constexpr std::size_t vocabulary = 20'000;
constexpr std::size_t words_per_record = 60;  // about 400 bytes

double seconds_since(steady::time_point start) { return std::chrono::duration<double>(steady::now() - start).count(); }

/// A word by Zipf's law.
std::string word(std::uint64_t place, std::uint32_t lane) {
  auto const rank = std::pow(static_cast<double>(vocabulary), uniform({.run = place}, lane));
  std::string out;
  for (auto n = static_cast<std::size_t>(rank); n > 0; n /= 20) out += "bcdfghklmnprstvwaeio"[n % 20];
  return out + "q";
}

std::string text_of(std::uint64_t number) {
  std::string out;
  for (std::uint32_t i = 0; i < words_per_record; ++i) (out += word(number, i)) += ' ';
  return out;
}

/// Around 50 centres, as texts of a few themes are.
std::vector<float> vector_of(std::uint64_t number) {
  std::vector<float> out(width);
  for (std::uint32_t i = 0; i < width; ++i)
    out[i] = static_cast<float>(uniform({.run = 7'000'000 + number % 50}, i) - 0.5 +
                                0.8 * (uniform({.run = 9'000'000 + number}, i) - 0.5));
  return out;
}

double percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1))];
}

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

bool recall_speed(std::filesystem::path const& directory) {
  constexpr std::size_t records = 10'000, questions = 400;
  store const db{directory / "recall"};
  auto const scope = db.scope({});
  auto const before = resident_bytes();
  auto const start = steady::now();
  for (std::size_t n = 0; n < records;) {
    transaction tx{scope};
    for (int i = 0; i < 500; ++i, ++n) {
      auto const id = tx.put({.kind = "fact", .text = text_of(n)});
      tx.embed(id, {"m", vector_of(n)});
    }
    tx.commit(wherry::durability::os).value();
  }
  auto const filled = seconds_since(start);
  std::vector<double> text_ms, both_ms;
  for (std::uint64_t q = 0; q < questions + 20; ++q) {
    recall_query query{.limit = 10};
    for (std::uint32_t i = 0; i < 5; ++i) (query.text += word(50'000'000 + q, i)) += ' ';
    auto const timed = [&](std::vector<double>& into) {
      auto const from = steady::now();
      scope.recall(query).value();
      if (q >= 20) into.push_back(seconds_since(from) * 1e3);  // the first ones fill what is kept in memory
    };
    timed(text_ms);
    query.vectors = {{"m", vector_of(50'000'000 + q)}};
    timed(both_ms);
  }
  auto const p50 = percentile(both_ms, 0.5), p99 = percentile(both_ms, 0.99);
  std::printf("recall in a scope of %zu records (filled in %.1f s)\n", records, filled);
  std::printf("  text p50 %.2f ms p99 %.2f ms; text + exact scan of %zu-d p50 %.2f ms p99 %.2f ms (bars: 1.5, 6)\n",
              percentile(text_ms, 0.5), percentile(text_ms, 0.99), width, p50, p99);
  std::printf("  memory of the process grew by %.0f MB for them\n",
              static_cast<double>(resident_bytes() - before) / 1e6);
  return verdict(p50 <= 1.5 && p99 <= 6);
}

bool graph_speed(std::filesystem::path const& directory, std::size_t count) {
  using namespace memory_detail;
  constexpr std::size_t questions = 200;
  auto const stride = packed_bytes(vector_form::f32, width);
  std::string plain;
  plain.reserve(count * stride);
  for (std::size_t n = 0; n < count; ++n) plain += pack(vector_form::f32, vector_of(n));
  auto start = steady::now();
  vector_graph graph(vector_form::f32, width, count);
  for (std::size_t n = 0; n < count; ++n) graph.add(static_cast<std::uint32_t>(n), plain.data() + n * stride);
  auto const built = seconds_since(start);
  std::vector<double> scan_ms, graph_ms;
  std::size_t found = 0;
  std::vector<std::pair<float, std::uint32_t>> all(count);
  for (std::uint64_t q = 0; q < questions; ++q) {
    auto const asked = pack(vector_form::f32, vector_of(60'000'000 + q));
    start = steady::now();
    for (std::size_t n = 0; n < count; ++n)
      all[n] = {-packed_dot(vector_form::f32, width, asked.data(), plain.data() + n * stride),
                static_cast<std::uint32_t>(n)};
    std::partial_sort(all.begin(), all.begin() + 10, all.end());
    scan_ms.push_back(seconds_since(start) * 1e3);
    std::set<std::uint32_t> wanted;
    for (std::size_t i = 0; i < 10; ++i) wanted.insert(all[i].second);
    start = steady::now();
    auto const near = graph.search(asked.data(), 10, {});
    graph_ms.push_back(seconds_since(start) * 1e3);
    for (auto const& hit : near) found += wanted.count(hit.number);
  }
  auto const image = graph.image();
  std::filesystem::create_directories(directory);
  auto const checksum = write_image_file(directory / "graph", image).value();
  start = steady::now();
  auto const back = read_image_file(directory / "graph", checksum);
  auto const loaded = back && vector_graph::from_image(vector_form::f32, width, *back).has_value();
  auto const load = seconds_since(start);
  auto const recall = static_cast<double>(found) / (10 * questions);
  auto const share = percentile(graph_ms, 0.5) / percentile(scan_ms, 0.5);
  std::printf("graph over %zu vectors of %zu dimensions\n", count, width);
  std::printf("  built in %.1f s; image of %.0f MB loaded and checked in %.2f s: %.0f x quicker (bar: 100)\n", built,
              static_cast<double>(image.size()) / 1e6, load, built / load);
  std::printf("  recall@10 %.4f (bar: 0.98); p50 %.3f ms, exact scan %.3f ms: %.1f %% of it (bar: 10)\n", recall,
              percentile(graph_ms, 0.5), percentile(scan_ms, 0.5), 100 * share);
  return verdict(loaded && recall >= 0.98 && share <= 0.10 && built / load >= 100);
}

bool open_speed(std::filesystem::path const& directory, std::size_t count) {
  {
    store const db{directory / "open", {.write_buffer_bytes = std::size_t{64} << 20}};
    auto const start = steady::now();
    for (std::size_t n = 0; n < count;) {
      auto const scope = db.scope({.user = std::to_string(n / 10'000)});
      transaction tx{scope};
      for (int i = 0; i < 1000 && n < count; ++i, ++n) tx.put({.kind = "fact", .text = text_of(n)});
      tx.commit(wherry::durability::os).value();
    }
    std::printf("%zu records of about 400 B in scopes of 10,000 (filled in %.0f s)\n", count, seconds_since(start));
  }
  std::vector<double> opened;
  for (int i = 0; i < 3; ++i) {
    auto const start = steady::now();
    store const db{directory / "open"};
    opened.push_back(seconds_since(start));
  }
  auto const start = steady::now();
  store const db{directory / "open"};
  auto const first = db.scope({.user = "0"}).recall({.text = text_of(1).substr(0, 60)}).value();
  std::printf("  open p50 %.3f s (bar: 0.5); open and first recall in a scope %.3f s, %zu hits\n",
              percentile(opened, 0.5), seconds_since(start), first.hits.size());
  return verdict(percentile(opened, 0.5) <= 0.5);
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
