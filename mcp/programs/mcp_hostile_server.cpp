// A stdio server that misbehaves as it is told: what a client must survive. Speaks 2026-07-28 as far as the tests need
// it.
//
//   mcp_hostile_server      a call of the tool "good" is answered; of any other, that misfortune happens
//     --handshake           speaks 2025-11-25 instead, and nothing before it was initialized
//     --starts FILE         counts its starts in FILE, one byte each
//     --changes             describes its tools by that count
//     --promises            also lists tools with an output schema that their results do not keep to
//     --fails-from N        ends at once from its start number N on
//
// Plain C++, so that it cannot fail in the ways it is there to test.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>

#include <unistd.h>

namespace {

std::string between(std::string_view text, std::string_view before, std::string_view after) {
  auto const from = text.find(before);
  if (from == std::string_view::npos) return {};
  auto const rest = text.substr(from + before.size());
  return std::string(rest.substr(0, rest.find_first_of(after)));
}

void put(std::string_view bytes) {
  while (!bytes.empty()) {
    auto const n = ::write(1, bytes.data(), bytes.size());
    if (n <= 0) std::_Exit(0);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::string answer(std::string const& id) {
  return R"({"jsonrpc":"2.0","id":)" + id +
         R"(,"result":{"content":[{"type":"text","text":"good"}],"resultType":"complete","_meta":{}}})";
}

std::string reply(std::string const& id, std::string const& result) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + result + "}\n";
}

struct manners {
  bool handshake = false, changes = false, promises = false;
  std::uintmax_t start = 1, fails_from = 1'000'000;

  manners(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      std::string_view const word = argv[i];
      if (word == "--handshake") handshake = true;
      if (word == "--changes") changes = true;
      if (word == "--promises") promises = true;
      if (word == "--starts" && i + 1 < argc) {
        std::string const file = argv[++i];
        std::ofstream(file, std::ios::app) << 'x';
        start = std::filesystem::file_size(file);
      }
      if (word == "--fails-from" && i + 1 < argc) fails_from = std::strtoull(argv[++i], nullptr, 10);
    }
  }
};

/// What is no call of a tool. True when it was answered.
bool answer_plain(manners const& m, std::string const& line, std::string const& id, bool& begun, int& watched) {
  auto const method = between(line, R"("method":")", "\"");
  if (id.empty()) {
    begun = begun || method == "notifications/initialized";
    return true;
  }
  if (m.handshake && method == "initialize") {
    put(reply(
        id,
        R"({"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"hostile","version":"1"}})"));
  } else if (m.handshake && !begun) {
    put(R"({"jsonrpc":"2.0","id":)" + id + R"(,"error":{"code":-32601,"message":"not initialized"}})" + "\n");
  } else if (!m.handshake && method == "server/discover") {
    put(reply(id, R"({"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}})"));
  } else if (method == "tools/list") {
    auto const about = m.changes ? "start " + std::to_string(m.start) : std::string("always the same");
    std::string tools;
    for (auto const* name : {"good", "dies"})
      tools += std::string(tools.empty() ? "" : ",") + R"({"name":")" + name + R"(","description":")" + about +
               R"(","inputSchema":{"type":"object"}})";
    if (m.promises)
      for (auto const* name : {"misfit", "no_value"})
        tools +=
            R"(,{"name":")" + std::string(name) +
            R"(","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"n":{"type":"integer"}}}})";
    put(reply(id, R"({"resultType":"complete","ttlMs":600000,"tools":[)" + tools + "]}"));
  } else if (method == "resources/subscribe" || method == "subscriptions/listen") {
    ++watched;
    if (m.handshake) put(reply(id, "{}"));
  } else {
    return method != "tools/call";
  }
  return true;
}

[[noreturn]] void sleep_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  manners const m(argc, argv);
  if (m.start >= m.fails_from) {
    std::cerr << "no start any more\n";
    return 4;
  }
  bool begun = false;
  int watched = 0;
  for (std::string line; std::getline(std::cin, line);) {
    auto const id = between(line, R"("id":)", ",}");
    if (answer_plain(m, line, id, begun, watched)) continue;
    auto const tool = between(line, R"("name":")", "\"");
    if (tool == "good" || tool == "no_value") {
      put(answer(id) + "\n");
    } else if (tool == "misfit") {
      put(reply(id, R"({"resultType":"complete","content":[],"structuredContent":{"n":"three"}})"));
    } else if (tool == "watched") {
      put(reply(
          id, R"({"resultType":"complete","content":[{"type":"text","text":")" + std::to_string(watched) + R"("}]})"));
    } else if (tool == "silent") {
      continue;
    } else if (tool == "stops_reading") {
      sleep_for_ever();
    } else if (tool == "trickles") {
      for (char const c : answer(id)) {
        put({&c, 1});
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      sleep_for_ever();
    } else if (tool == "dies") {
      put(answer(id).substr(0, 40));
      std::cerr << "out of luck\n";
      return 3;
    } else if (tool == "gibibyte") {
      std::string const block(1u << 20, 'x');
      for (int i = 0; i < 1024; ++i) put(block);
    } else if (tool == "nested") {
      put(R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":)" + std::string(100'000, '[') + std::string(100'000, ']') +
          "}\n");
    } else if (tool == "noise") {
      put("Server ready!\n\n{\n\xff\xfe\n" + answer(id) + "\n");
    } else if (tool == "stranger") {
      put(answer("\"nobody\"") + "\n" + R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"?"}})" + "\n");
    } else if (tool == "asks_for_ever") {
      put(R"({"jsonrpc":"2.0","id":)" + id +
          R"(,"result":{"resultType":"input_required","inputRequests":{},"requestState":"s"}})" + "\n");
      std::this_thread::sleep_for(std::chrono::milliseconds(60));
    }
  }
}
