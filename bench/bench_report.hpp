#pragma once
// What every benchmark prints: a table for people, and rows for machines with --json FILE. The exit status is 1 when a
// bar does not hold.

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace wherry_bench {

/// User and system seconds of this process so far.
inline double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  auto const s = [](timeval const& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return s(u.ru_utime) + s(u.ru_stime);
}

/// The q-quantile (0.5: median) of some measurements.
inline double quantile(std::vector<double> values, double q) {
  if (values.empty()) return 0;
  auto const at = static_cast<std::size_t>(q * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

struct row {
  std::string name;
  double value = 0;
  std::string unit;
  std::string reference;  ///< What it is compared with.
  double ratio = 0;       ///< value / bar, where there is a bar.
  double bar = 0;         ///< 0: none, the row only informs.
  bool holds = true;
};

class report {
 public:
  report(std::string title, int argc, char** argv) : title_(std::move(title)) {
    for (int i = 1; i + 1 < argc; ++i)
      if (std::strcmp(argv[i], "--json") == 0) json_file_ = argv[i + 1];
  }

  /// A value that must not exceed its bar.
  void at_most(std::string name, double value, std::string unit, double bar, std::string reference = "bar") {
    rows_.push_back({std::move(name), value, std::move(unit), std::move(reference), value / bar, bar, value <= bar});
  }
  /// A value that must reach its bar.
  void at_least(std::string name, double value, std::string unit, double bar, std::string reference = "bar") {
    rows_.push_back({std::move(name), value, std::move(unit), std::move(reference), value / bar, bar, value >= bar});
  }
  void inform(std::string name, double value, std::string unit, std::string reference = {}) {
    rows_.push_back({std::move(name), value, std::move(unit), std::move(reference)});
  }

  /// Prints and writes everything. Returns: the exit status.
  int finish() const {
    std::printf("%s\n%-52s %12s %-8s %10s %s\n", title_.c_str(), "", "value", "unit", "bar", "");
    bool all = true;
    for (auto const& r : rows_) {
      all = all && r.holds;
      std::printf("%-52s %12.3f %-8s ", r.name.c_str(), r.value, r.unit.c_str());
      if (r.bar > 0)
        std::printf("%10.3f %s\n", r.bar, r.holds ? "holds" : "DOES NOT HOLD");
      else
        std::printf("%10s %s\n", "", r.reference.c_str());
    }
    if (!json_file_.empty()) {
      std::ofstream out(json_file_);
      out << "[";
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        auto const& r = rows_[i];
        out << (i ? ",\n " : "\n ") << "{\"name\":\"" << r.name << "\",\"value\":" << r.value << ",\"unit\":\""
            << r.unit << "\",\"reference\":\"" << r.reference << "\",\"ratio\":" << r.ratio << ",\"bar\":" << r.bar
            << ",\"holds\":" << (r.holds ? "true" : "false") << "}";
      }
      out << "\n]\n";
    }
    return all ? 0 : 1;
  }

 private:
  std::string title_;
  std::string json_file_;
  std::vector<row> rows_;
};

}  // namespace wherry_bench
