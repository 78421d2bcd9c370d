// What a graph over vectors is worth: how much it finds, how quickly, and how much quicker it is loaded than made.

#include "bench_memory.hpp"
#include "memory_workload.hpp"
#include "vector_graph.hpp"

#include <wherry/memory/transaction.hpp>

#include <set>

using namespace wherry;
using namespace wherry::memory_detail;

namespace bench_memory {
namespace {

constexpr std::size_t questions = 200;
constexpr int loads = 5;

std::string packed_vector(std::uint64_t number) { return pack(vector_form::f32, vector_of(number)); }

/// Recall and time of the graph beside looking at every vector.
bool search_speed(vector_graph const& graph, std::string const& plain, std::size_t count) {
  auto const stride = packed_bytes(vector_form::f32, width);
  std::vector<double> scan_ms, graph_ms;
  std::size_t found = 0;
  std::vector<std::pair<float, std::uint32_t>> all(count);
  for (std::uint64_t q = 0; q < questions; ++q) {
    auto const asked = packed_vector(60'000'000 + q);
    stopwatch const scan;
    for (std::size_t n = 0; n < count; ++n)
      all[n] = {-packed_dot(vector_form::f32, width, asked.data(), plain.data() + n * stride),
                static_cast<std::uint32_t>(n)};
    std::partial_sort(all.begin(), all.begin() + 10, all.end());
    scan_ms.push_back(scan.wall() * 1e3);
    std::set<std::uint32_t> wanted;
    for (std::size_t i = 0; i < 10; ++i) wanted.insert(all[i].second);
    stopwatch const walk;
    auto const near = graph.search(asked.data(), 10, {});
    graph_ms.push_back(walk.wall() * 1e3);
    for (auto const& hit : near) found += wanted.count(hit.number);
  }
  auto const recall = static_cast<double>(found) / (10 * questions);
  auto const share = percentile(graph_ms, 0.5) / percentile(scan_ms, 0.5);
  std::printf("  search looks at %zu (the default): recall@10 %.4f (bar: 0.98)\n", graph_search_breadth, recall);
  std::printf("  p50 %.3f ms, exact scan %.3f ms: %.1f %% of it (bar: 10)\n", percentile(graph_ms, 0.5),
              percentile(scan_ms, 0.5), 100 * share);
  return recall >= 0.98 && share <= 0.10;
}

/// Loads the image of a graph that took so long to make.
bool load_speed(vector_graph const& graph, std::filesystem::path const& file, stopwatch const& made_in, double built) {
  auto const built_cpu = made_in.cpu();
  auto const image = graph.image();
  auto const checksum = write_image_file(file, image).value();
  std::vector<double> wall, cpu;
  bool loaded = true;
  for (int i = 0; i < loads; ++i) {
    stopwatch const watch;
    auto source = image_file::open(file);
    auto const back = vector_graph::from_image(vector_form::f32, width, source.value());
    loaded = loaded && back && source->checksum() == checksum;
    wall.push_back(watch.wall());
    cpu.push_back(watch.cpu());
  }
  auto const load = percentile(wall, 0.5), load_cpu = percentile(cpu, 0.5);
  std::printf(
      "  image of %.0f MB loaded and checked in %.3f s (%.3f s of CPU), p50 of %d: %.0f x quicker than made, "
      "%.0f x by CPU (bar: 100)\n",
      static_cast<double>(image.size()) / 1e6, load, load_cpu, loads, built / load, built_cpu / load_cpu);
  return loaded && built / load >= 100;
}

/// The same as a program meets it: a scope whose vectors are asked for the first time after the store was opened. Every
/// vector the store holds is compared with the image then.
void load_in_store(std::filesystem::path const& directory, std::size_t count) {
  auto db = std::make_unique<store>(directory);
  for (std::size_t n = 0; n < count;) {
    transaction tx{db->scope({})};
    for (int i = 0; i < 1000 && n < count; ++i, ++n)
      tx.embed(tx.put({.kind = "fact", .text = std::to_string(n)}), {"m", vector_of(n)});
    tx.commit(wherry::durability::os).value();
  }
  stopwatch const making;
  auto const made = db->scope({}).maintain().value();
  auto const built = making.wall(), built_cpu = making.cpu();
  db = nullptr;
  db = std::make_unique<store>(directory);
  auto const scope = db->scope({});
  scope.recall({.text = "1", .limit = 1}).value();  // reads the table of records
  stopwatch const loading;
  auto const found = scope.recall({.vectors = {{"m", vector_of(1)}}, .limit = 1}).value();
  std::printf(
      "  in a store: %zu graph and its image made in %.1f s (%.1f s of CPU); first recall by vector %.2f s (%.2f s "
      "of CPU), %zu hit\n",
      made.graphs_built, built, built_cpu, loading.wall(), loading.cpu(), found.hits.size());
}

}  // namespace

bool graph_speed(std::filesystem::path const& directory, std::size_t count) {
  auto const stride = packed_bytes(vector_form::f32, width);
  std::string plain;
  plain.reserve(count * stride);
  for (std::size_t n = 0; n < count; ++n) plain += packed_vector(n);
  std::filesystem::create_directories(directory);
  stopwatch const making;
  vector_graph graph(vector_form::f32, width, count);
  for (std::size_t n = 0; n < count; ++n) graph.add(static_cast<std::uint32_t>(n), plain.data() + n * stride);
  auto const built = making.wall();
  std::printf("graph over %zu vectors of %zu dimensions, made in %.1f s (%.1f s of CPU)\n", count, width, built,
              making.cpu());
  bool const loads_well = load_speed(graph, directory / "graph", making, built);
  bool const searches_well = search_speed(graph, plain, count);
  load_in_store(directory / "store", count);
  return verdict(searches_well && loads_well);
}

}  // namespace bench_memory
