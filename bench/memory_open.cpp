// How long a store takes to open after it was closed.

#include "bench_memory.hpp"
#include "memory_workload.hpp"

#include <wherry/memory/transaction.hpp>

using namespace wherry;

namespace bench_memory {
namespace {

constexpr std::size_t records_per_scope = 10'000, records_per_commit = 1000;
constexpr int later_opens = 4;

std::uint64_t files_bytes(std::filesystem::path const& directory, std::string const& extension) {
  std::uint64_t out = 0;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(directory))
    if (entry.is_regular_file() && (extension.empty() || entry.path().extension() == extension))
      out += entry.file_size();
  return out;
}

void fill(std::filesystem::path const& directory, std::size_t count) {
  store const db{directory};
  stopwatch const watch;
  for (std::size_t n = 0; n < count;) {
    auto const scope = db.scope({.user = std::to_string(n / records_per_scope)});
    transaction tx{scope};
    for (std::size_t i = 0; i < records_per_commit && n < count; ++i, ++n) tx.put({.kind = "fact", .text = text_of(n)});
    tx.commit(wherry::durability::os).value();
    if (n % 100'000 == 0) std::printf("  %zu records after %.0f s\n", n, watch.wall()), std::fflush(stdout);
  }
}

}  // namespace

bool open_speed(std::filesystem::path const& directory, std::size_t count) {
  std::printf("%zu records of about 400 B in scopes of %zu\n", count, records_per_scope);
  stopwatch const filling;
  fill(directory / "open", count);
  std::printf("  written and closed in %.0f s: %.0f MB, of them %.1f MB of log\n", filling.wall(),
              static_cast<double>(files_bytes(directory / "open", "")) / 1e6,
              static_cast<double>(files_bytes(directory / "open", ".log")) / 1e6);
  stopwatch const first_watch;
  auto db = std::make_unique<store>(directory / "open");
  auto const first = first_watch.wall(), first_cpu = first_watch.cpu();
  stopwatch const asking;
  auto const found = db->scope({.user = "0"}).recall({.text = text_of(1).substr(0, 60)}).value();
  auto const asked = asking.wall();
  std::vector<double> later;
  for (int i = 0; i < later_opens; ++i) {
    db.reset();
    stopwatch const watch;
    db = std::make_unique<store>(directory / "open");
    later.push_back(watch.wall());
  }
  std::printf(
      "  first open %.3f s (%.3f s of CPU), later ones p50 %.3f s (bar: 0.5); first recall in a scope %.3f s, %zu "
      "hits\n",
      first, first_cpu, percentile(later, 0.5), asked, found.hits.size());
  return verdict(first <= 0.5 && percentile(later, 0.5) <= 0.5);
}

}  // namespace bench_memory
