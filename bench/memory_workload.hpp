#pragma once
// What the measurements of the memory write and ask: texts with words by Zipf's law, vectors around a few centres. All
// is a function of a number.

#include <wherry/core/random.hpp>

#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace bench_memory {

inline constexpr std::size_t width = 384;
inline constexpr std::size_t vocabulary = 20'000;
inline constexpr std::size_t words_per_record = 60;  // about 400 bytes

inline std::string word(std::uint64_t place, std::uint32_t lane) {
  auto const rank = std::pow(static_cast<double>(vocabulary), wherry::uniform({.run = place}, lane));
  std::string out;
  for (auto n = static_cast<std::size_t>(rank); n > 0; n /= 20) out += "bcdfghklmnprstvwaeio"[n % 20];
  return out + "q";
}

inline std::string text_of(std::uint64_t number) {
  std::string out;
  for (std::uint32_t i = 0; i < words_per_record; ++i) (out += word(number, i)) += ' ';
  return out;
}

/// Around 50 centres, as texts of a few themes are.
inline std::vector<float> vector_of(std::uint64_t number) {
  std::vector<float> out(width);
  for (std::uint32_t i = 0; i < width; ++i)
    out[i] = static_cast<float>(wherry::uniform({.run = 7'000'000 + number % 50}, i) - 0.5 +
                                0.8 * (wherry::uniform({.run = 9'000'000 + number}, i) - 0.5));
  return out;
}

inline double percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(p * static_cast<double>(values.size() - 1))];
}

inline std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Seconds since it was made: of the clock on the wall, and of this process on all its threads.
class stopwatch {
 public:
  double wall() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count(); }
  double cpu() const { return cpu_now() - cpu_; }

 private:
  static double cpu_now() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    auto const seconds = [](timeval const& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
  }

  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_now();
};

}  // namespace bench_memory
