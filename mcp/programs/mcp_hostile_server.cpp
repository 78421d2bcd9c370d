// A stdio server that misbehaves as it is told: what a client must survive. Speaks 2026-07-28 as far as the tests need
// it.
//
//   mcp_hostile_server      a call of the tool "good" is answered; of any other, that misfortune happens
//
// Plain C++, so that it cannot fail in the ways it is there to test.

#include <algorithm>
#include <chrono>
#include <cstdlib>
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

[[noreturn]] void sleep_for_ever() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    auto const id = between(line, R"("id":)", ",}");
    auto const tool = between(line, R"("name":")", "\"");
    if (line.find(R"("method":"tools/call")") == std::string::npos) continue;
    if (tool == "good") {
      put(answer(id) + "\n");
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
