// Lines, JSON and JSON-RPC: what a server makes of bytes, well-formed or not.

#include "dialogue.hpp"

#include <set>

namespace stdio_suite {
namespace {

/// The connection still works.
void goes_on(dialogue& d) { d.result("tools/list"); }

json error_without_id(dialogue& d) {
  auto const answer = d.server.next();
  require(answer.contains("error"), "an error should come: " + wherry::to_text(answer));
  require(!answer.contains("id") || answer["id"].is_null(), "an error about no request has no id");
  return answer["error"];
}

void broken_json(dialogue& d) {
  for (auto const* line : {"{\"jsonrpc\":\"2.0\",\"id\":1,", "nonsense", "{\"a\":\"\xff\"}", "\x01\x02"}) {
    d.server.write(std::string(line) + "\n");
    require(error_without_id(d)["code"] == -32700, "text that is no JSON should be -32700");
  }
  goes_on(d);
}

void no_message(dialogue& d) {
  for (auto const* line : {"{}", "[]", "1", "{\"foo\":1}", "{\"jsonrpc\":\"1.0\",\"method\":\"tools/list\"}"}) {
    d.server.write(std::string(line) + "\n");
    require(error_without_id(d)["code"] == -32600, std::string("should be -32600: ") + line);
  }
  goes_on(d);
}

void batch(dialogue& d) {
  d.server.write("[" + wherry::to_text(d.request("a", "tools/list")) + "," +
                 wherry::to_text(d.request("b", "tools/list")) + "]\n");
  require(error_without_id(d)["code"] == -32600, "a batch should be -32600");
  goes_on(d);
}

void deep_nesting(dialogue& d) {
  d.server.write(std::string(100'000, '[') + "\n");
  auto const code = error_without_id(d)["code"];
  require(code == -32700 || code == -32600, "100,000 open arrays should be an error");
  d.server.write(R"({"jsonrpc":"2.0","id":7,"method":"tools/list","params":)" + std::string(100'000, '[') +
                 std::string(100'000, ']') + "}\n");
  auto const answer = d.server.next();
  require(answer.contains("error"), "100,000 nested arrays should be an error");
  goes_on(d);
}

void blank_lines(dialogue& d) {
  d.server.write("\n\r\n  \t\n");
  auto const id = d.next_id();
  d.server.write(wherry::to_text(d.request(id, "tools/list")) + "\r\n");
  require(d.answer_of(id).contains("result"), "a line that ends in CR LF should be read");
}

void byte_by_byte(dialogue& d) {
  auto const id = d.next_id();
  for (char const c : wherry::to_text(d.request(id, "tools/list")) + "\n") d.server.write({&c, 1});
  require(d.answer_of(id).contains("result"), "a message in single bytes should be read");
}

void many_in_one_write(dialogue& d) {
  constexpr int count = 200;
  std::string all;
  std::set<int> open;
  for (int i = 0; i < count; ++i) {
    all += wherry::to_text(d.request(i, "tools/list")) + "\n";
    open.insert(i);
  }
  d.server.write(all);
  while (!open.empty()) {
    auto const answer = d.server.next();
    require(answer.contains("id") && answer["id"].is_number_integer() && answer.contains("result"),
            "each request should be answered with a result");
    require(open.erase(answer["id"].get<int>()) == 1, "each request should be answered once");
  }
  require(d.server.silent_for(50ms), "nothing should follow the answers");
}

void ids_of_any_kind(dialogue& d) {
  for (json const& id : {json("one"), json(""), json(0), json(-5), json(9007199254740991), json("\"\\\n\u00e9")}) {
    d.server.send(d.request(id, "tools/list"));
    auto const answer = d.answer_of(id);
    require(answer["id"].type() == id.type() || answer["id"].is_number(), "an id keeps its type");
  }
}

void unanswered(dialogue& d) {
  d.server.send({{"jsonrpc", "2.0"}, {"method", "notifications/no_such_thing"}});
  d.server.send({{"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", "no such"}}}});
  d.server.send({{"jsonrpc", "2.0"}, {"id", 4711}, {"result", json::object()}});
  require(d.server.silent_for(100ms), "notifications and late answers are not answered");
  goes_on(d);
}

void unknown_method(dialogue& d) {
  require(d.error("no/such_method")["code"] == -32601, "an unknown method should be -32601");
}

void unknown_members(dialogue& d) {
  auto const id = d.next_id();
  auto message = d.request(id, "tools/list");
  message["future"] = {{"x", 1}};
  message["params"]["future"] = true;
  d.server.send(message);
  require(d.answer_of(id).contains("result"), "members that nobody knows are passed over");
}

template <std::size_t Size>
void payload(dialogue& d) {
  d.needs("tools", "echo");
  std::string const text(Size, 'x');
  require(text_of(d.call("echo", {{"message", text}})) == text, "the text should come back whole");
}

void any_text(dialogue& d) {
  d.needs("tools", "echo");
  std::string const text = "line\nend\r\n\t\"quoted\" \\ \xE2\x80\xA8 \xE2\x80\xA9 \xF0\x9F\x98\x80 \x7f end";
  require(text_of(d.call("echo", {{"message", text}})) == text, "text should come back as it was sent");
}

constexpr scenario list[] = {
    {"broken-json", "a line that is no JSON is -32700, and the connection goes on", true, true, broken_json},
    {"no-message", "JSON that is no message is -32600, and the connection goes on", true, true, no_message},
    {"batch", "a batch is -32600", true, true, batch},
    {"deep-nesting", "100,000 nested arrays are an error, and the connection goes on", true, true, deep_nesting},
    {"blank-lines", "blank lines and CR LF are read over", true, true, blank_lines},
    {"byte-by-byte", "a message may come in single bytes", true, true, byte_by_byte},
    {"many-in-one-write", "200 requests in one write are answered, each once", true, true, many_in_one_write},
    {"ids", "an answer carries the id of its request, whatever it is", true, true, ids_of_any_kind},
    {"unanswered", "notifications and late answers are not answered", true, true, unanswered},
    {"unknown-method", "an unknown method is -32601", true, true, unknown_method},
    {"unknown-members", "members that nobody knows are passed over", true, true, unknown_members},
    {"64-kib", "64 KiB come back whole", true, true, payload<64 * 1024>},
    {"1-mib", "1 MiB comes back whole", true, true, payload<1024 * 1024>},
    {"any-text", "line ends, separators and emoji come back in one line", true, true, any_text},
};

}  // namespace

std::span<scenario const> framing_scenarios() { return list; }

}  // namespace stdio_suite
