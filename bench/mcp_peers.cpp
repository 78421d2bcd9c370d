// A tools/call on our server and on servers of the TypeScript SDKs v1 and v2, each a process of its own, taking turns
// within one run: CPU of the server, latency, memory, start. A responder that reads and writes the same bytes and does
// nothing else stands beside them: what it shows is the driver and the machine. Turns waited (how many answers came
// from one of a connection to its next) say without a clock whether a server is fair: at best as many as are in flight.
//
//   mcp_peers --ours PATH [--node PATH --sdk1 FILE --sdk2 FILE] [--calls N] [--rounds N] [--payload BYTES]
//             [--bars no] [--json FILE]
//
// mcp_peers.sh finds the peers that tests/mcp/interop/install.sh installed. Calls are for each level and server; of
// 64 KiB a tenth.

#include "bench_report.hpp"
#include "http_drive.hpp"
#include "peer_process.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <memory>

namespace {

using namespace wherry_bench;

constexpr auto modern = "2026-07-28";
constexpr auto handshake = "2025-11-25";

struct settings {
  std::string ours, node, sdk1, sdk2;
  int calls = 100'000;
  int rounds = 10;
  std::vector<std::size_t> payloads{16, 65'536};
  bool bars = true;  ///< Whether one that does not hold is a failure.
};

/// One server under load.
struct peer {
  std::string label;
  std::vector<std::string> http_command, stdio_command;  ///< "PORT" in the first becomes the port.
  std::string revision;
  bool session = false;  ///< Over HTTP it gives a session that requests must name.
};

std::vector<peer> peers_of(settings const& s) {
  std::vector<peer> all{{"wherry", {s.ours, "--port", "PORT"}, {s.ours, "--stdio"}, modern}};
  if (!s.sdk2.empty()) all.push_back({"sdk2", {s.node, s.sdk2}, {s.node, s.sdk2}, modern});
  if (!s.sdk1.empty()) all.push_back({"sdk1", {s.node, s.sdk1}, {s.node, s.sdk1}, handshake, true});
  return all;
}

std::string params_of(std::string const& revision, std::string const& members) {
  if (revision != modern) return "{" + members + "}";
  return "{" + members + (members.empty() ? "" : ",") +
         R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}})";
}

std::string rpc(int id, std::string const& method, std::string const& params) {
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":")" + method + R"(","params":)" + params + "}";
}

std::string call_of(int id, peer const& p, std::size_t payload) {
  return rpc(id, "tools/call",
             params_of(p.revision, R"("name":"echo","arguments":{"message":")" + std::string(payload, 'x') + "\"}"));
}

std::string hello_of(peer const& p) {
  if (p.revision == modern) return rpc(1, "server/discover", params_of(p.revision, ""));
  return rpc(1, "initialize",
             R"({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}})");
}
constexpr auto initialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

std::string post(peer const& p, std::string const& session, std::string const& method, std::string const& body) {
  std::string fields;
  if (method != "initialize") fields += "MCP-Protocol-Version: " + p.revision + "\r\n";
  if (p.revision == modern) fields += "Mcp-Method: " + method + "\r\n";
  if (p.revision == modern && method == "tools/call") fields += "Mcp-Name: echo\r\n";
  if (!session.empty()) fields += "Mcp-Session-Id: " + session + "\r\n";
  return "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
         "Accept: application/json, text/event-stream\r\n" +
         fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// ---------------------------------------------------------------- HTTP

/// A server that listens, and the session it gave.
struct http_peer {
  std::unique_ptr<peer_process> process;
  std::uint16_t port = 0;
  std::string session;
  double start_ms = 0;
};

std::string header_of(std::string const& answer, std::string name) {
  auto low = answer.substr(0, answer.find("\r\n\r\n"));
  std::ranges::transform(low, low.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  auto const at = low.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  auto const from = at + name.size() + 4;
  return answer.substr(from, answer.find("\r\n", from) - from);
}

http_peer start_http(peer const& p) {
  http_peer out;
  int const reserved = listen_on_loopback(out.port);
  close(reserved);
  auto command = p.http_command;
  for (auto& word : command)
    if (word == "PORT") word = std::to_string(out.port);
  auto const since = std::chrono::steady_clock::now();
  out.process = std::make_unique<peer_process>(command, "PORT=" + std::to_string(out.port));
  auto const method = p.revision == modern ? "server/discover" : "initialize";
  auto const answer = ask_when_there(out.port, post(p, "", method, hello_of(p)));
  out.start_ms = milliseconds_since(since);
  if (p.session) {
    out.session = header_of(answer, "mcp-session-id");
    ask_when_there(out.port, post(p, out.session, "notifications/initialized", initialized));
  }
  return out;
}

// ---------------------------------------------------------------- a level

struct seen {
  double cpu_us = 0, calls = 0, seconds = 0;
  std::vector<double> ms;
  std::vector<double> turns;  ///< See drive(); over HTTP.
  double each() const { return cpu_us / calls; }
};

struct level {
  std::size_t payload;
  int in_flight;
  int calls;
  std::string name(std::string const& transport) const {
    return transport + ", " + std::to_string(payload) + " B, " + std::to_string(in_flight) + " in flight: ";
  }
};

void tell(report& out, std::string const& name, std::string const& who, seen const& s) {
  auto const half = quantile(s.ms, 0.5), late = quantile(s.ms, 0.99);
  out.inform(name + who + ", CPU a call", s.each(), "us");
  out.inform(name + who + ", calls", s.calls / s.seconds, "1/s");
  out.inform(name + who + ", p50", half, "ms");
  out.inform(name + who + ", p99", late, "ms");
  out.inform(name + who + ", p99 / p50", late / half, "x");
  if (!s.turns.empty()) out.inform(name + who + ", p99 of turns waited", quantile(s.turns, 0.99), "");
}

/// The bars of ours, beside the others of the same rounds.
void judge(report& out, bool http, level const& at, std::map<std::string, seen> const& all) {
  auto const name = at.name(http ? "http" : "stdio");
  auto const& ours = all.at("wherry");
  bool const large = at.payload > 1000;
  if (large) out.at_most(name + "CPU a call", ours.each(), "us", 200);
  if (!large && !http) out.at_most(name + "CPU a call", ours.each(), "us", 8);
  if (!large && http && at.in_flight == 16) {
    out.at_most(name + "CPU, beside the bare", ours.each() / all.at("bare").each(), "x", 3.5);
    if (all.contains("sdk2"))
      out.at_least(name + "CPU of sdk2, beside ours", all.at("sdk2").each() / ours.each(), "x", 15);
  } else {
    for (auto const* other : {"bare", "sdk2", "sdk1"})
      if (all.contains(other))
        out.inform(name + "CPU of " + other + ", beside ours", all.at(other).each() / ours.each(), "x");
  }
  if (!large && at.in_flight == 64)
    out.at_most(name + "p99 / p50", quantile(ours.ms, 0.99) / quantile(ours.ms, 0.5), "x", 8);
}

void over_http(report& out, settings const& s, std::vector<peer> const& peers, std::vector<http_peer>& running,
               level const& at) {
  std::map<std::string, seen> all;
  std::vector<std::string> asks;
  std::vector<std::size_t> sizes;
  std::string plain_answer;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    asks.push_back(post(peers[i], running[i].session, "tools/call", call_of(1, peers[i], at.payload)));
    auto const answer = ask_when_there(running[i].port, asks.back());
    if (answer.find(std::string(at.payload, 'x')) == std::string::npos) fail("not an answer", answer);
    if (i == 0) plain_answer = answer;
    sizes.push_back(answer.size());
  }
  bare_process const bare(asks.front().size(), plain_answer);
  auto const once = [&](std::string const& who, pid_t pid, std::uint16_t port, std::string const& ask,
                        std::size_t size) {
    auto& into = all[who];
    int const count = std::max(at.calls / s.rounds, at.in_flight);
    drive(port, at.in_flight, at.in_flight * 4, ask, size);
    double const before = cpu_seconds_of(pid);
    into.seconds += drive(port, at.in_flight, count, ask, size, &into.ms, &into.turns);
    into.cpu_us += (cpu_seconds_of(pid) - before) * 1e6;
    into.calls += count;
  };
  for (int round = 0; round < s.rounds; ++round) {
    once("bare", bare.pid(), bare.port(), asks.front(), plain_answer.size());
    for (std::size_t i = 0; i < peers.size(); ++i)
      once(peers[i].label, running[i].process->pid(), running[i].port, asks[i], sizes[i]);
  }
  for (auto const& [who, what] : all) tell(out, at.name("http"), who, what);
  judge(out, true, at, all);
}

void over_stdio(report& out, settings const& s, std::vector<peer> const& peers,
                std::vector<std::unique_ptr<peer_process>>& running, level const& at) {
  std::map<std::string, seen> all;
  for (int round = 0; round < s.rounds; ++round)
    for (std::size_t i = 0; i < peers.size(); ++i) {
      auto& into = all[peers[i].label];
      int const count = std::max(at.calls / s.rounds, at.in_flight);
      auto const ask = [&](int id) { return call_of(id, peers[i], at.payload); };
      running[i]->exchange(ask, at.in_flight, at.in_flight * 4);
      double const before = cpu_seconds_of(running[i]->pid());
      into.seconds += running[i]->exchange(ask, at.in_flight, count, &into.ms);
      into.cpu_us += (cpu_seconds_of(running[i]->pid()) - before) * 1e6;
      into.calls += count;
    }
  for (auto const& [who, what] : all) tell(out, at.name("stdio"), who, what);
  judge(out, false, at, all);
}

constexpr int starts = 7;

void starts_over_http(report& out, std::vector<peer> const& peers) {
  std::map<std::string, std::vector<double>> ms;
  for (int i = 0; i < starts; ++i)
    for (auto const& p : peers) ms[p.label].push_back(start_http(p).start_ms);
  for (auto const& p : peers) {
    auto const half = quantile(ms[p.label], 0.5);
    if (p.label == "wherry")
      out.at_most("http, start to first answer, median", half, "ms", 20);
    else
      out.inform("http, start to first answer, median, " + p.label, half, "ms");
  }
}

std::vector<level> levels_of(settings const& s) {
  std::vector<level> all;
  for (auto const payload : s.payloads)
    for (int const in_flight : {1, 16, 64})
      all.push_back({payload, in_flight, payload > 1000 ? std::max(s.calls / 10, s.rounds) : s.calls});
  return all;
}

void memory(report& out, std::string const& what, peer const& p, double mib, double bar) {
  if (p.label == "wherry")
    out.at_most(what, mib, "MiB", bar);
  else
    out.inform(what + ", " + p.label, mib, "MiB");
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  settings s;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view const word = argv[i];
    std::string const value = argv[i + 1];
    if (word == "--ours") s.ours = value;
    if (word == "--node") s.node = value;
    if (word == "--sdk1") s.sdk1 = value;
    if (word == "--sdk2") s.sdk2 = value;
    if (word == "--payload") s.payloads = {std::strtoull(value.c_str(), nullptr, 10)};
    if (word == "--bars") s.bars = value != "no";
    if (word == "--calls") s.calls = std::max(1, std::atoi(value.c_str()));
    if (word == "--rounds") s.rounds = std::max(1, std::atoi(value.c_str()));
  }
  if (s.ours.empty()) {
    std::fprintf(stderr,
                 "usage: mcp_peers --ours PATH [--node PATH --sdk1 FILE --sdk2 FILE] [--calls N] [--rounds N]\n");
    return 2;
  }
  report out("tools/call on servers in turns, " + std::to_string(s.calls) + " calls a level", argc, argv);
  auto const peers = peers_of(s);
  starts_over_http(out, peers);
  {
    std::vector<http_peer> running;
    for (auto const& p : peers) running.push_back(start_http(p));
    for (std::size_t i = 0; i < peers.size(); ++i)
      memory(out, "http, memory idle", peers[i], resident_mib(running[i].process->pid()), 15);
    for (auto const& at : levels_of(s)) {
      over_http(out, s, peers, running, at);
      if (at.payload < 1000 && at.in_flight == 64)
        for (std::size_t i = 0; i < peers.size(); ++i)
          memory(out, "http, most memory under 64 in flight", peers[i], resident_max_mib(running[i].process->pid()),
                 40);
    }
    for (std::size_t i = 0; i < peers.size(); ++i)
      out.inform("http, most memory with 64 KiB, " + peers[i].label, resident_max_mib(running[i].process->pid()),
                 "MiB");
  }
  std::vector<std::unique_ptr<peer_process>> running;
  for (auto const& p : peers) {
    running.push_back(std::make_unique<peer_process>(p.stdio_command, "", true));
    running.back()->exchange(
        [&](int id) {
          return rpc(
              id, p.revision == modern ? "server/discover" : "initialize",
              p.revision == modern
                  ? params_of(p.revision, "")
                  : R"({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}})");
        },
        1, 1);
    if (p.revision != modern) running.back()->say(initialized);
    memory(out, "stdio, memory idle", p, resident_mib(running.back()->pid()), 15);
  }
  for (auto const& at : levels_of(s)) {
    over_stdio(out, s, peers, running, at);
    if (at.payload < 1000 && at.in_flight == 64)
      for (std::size_t i = 0; i < peers.size(); ++i)
        memory(out, "stdio, most memory under 64 in flight", peers[i], resident_max_mib(running[i]->pid()), 40);
  }
  int const status = out.finish();
  return s.bars ? status : 0;
}
