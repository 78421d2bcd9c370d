#pragma once
// The parts of bench_memory. Each prints its numbers and bars and returns whether all bars held.

#include <wherry/memory/recall.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace bench_memory {

struct quality_options {
  std::string only = {};  ///< One data set, else all.
  wherry::text_tuning tuning = {};
  wherry::recall_boosts boosts = {};
  wherry::recall_weights weights = {};
  wherry::recall_options models = {};  ///< With an embedder, records get vectors before questions are asked.
};
bool quality(std::filesystem::path const& directory, quality_options const& o);

bool durability(std::filesystem::path const& directory);

struct speed_options {
  std::string only = {};  ///< recall, graph or open; else all.
  std::size_t vectors = 100'000;
  std::size_t records = 1'000'000;  ///< Of the store that is opened.
};
bool speed(std::filesystem::path const& directory, speed_options const& o);
bool graph_speed(std::filesystem::path const& directory, std::size_t count);
bool open_speed(std::filesystem::path const& directory, std::size_t count);

/// Resident memory and disk of so many records.
bool size(std::filesystem::path const& directory, std::size_t count);

inline bool verdict(bool held) {
  std::printf("  %s\n", held ? "holds" : "DOES NOT HOLD");
  return held;
}
inline bool missing(std::filesystem::path const& path) {
  std::printf("not measured: %s is missing (set WHERRY_SHARED)\n", path.c_str());
  return false;
}

}  // namespace bench_memory
