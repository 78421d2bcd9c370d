#include <wherry/core/json.hpp>
#include <wherry/core/text.hpp>
#include <wherry/mcp/json_rpc.hpp>
#include <wherry/mcp/revision.hpp>

#include "json_view.hpp"
#include "shared_data.hpp"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace wherry;
using namespace wherry::mcp;
namespace view = wherry::mcp::detail;

namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

bool is_json(std::string_view text) { return !view::check_json(text, message_depth_max); }

std::string contents(std::filesystem::path const& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

}  // namespace

TEST_CASE("a checked text is JSON, and what is not JSON is found where it breaks", "[mcp]") {
  for (auto const* good : {"{}", " [1, -0.5e+3, true, null, \"a\\u00e9\\ud83d\\ude00\"] ", "\"\xC3\xA9\"", "0",
                           R"({"a":{"b":[]},"a ":1})"})
    CHECK(is_json(good));
  struct {
    char const* text;
    std::size_t at;
  } const bad[] = {{"", 0},
                   {"{", 1},
                   {"[1,]", 3},
                   {"{\"a\" 1}", 5},
                   {"01", 1},
                   {"\"\x01\"", 1},
                   {"\"\xC3\"", 1},
                   {"tru", 0},
                   {"[1 2]", 3},
                   {"1.", 2},
                   {"{\"a\":1,}", 7},
                   {"\"\\ud800\"", 1},
                   {"\"\\udc00x\"", 1},
                   {"\"\\x\"", 1},
                   {"[}", 1},
                   {"{} {}", 3},
                   {"-", 1},
                   {"\"\xED\xA0\x80\"", 1}};
  for (auto const& [text, at] : bad) {
    auto const fault = view::check_json(text, message_depth_max);
    INFO(text);
    REQUIRE(fault);
    CHECK(fault.at == at);
  }
  CHECK(is_json(nested(message_depth_max)));
  CHECK_FALSE(is_json(nested(message_depth_max + 1)));
  CHECK_FALSE(is_json(nested(100'000)));
}

TEST_CASE("the JSON test suite is judged as it wants to be judged", "[golden]") {
  std::size_t seen = 0;
  for (auto const& entry :
       std::filesystem::directory_iterator(wherry_test::shared("data/jsontestsuite/test_parsing"))) {
    auto const name = entry.path().filename().string();
    if (entry.path().extension() != ".json" || (name[0] != 'y' && name[0] != 'n')) continue;
    ++seen;
    INFO(name);
    CHECK(is_json(contents(entry.path())) == (name[0] == 'y'));
  }
  CHECK(seen > 0);
}

TEST_CASE("members are views of the text, and escapes in keys and values are resolved", "[mcp]") {
  std::string_view const text = R"({ "a" : [1, {"x":"}]"}], "m\u0065" :"q\"\n\u00e9\ud83d\ude00", "n":-12 })";
  REQUIRE(is_json(text));
  CHECK(view::member(text, "a") == R"([1, {"x":"}]"}])");
  CHECK(view::string_member(text, "me") == "q\"\n\xC3\xA9\xF0\x9F\x98\x80");
  CHECK(view::integer_member(text, "n") == -12);
  CHECK(view::member(text, "absent").empty());
  std::vector<std::string> items;
  view::each_item(view::member(text, "a"), [&](std::string_view item) { return items.emplace_back(item), true; });
  CHECK(items == std::vector<std::string>{"1", R"({"x":"}]"})"});
}

TEST_CASE("a string is written as the JSON library of the ground writes it", "[mcp]") {
  for (std::string text :
       {"", "plain", "quote \" slash \\ tab \t bell \x07", "\xC3\xA9\xF0\x9F\x98\x80 and more than sixteen bytes",
        "broken \xFF\xC3 here", "a much longer run of plain text without anything to escape in it\n"}) {
    std::string out;
    view::append_string(out, text);
    CHECK(out == to_text(json(utf8_repaired(text))));
  }
}

TEST_CASE("a message is read into its parts", "[mcp]") {
  std::string const call = R"({"jsonrpc":"2.0","id":"a1","method":"tools/call","params":{"name":"x"},"extra":[1]})";
  auto const request = read_rpc(call);
  REQUIRE(request.has_value());
  CHECK(request->kind == rpc_message::kind_type::request);
  CHECK(request->id == "\"a1\"");
  CHECK(request->method == "tools/call");
  CHECK(request->params == R"({"name":"x"})");

  auto const note = read_rpc(R"({"method":"notifications/initialized","jsonrpc":"2.0"})");
  REQUIRE(note.has_value());
  CHECK(note->kind == rpc_message::kind_type::notification);
  CHECK(note->params == "{}");

  auto const answer = read_rpc(R"({"jsonrpc":"2.0","id":7,"result":{}})");
  REQUIRE(answer.has_value());
  CHECK(answer->kind == rpc_message::kind_type::result);
  CHECK(answer->id == "7");

  auto const failure = read_rpc(R"({"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}})");
  REQUIRE(failure.has_value());
  CHECK(failure->kind == rpc_message::kind_type::error);
}

TEST_CASE("what is no message is refused with a code, a reason and the id where it could be read", "[mcp]") {
  struct {
    char const* text;
    int code;
    char const* id;
  } const bad[] = {
      {"{", rpc_code::parse_error, ""},
      {"[]", rpc_code::invalid_request, ""},
      {"1", rpc_code::invalid_request, ""},
      {R"({"id":1,"method":"x"})", rpc_code::invalid_request, "1"},
      {R"({"jsonrpc":"1.0","id":1,"method":"x"})", rpc_code::invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":1.5,"method":"x"})", rpc_code::invalid_request, ""},
      {R"({"jsonrpc":"2.0","id":null,"method":"x"})", rpc_code::invalid_request, ""},
      {R"({"jsonrpc":"2.0","id":1,"method":5})", rpc_code::invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":1,"method":"x","params":[]})", rpc_code::invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":1,"id":2,"method":"x"})", rpc_code::invalid_request, "2"},
      {R"({"jsonrpc":"2.0","id":1})", rpc_code::invalid_request, "1"},
      {R"({"jsonrpc":"2.0","id":1,"result":{},"error":{}})", rpc_code::invalid_request, "1"},
      {R"({"jsonrpc":"2.0","result":{}})", rpc_code::invalid_request, ""},
      {R"({"jsonrpc":"2.0","id":1,"result":[]})", rpc_code::invalid_request, "1"},
  };
  for (auto const& [text, code, id] : bad) {
    INFO(text);
    auto const read = read_rpc(text);
    REQUIRE_FALSE(read.has_value());
    CHECK(read.error().code == code);
    CHECK(read.error().id == id);
    CHECK_FALSE(read.error().message.empty());
  }
}

TEST_CASE("written messages read back", "[mcp]") {
  auto const request = rpc_request("3", "ping", "{}");
  CHECK(read_rpc(request)->method == "ping");
  auto const failure = rpc_error("3", rpc_code::invalid_params, "no \"such\" thing", R"({"uri":"x"})");
  auto const read = read_rpc(failure);
  REQUIRE(read.has_value());
  CHECK(view::string_member(read->payload, "message") == "no \"such\" thing");
  CHECK(view::member(read->payload, "data") == R"({"uri":"x"})");
  CHECK(read_rpc(rpc_notification("n", ""))->kind == rpc_message::kind_type::notification);
  CHECK(read_rpc(rpc_result("\"q\"", R"({"a":1})"))->payload == R"({"a":1})");
}

TEST_CASE("revisions are found by name, newest first", "[mcp]") {
  CHECK(revisions().front().name == "2026-07-28");
  CHECK(newest_stateless().stateless);
  CHECK(newest_handshake().name == "2025-11-25");
  CHECK(find_revision("2024-11-05"));
  CHECK_FALSE(find_revision("2023-01-01"));
}
