// How much memory a process needs for a scope of 100,000 records, and how much disk: by the way its vectors are kept.

#include "bench_memory.hpp"
#include "memory_workload.hpp"

#include <wherry/memory/transaction.hpp>

#include <sys/wait.h>

#include <functional>
#include <iostream>

using namespace wherry;

namespace bench_memory {
namespace {

constexpr std::uint64_t questions = 100;

struct variant {
  char const* name;
  bool int8, graph;
  double bar;  ///< Megabytes of memory for 100,000 records.
};
constexpr variant variants[] = {{"every vector looked at", false, false, 300},
                                {"a graph", false, true, 320},
                                {"every vector looked at, as int8", true, false, 150},
                                {"a graph, as int8", true, true, 180}};

store_options options_of(variant const& v) {
  return {.vectors_as_int8 = v.int8, .vectors_exact_max = v.graph ? std::size_t{1000} : std::size_t{100'000'000}};
}

/// The most this process has held so far.
std::size_t resident_peak_bytes() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return static_cast<std::size_t>(used.ru_maxrss) * 1024;
}

struct measured {
  double grown = 0;  ///< Bytes.
  double peak = 0;
  double by_text = 0;  ///< Before the first recall by vector.
};

/// Measures in a process of its own, so that nothing of what was done before counts.
measured apart(std::function<measured()> const& work) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  std::cout.flush();
  std::fflush(stdout);
  auto const pid = ::fork();
  if (pid == 0) {
    auto const got = work();
    std::_Exit(::write(ends[1], &got, sizeof got) == sizeof got ? 0 : 1);
  }
  ::close(ends[1]);
  measured out;
  bool const whole = ::read(ends[0], &out, sizeof out) == sizeof out;
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return whole && status == 0 ? out : measured{1e12, 1e12};
}

measured since(std::size_t before) {
  return {static_cast<double>(resident_bytes()) - static_cast<double>(before),
          static_cast<double>(resident_peak_bytes()) - static_cast<double>(before)};
}

measured fill(std::filesystem::path const& directory, variant const& v, std::size_t count) {
  auto const before = resident_bytes();
  store const db{directory, options_of(v)};
  auto const scope = db.scope({});
  for (std::size_t n = 0; n < count;) {
    transaction tx{scope};
    for (std::size_t i = 0; i < 500 && n < count; ++i, ++n)
      tx.embed(tx.put({.kind = "fact", .text = text_of(n)}), {"m", vector_of(n)});
    tx.commit(wherry::durability::os).value();
  }
  if (v.graph) scope.maintain().value();
  return since(before);
}

/// A process that opens the store and asks.
measured ask(std::filesystem::path const& directory, variant const& v) {
  auto const before = resident_bytes();
  store const db{directory, options_of(v)};
  auto const scope = db.scope({});
  double by_text = 0;
  for (bool const with_vector : {false, true}) {
    for (std::uint64_t q = 0; q < questions; ++q) {
      recall_query query{.limit = 10};
      for (std::uint32_t i = 0; i < 5; ++i) (query.text += word(50'000'000 + q, i)) += ' ';
      if (with_vector) query.vectors = {{"m", vector_of(50'000'000 + q)}};
      scope.recall(query).value();
    }
    if (!with_vector) by_text = since(before).grown;
  }
  auto out = since(before);
  out.by_text = by_text;
  return out;
}

double files_bytes(std::filesystem::path const& directory) {
  double out = 0;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file()) out += static_cast<double>(entry.file_size());
  return out;
}

}  // namespace

bool size(std::filesystem::path const& directory, std::size_t count) {
  std::printf(
      "memory for %zu records of about 400 B with a vector of %zu dimensions, in a process that opens the store and "
      "recalls %llu times\n",
      count, width, static_cast<unsigned long long>(questions));
  auto const per_100k = 1e5 / static_cast<double>(count) / 1e6;
  bool held = true;
  for (auto const& v : variants) {
    auto const place = directory / "size";
    std::filesystem::remove_all(place);
    auto const filling = apart([&] { return fill(place, v, count); });
    auto const asking = apart([&] { return ask(place, v); });
    auto const grown = asking.grown * per_100k;
    bool const holds = grown <= v.bar;
    std::printf(
        "  %-32s %4.0f MB for 100,000 (bar: %.0f), %.0f of them without vectors; most while opening %4.0f MB, while "
        "writing%s %4.0f MB; on disk "
        "%4.0f MB%s\n",
        v.name, grown, v.bar, asking.by_text * per_100k, asking.peak * per_100k, v.graph ? " and making the graph" : "",
        filling.peak * per_100k, files_bytes(place) * per_100k, holds ? "" : "  DOES NOT HOLD");
    held = held && holds;
  }
  return verdict(held);
}

}  // namespace bench_memory
