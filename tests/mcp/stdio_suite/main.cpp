// A conformance suite for MCP servers on standard input and output, both eras. (The official suite speaks HTTP only.)
//
//   mcp_stdio_suite [--era handshake|stateless] [--only NAME]... [--need-all] -- COMMAND...
//   mcp_stdio_suite --list
//
// COMMAND is started anew for each scenario. Scenarios that need a tool, prompt or resource that the server lacks are
// skipped; their names are those of the official suite's fixtures, and `echo {message}`, `add {a,b}` -> {sum}.
// Exit status: 0 when all that was played holds; 1 otherwise, and with --need-all when something was skipped; 2 for
// wrong usage.

#include "dialogue.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>

namespace {

using namespace stdio_suite;

struct outcome {
  int held = 0, failed = 0, skipped = 0;
};

void play(scenario const& s, era in, std::span<std::string const> command, outcome& sum) {
  auto const* const where = in == era::handshake ? "handshake" : "stateless";
  auto const say = [&](char const* word, std::string const& why) {
    std::printf("%-5s %-9s  %-28s %s\n", word, where, std::string(s.name).c_str(), why.c_str());
    std::fflush(stdout);
  };
  try {
    dialogue d(command, in);
    if (s.begun) d.begin();
    s.play(d);
    ++sum.held;
    say("ok", std::string(s.promise));
  } catch (skipped const& why) {
    ++sum.skipped;
    say("SKIP", why.why);
  } catch (failure const& why) {
    ++sum.failed;
    say("FAIL", std::string(s.promise) + "\n      " + why.why);
  } catch (wherry::json::exception const& e) {
    ++sum.failed;
    say("FAIL", std::string(s.promise) + "\n      an answer has another form than it should: " + e.what());
  }
}

int usage() {
  std::fputs(
      "usage: mcp_stdio_suite [--era handshake|stateless] [--only NAME]... [--need-all] -- COMMAND...\n"
      "       mcp_stdio_suite --list\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> only, command;
  std::optional<era> chosen;
  bool list = false, need_all = false;
  for (int i = 1; i < argc; ++i) {
    std::string const word = argv[i];
    if (word == "--") {
      command.assign(argv + i + 1, argv + argc);
      break;
    }
    if (word == "--list") {
      list = true;
    } else if (word == "--need-all") {
      need_all = true;
    } else if (word == "--only" && i + 1 < argc) {
      only.emplace_back(argv[++i]);
    } else if (word == "--era" && i + 1 < argc) {
      std::string const name = argv[++i];
      if (name != "handshake" && name != "stateless") return usage();
      chosen = name == "handshake" ? era::handshake : era::stateless;
    } else {
      return usage();
    }
  }
  if (!list && command.empty()) return usage();
  outcome sum;
  for (auto const& group : {lifecycle_scenarios(), framing_scenarios(), feature_scenarios(), asking_scenarios()}) {
    for (auto const& s : group) {
      if (!only.empty() && std::ranges::find(only, s.name) == only.end()) continue;
      if (list) {
        std::printf("%-28s %-9s %-9s %s\n", std::string(s.name).c_str(), s.handshake ? "handshake" : "",
                    s.stateless ? "stateless" : "", std::string(s.promise).c_str());
        continue;
      }
      if (s.handshake && chosen != era::stateless) play(s, era::handshake, command, sum);
      if (s.stateless && chosen != era::handshake) play(s, era::stateless, command, sum);
    }
  }
  if (list) return 0;
  std::printf("%d hold, %d do not, %d skipped\n", sum.held, sum.failed, sum.skipped);
  return sum.failed > 0 || sum.held == 0 || (need_all && sum.skipped > 0) ? 1 : 0;
}
