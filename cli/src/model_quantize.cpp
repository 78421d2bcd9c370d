#include "commands.hpp"
#include "interrupt.hpp"
#include "outcome.hpp"
#include "terminal.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/quantize.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

namespace wherry::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

// How far it is, on standard error: nothing for two seconds, then a line that is written over on a terminal, and one
// every ten seconds elsewhere.
class progress_line {
 public:
  void show(quantize_progress const& p) {
    auto const now = steady::now();
    if (now < next_) return;
    bool const terminal = notes_are_terminal();
    next_ = now + (terminal ? 200ms : 10s);
    shown_ = true;
    double const share =
        static_cast<double>(p.weights_done) / static_cast<double>(std::max<std::uint64_t>(p.weights_total, 1));
    std::string text =
        "wherry: " + std::to_string(static_cast<int>(100 * share)) + " % written, " + std::string(p.tensor);
    if (share > 0) {
      auto const left = std::chrono::round<std::chrono::seconds>((now - since_) * ((1 - share) / share));
      text += ", " + std::to_string(left.count()) + " s left";
    }
    if (!terminal) return say(harmless(text));
    auto line = one_line(text, terminal_columns() - 1);
    line.resize(std::max(line.size(), terminal_columns() - 1), ' ');
    say_part("\r" + line);
  }
  ~progress_line() {
    if (shown_ && notes_are_terminal()) say_part("\r" + std::string(terminal_columns() - 1, ' ') + "\r");
  }

 private:
  steady::time_point const since_ = steady::now();
  steady::time_point next_ = since_ + 2s;
  bool shown_ = false;
};

double bits_per_weight(quantize_report const& r) {
  return 8 * static_cast<double>(r.bytes_after) / static_cast<double>(std::max<std::uint64_t>(r.weights, 1));
}

json report_json(quantize_settings const& given, quantize_report const& r) {
  json j;
  j["file"] = given.to;
  j["bytes_before"] = r.bytes_before;
  j["bytes_after"] = r.bytes_after;
  j["weights"] = r.weights;
  j["bits_per_weight"] = bits_per_weight(r);
  for (auto const& [type, count] : r.tensors) j["tensors"][type] = count;
  j["narrow"] = r.narrow;
  return j;
}

void show_report(quantize_settings const& given, quantize_report const& r) {
  std::string types;
  for (auto const& [type, count] : r.tensors) types += (types.empty() ? "" : ", ") + std::to_string(count) + " " + type;
  put(given.to + ": " + bytes_text(r.bytes_before) + " of weights became " + bytes_text(r.bytes_after) + ", " +
      tenths(bits_per_weight(r)) + " bits each\n" + "tensors: " + types + '\n');
  if (r.narrow > 0)
    put(std::to_string(r.narrow) + (r.narrow == 1 ? " matrix has" : " matrices have") +
        " rows that are no multiple of the type's block and took another type\n");
}

}  // namespace

int model_quantize_command(settings const& given) {
  auto const& wanted = given.quantize;
  std::atomic<bool> stopped{false};
  std::optional<result<quantize_report>> made;
  {
    interrupt_guard const guard([&] { stopped = true; });
    progress_line line;
    quantize_options options;
    options.requantize = wanted.requantize;
    options.threads = static_cast<unsigned>(given.model.threads);
    options.progress = [&](quantize_progress const& p) {
      line.show(p);
      return !stopped;
    };
    made = quantize_model(given.file, wanted.to, wanted.type, options);
  }
  if (!*made) return report(made->error(), given.output.as_json);
  if (given.output.as_json)
    put_raw(to_text(report_json(wanted, **made)) + '\n');
  else
    show_report(wanted, **made);
  return exit_ok;
}

}  // namespace wherry::cli
