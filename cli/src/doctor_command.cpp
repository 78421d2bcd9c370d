#include "commands.hpp"
#include "event_printer.hpp"
#include "model_choice.hpp"
#include "outcome.hpp"
#include "store_place.hpp"
#include "version.hpp"

#include <wherry/llm/kernels.hpp>

#include <unistd.h>

#include <fstream>
#include <thread>

namespace wherry::cli {
namespace {

enum class verdict { fine, note, broken };
char const* to_word(verdict v) noexcept { return v == verdict::fine ? "ok" : v == verdict::note ? "note" : "failed"; }

struct finding {
  std::string subject;
  verdict how = verdict::fine;
  std::string text;
};

finding look_at_processor() {
  std::string sets;
  for (auto const set : {kernel_set::scalar, kernel_set::avx2, kernel_set::avx512})
    if (cpu_supports(set)) sets += (sets.empty() ? "" : ", ") + std::string(to_string(set));
  return {"processor", verdict::fine,
          std::to_string(std::thread::hardware_concurrency()) + " cores; kernel sets: " + sets};
}

// MemAvailable of /proc/meminfo is in KiB; 0 when it cannot be read.
std::size_t free_memory_bytes() {
  std::ifstream in("/proc/meminfo");
  for (std::string name, unit; in >> name;) {
    std::size_t value = 0;
    in >> value;
    std::getline(in, unit);
    if (name == "MemAvailable:") return value * 1024;
  }
  return 0;
}

finding look_at_memory() {
  auto const bytes = free_memory_bytes();
  if (bytes == 0) return {"memory", verdict::note, "free memory is unknown (/proc/meminfo cannot be read)"};
  return {"memory", verdict::fine,
          bytes_text(bytes) + " free; keys and values may take " + bytes_text(bytes / 2) + " (--kv-bytes changes it)"};
}

std::vector<finding> look_at_model(model_settings const& given) {
  auto const choice = choose_model(given);
  auto const random = choice.source == model_source::random;
  std::vector<finding> found{{"model", random ? verdict::note : verdict::fine, describe_choice(choice)}};
  auto const loaded = load_model(given, true);
  if (!loaded) {
    found.push_back({"loading", verdict::broken, loaded.error().message});
    return found;
  }
  auto const& d = loaded->description();
  found.push_back({"loading", verdict::fine,
                   d.architecture + ", " + d.quantisation + ", " + context_text(d) + "; " + d.kernels + ", " +
                       std::to_string(d.threads) + (d.threads == 1 ? " thread" : " threads")});
  for (auto const& n : d.notices) found.push_back({"model", verdict::note, n.feature + ": " + n.effect});
  return found;
}

// Whether a session could be kept; nothing is written.
finding look_at_store(store_settings const& given) {
  auto const path = store_path(given);
  auto const scope = open_scope(given, access::read);
  if (scope) {
    auto const all = scope->sessions();
    if (!all) return {"store", verdict::broken, path.string() + ": " + all.error().message};
    return {"store", verdict::fine, path.string() + "; " + std::to_string(all->size()) + " sessions of " + given.scope};
  }
  if (!scope.error().is(errc::not_found)) return {"store", verdict::broken, scope.error().message};
  auto existing = path;
  while (!existing.empty() && !std::filesystem::exists(existing) && existing.has_relative_path())
    existing = existing.parent_path();
  if (existing.empty()) existing = ".";
  if (::access(existing.c_str(), W_OK) != 0)
    return {"store", verdict::broken,
            path.string() + " does not exist and " + existing.string() + " is not writable; use --store DIR"};
  return {"store", verdict::fine, path.string() + " will be made by the first chat"};
}

finding look_at_terminal() {
  bool const colour = styled_output(style::bold, "x") != "x";
  return {"terminal", verdict::fine,
          std::string(output_is_terminal() ? "a terminal" : "not a terminal") + (colour ? ", colour" : ", no colour")};
}

}  // namespace

int doctor_command(settings const& given) {
  std::vector<finding> findings{
      {"version", verdict::fine, "wherry " + std::string(version_text)}, look_at_processor(), look_at_memory()};
  for (auto& f : look_at_model(given.model)) findings.push_back(std::move(f));
  findings.push_back(look_at_store(given.store));
  findings.push_back(look_at_terminal());

  bool broken = false;
  json list = json::array();
  for (auto const& f : findings) {
    broken = broken || f.how == verdict::broken;
    if (given.output.as_json) {
      list.push_back({{"subject", f.subject}, {"verdict", to_word(f.how)}, {"text", f.text}});
    } else {
      std::string left = std::string(to_word(f.how)) + "      ";
      left.resize(8);
      std::string subject = f.subject;
      subject.resize(11, ' ');
      put_raw(styled_output(f.how == verdict::fine ? style::plain : style::warning, left) + subject + harmless(f.text) +
              '\n');
    }
  }
  if (given.output.as_json) {
    json j;
    j["ok"] = !broken;
    j["findings"] = std::move(list);
    put_raw(to_text(j) + '\n');
  }
  return broken ? exit_failed : exit_ok;
}

}  // namespace wherry::cli
