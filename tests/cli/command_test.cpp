// The command as a process: what goes where, and how it ends.

#include "process.hpp"

#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "shared_data.hpp"
#include "temp_dir.hpp"

#include <signal.h>
#include <algorithm>
#include <sstream>

using namespace wherry_test;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

std::vector<std::string> lines_of(std::string const& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

wherry::json json_of(std::string const& text) {
  INFO(text);
  auto parsed = wherry::parse_json(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string scenario(std::string const& name) { return wherry_test::source_dir() / "examples/scenarios" / name; }

std::string write_file(temp_dir const& folder, std::string const& text) {
  auto const path = folder.path() / "scenario.json";
  std::ofstream(path, std::ios::binary) << text;
  return path.string();
}

// A short answer of the random model.
std::vector<std::string> ask(std::string const& text, std::vector<std::string> more = {}) {
  std::vector<std::string> all{"ask", text, "--max-tokens", "8", "--seed", "5"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

constexpr char const* waits_for_approval = R"({"wherry_scenario": 1, "seed": 3, "session": "s",
  "agents": [{"name": "gambler", "tools": ["dice"], "first_step": "required",
              "limits": {"steps": 2, "step_tokens": 96}, "approvals": {"tools": {"dice": "ask"}}}],
  "messages": [{"to": "gambler", "text": "Roll."}]})";

constexpr char const* reaches_a_limit = R"({"wherry_scenario": 1, "seed": 3,
  "agents": [{"name": "roller", "tools": ["dice"], "first_step": "required",
              "limits": {"steps": 1, "step_tokens": 96}}],
  "messages": [{"to": "roller", "text": "Roll."}]})";

}  // namespace

TEST_CASE("wherry alone says in five lines what it is, its model and what to type", "[unit]") {
  auto const r = wherry_test::wherry({});
  CHECK(r.code == 0);
  auto const lines = lines_of(r.out);
  REQUIRE(lines.size() == 5);
  CHECK_THAT(lines[0], StartsWith("wherry "));
  CHECK_THAT(lines[1], ContainsSubstring("random weights") && ContainsSubstring("WHERRY_MODEL"));
  for (std::size_t i = 2; i < 5; ++i) CHECK_THAT(lines[i], StartsWith("  wherry "));
  CHECK(r.err.empty());
  CHECK_THAT(wherry_test::wherry({}, "", {{"WHERRY_MODEL", "boat.gguf"}}).out,
             ContainsSubstring("boat.gguf (from WHERRY_MODEL)"));
  CHECK_THAT(wherry_test::wherry({"--model", "raft.gguf"}, "", {{"WHERRY_MODEL", "boat.gguf"}}).out,
             ContainsSubstring("raft.gguf (from --model)"));
}

TEST_CASE("a wrong command line is one sentence, what to look at, and exit code 2", "[unit]") {
  auto const wrong = std::vector<std::vector<std::string>>{{"bogus"},
                                                           {"ask", "x", "--frob"},
                                                           {"ask", "x", "--kernels", "abacus"},
                                                           {"ask", "x", "--tools", "hammer"},
                                                           {"ask", "x", "--scope", "nobody"},
                                                           {"ask", "x", "--json", "--events"},
                                                           {"ask", "x", "--regex", "a", "--choice", "b"},
                                                           {"ask", "x", "--schema", "f", "--grammar", "g"},
                                                           {"ask", "x", "--temperature", "warm"},
                                                           {"ask"},
                                                           {"session"},
                                                           {"session", "show"},
                                                           {"run"},
                                                           {"model", "info"},
                                                           {"completion", "fish"}};
  for (auto const& line : wrong) {
    auto const r = wherry_test::wherry(line);
    CAPTURE(line, r.err);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK(lines_of(r.err).size() == 1);
    CHECK_THAT(r.err, StartsWith("wherry: "));
  }
}

TEST_CASE("help names a command by all its words", "[unit]") {
  for (auto const& words : {std::vector<std::string>{"ask"}, {"memory"}, {"memory", "search"}, {"mcp", "serve"}}) {
    auto line = words;
    line.emplace_back("--help");
    auto const help = wherry_test::wherry(line);
    std::string name = "wherry";
    for (auto const& word : words) name += ' ' + word;
    CHECK(help.code == 0);
    CHECK_THAT(help.out, ContainsSubstring("Usage: " + name + " ["));
  }
}

TEST_CASE("what the world refuses is exit code 1, also as JSON", "[unit]") {
  temp_dir const folder;
  auto const store = (folder.path() / "none").string();
  auto const refused = std::vector<std::vector<std::string>>{
      {"ask", "x", "--model", "no-such-file.gguf"}, {"run", "no-such-file.json"},
      {"model", "info", "no-such-file.gguf"},       {"session", "show", "x", "--store", store},
      {"session", "export", "x", "--store", store}, {"doctor", "--model", "no-such-file.gguf"}};
  for (auto line : refused) {
    CAPTURE(line);
    CHECK(wherry_test::wherry(line).code == 1);
    line.push_back("--json");
    auto const r = wherry_test::wherry(line);
    CHECK(r.code == 1);
    auto j = json_of(r.out);
    CHECK((j.contains("error") || j["ok"] == false));
  }
}

TEST_CASE("ask prints the answer alone; what is said to a person goes to standard error", "[unit]") {
  auto const plain = wherry_test::wherry(ask("Hello"));
  CAPTURE(plain.err);
  REQUIRE(plain.code == 0);
  auto const as_json = wherry_test::wherry(ask("Hello", {"--json"}));
  REQUIRE(as_json.code == 0);
  auto j = json_of(as_json.out);
  auto const answer = j["answer"].get<std::string>();
  CHECK_FALSE(answer.empty());
  CHECK(plain.out == answer + "\n");
  CHECK(j["status"] == "finished");
  CHECK(j["usage"]["completion_tokens"].get<int>() <= 8);
  CHECK_THAT(plain.err, ContainsSubstring("random weights"));
}

TEST_CASE("ask reads standard input in place of the text, or adds it to the text", "[unit]") {
  auto const tokens = [](outcome const& r) {
    REQUIRE(r.code == 0);
    return json_of(r.out)["usage"]["prompt_tokens"].get<int>();
  };
  auto const given = tokens(wherry_test::wherry(ask("one two three", {"--json"})));
  CHECK(tokens(wherry_test::wherry(ask("-", {"--json"}), "one two three\n")) == given);
  CHECK(tokens(wherry_test::wherry({"ask", "--json", "--max-tokens", "8"}, "one two three")) == given);
  CHECK(tokens(wherry_test::wherry(ask("one two three", {"--json"}), "and a whole file")) > given);
  CHECK(wherry_test::wherry(ask("-"), "\xff\xfe").code == 2);
}

TEST_CASE("ask --events prints one JSON object a line, from the start of the run to its end", "[unit]") {
  auto const r = wherry_test::wherry(ask("Roll", {"--events"}));
  REQUIRE(r.code == 0);
  auto const lines = lines_of(r.out);
  REQUIRE(lines.size() >= 4);
  for (auto const& line : lines) CHECK(json_of(line)["v"] == 1);
  CHECK(json_of(lines.front())["type"] == "run_started");
  CHECK(json_of(lines.back())["type"] == "run_finished");
}

TEST_CASE("a question that does not fit the context is exit code 4", "[unit]") {
  auto const r = wherry_test::wherry(
      ask("a question that is longer than sixteen tokens of context can hold", {"--context", "16"}));
  CAPTURE(r.err);
  CHECK(r.code == 4);
  CHECK(r.out.empty());
}

TEST_CASE("a session is kept between two commands", "[unit]") {
  temp_dir const folder;
  std::vector<std::string> const kept{"--session", "trip", "--store", folder.path().string()};
  auto const first = wherry_test::wherry(ask("Hello", kept));
  CAPTURE(first.err);
  REQUIRE(first.code == 0);
  REQUIRE(wherry_test::wherry(ask("Again", kept)).code == 0);

  auto const shown = wherry_test::wherry({"session", "show", "trip", "--store", folder.path().string(), "--json"});
  REQUIRE(shown.code == 0);
  auto messages = json_of(shown.out);
  REQUIRE(messages.size() == 4);
  CHECK(messages[0]["parts"][0]["text"] == "Hello");
  CHECK(messages[2]["parts"][0]["text"] == "Again");

  auto listed = json_of(wherry_test::wherry({"session", "list", "--store", folder.path().string(), "--json"}).out);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["name"] == "trip");
  auto const exported = wherry_test::wherry({"session", "export", "trip", "--store", folder.path().string()});
  CHECK(lines_of(exported.out).size() == listed[0]["events"].get<std::size_t>());
  for (auto const& line : lines_of(exported.out)) json_of(line);
  // Another user of the same store has none of it.
  auto const other = wherry_test::wherry(
      {"session", "list", "--store", folder.path().string(), "--json", "--scope", "local/somebody"});
  CHECK(other.out == "[]\n");
}

TEST_CASE("every command that prints data prints JSON when asked", "[unit]") {
  temp_dir const folder;
  auto const store = folder.path().string();
  for (auto const& line : std::vector<std::vector<std::string>>{
           {"--json"}, {"doctor", "--json", "--store", store}, {"session", "list", "--json", "--store", store}}) {
    CAPTURE(line);
    auto const r = wherry_test::wherry(line);
    CHECK(r.code == 0);
    json_of(r.out);
  }
}

TEST_CASE("doctor looks at processor, memory, model and store", "[unit]") {
  temp_dir const folder;
  auto const r = wherry_test::wherry({"doctor", "--store", folder.path().string()});
  CAPTURE(r.err);
  CHECK(r.code == 0);
  for (auto const* subject : {"version", "processor", "memory", "model", "loading", "store", "terminal"})
    CHECK_THAT(r.out, ContainsSubstring(subject));
  CHECK_THAT(r.out, ContainsSubstring("keys and values"));
}

TEST_CASE("model info says what a GGUF file holds", "[unit]") {
  auto const file = shared("models/golden/llama/llama-q8_0.gguf").string();
  auto const r = wherry_test::wherry({"model", "info", file});
  CAPTURE(r.err);
  CHECK(r.code == 0);
  CHECK_THAT(r.out, ContainsSubstring("llama") && ContainsSubstring("keys and values"));
  auto j = json_of(wherry_test::wherry({"model", "info", file, "--json", "--verbose"}).out);
  CHECK(j["gguf"]["metadata"].contains("general.architecture"));
  CHECK(j["model"]["layers"].get<int>() > 0);
}

TEST_CASE("a scenario on random weights ends with its call made and its answer in shape", "[example]") {
  temp_dir const folder;
  auto const store = folder.path().string();
  auto const r = wherry_test::wherry({"run", scenario("first_run.json"), "--json", "--store", store});
  CAPTURE(r.err, r.out);
  REQUIRE(r.code == 0);
  auto j = json_of(r.out);
  REQUIRE(j["runs"].size() == 1);
  auto& run = j["runs"][0];
  CHECK(run["status"] == "finished");
  REQUIRE(run["calls"].size() >= 1);
  CHECK(run["calls"][0]["tool"] == "dice");
  CHECK(run["calls"][0]["failed"] == false);
  CHECK(run["output"]["again"].is_boolean());
  CHECK(wherry_test::wherry({"session", "show", "first-run", "--store", store}).code == 0);
}

TEST_CASE("run --verbose tells calls, results, commits and speed", "[example]") {
  auto const r = wherry_test::wherry({"run", scenario("first_run.json"), "--verbose"});
  CAPTURE(r.err);
  REQUIRE(r.code == 0);
  for (auto const* word : {"call ", "result ", "committed ", "tokens/s", "verified"})
    CHECK_THAT(r.err, ContainsSubstring(word));
  json_of(r.out);
}

TEST_CASE("an agent of a scenario asks another one", "[example]") {
  auto const r = wherry_test::wherry({"run", scenario("two_agents.json"), "--json"});
  CAPTURE(r.err, r.out);
  REQUIRE(r.code == 0);
  auto j = json_of(r.out);
  REQUIRE(j["runs"].size() == 2);
  for (auto& run : j["runs"]) CHECK(run["calls"][0]["tool"] == "ask_surveyor");
}

TEST_CASE("a call that needs approval is exit code 3, and --yes allows it", "[unit]") {
  temp_dir const folder;
  auto const file = write_file(folder, waits_for_approval);
  auto const asked = wherry_test::wherry({"run", file});
  CAPTURE(asked.err);
  CHECK(asked.code == 3);
  CHECK_THAT(asked.err, ContainsSubstring("--yes"));
  auto const allowed = wherry_test::wherry({"run", file, "--yes", "--json"});
  CAPTURE(allowed.err);
  CHECK(allowed.code == 0);
  CHECK(json_of(allowed.out)["runs"][0]["calls"][0]["tool"] == "dice");
}

TEST_CASE("a run that reaches its step limit is exit code 4", "[unit]") {
  temp_dir const folder;
  auto const r = wherry_test::wherry({"run", write_file(folder, reaches_a_limit)});
  CAPTURE(r.err);
  CHECK(r.code == 4);
  CHECK_THAT(r.err, ContainsSubstring("steps"));
}

TEST_CASE("a chat that was killed goes on where it was", "[unit]") {
  temp_dir const folder;
  std::vector<std::string> const line{"chat",         "--session", "s",      "--store", folder.path().string(),
                                      "--max-tokens", "8",         "--seed", "5"};
  {
    process killed(line, process::on::pipe);
    killed.write("Hello\n");
    REQUIRE(killed.wait_for("tokens/s"));
    killed.signal(SIGKILL);
    CHECK(killed.end() == -1);
  }
  auto const again = wherry_test::wherry(line, "Again\n/context\n/quit\n");
  CAPTURE(again.err);
  CHECK(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("continued") && ContainsSubstring("4 messages"));
}

TEST_CASE("chat commands list tools, take back, fork and save", "[unit]") {
  temp_dir const folder;
  auto const saved = (folder.path() / "out file.jsonl").string();
  auto const r = wherry_test::wherry(
      {"chat", "--session", "a", "--store", (folder.path() / "store").string(), "--tools", "dice", "--max-tokens", "8",
       "--seed", "5"},
      "/help\n/tools\n/undo\nHello\n/fork b\n/undo\n/save " + saved + "\n/nonsense\n/fork\n/quit\n");
  CAPTURE(r.err);
  CHECK(r.code == 0);
  for (auto const* text : {"/undo", "dice: Rolls dice", "no turn to take back", "now in session b",
                           "the last turn is taken back", "written to", "there is no /nonsense", "/fork needs a name"})
    CHECK_THAT(r.err, ContainsSubstring(text));
  CHECK_THAT(read_file(saved), ContainsSubstring("\"type\":\"undo\""));
}

TEST_CASE("on a terminal lines are edited, and NO_COLOR leaves no colour", "[unit]") {
  temp_dir const folder;
  std::vector<std::string> const line{"chat", "--session", "s", "--store", folder.path().string()};
  process chat(line, process::on::terminal);
  REQUIRE(chat.wait_for("> "));
  CHECK_THAT(chat.seen(), ContainsSubstring("\x1b[2m"));
  chat.write("/toolz\x7fs\n");
  CHECK(chat.wait_for("none; start with"));
  chat.write("/quit\n");
  CHECK(chat.end() == 0);

  process plain({"doctor", "--store", folder.path().string()}, process::on::terminal, {{"NO_COLOR", "1"}});
  CHECK(plain.end() == 0);
  CHECK_THAT(plain.seen(), ContainsSubstring("a terminal, no colour"));
  CHECK(plain.seen().find('\x1b') == std::string::npos);
}

TEST_CASE("a chat asks about the calls that wait, and goes on with what is said", "[unit]") {
  temp_dir const folder;
  auto const store = (folder.path() / "store").string();
  auto const file = write_file(folder, waits_for_approval);
  REQUIRE(wherry_test::wherry({"run", file, "--store", store}).code == 3);
  std::vector<std::string> const line{"chat", "--session", "s",   "--store",      store, "--tools",
                                      "dice", "--confirm", "all", "--max-tokens", "96"};
  {
    process left(line, process::on::terminal);
    REQUIRE(left.wait_for("wants to call dice"));
    REQUIRE(left.wait_for("lways this tool"));
    left.write("maybe\n");
    REQUIRE(left.wait_for("lets the call wait"));
    left.write("later\n");  // as Ctrl-D: the call goes on waiting
    CHECK(left.end() == 0);
  }
  CHECK_THAT(wherry_test::wherry({"session", "show", "s", "--store", store}).err,
             ContainsSubstring("waits for approval: dice"));
  process chat(line, process::on::terminal);
  REQUIRE(chat.wait_for("lways this tool"));
  chat.write("always\n");
  REQUIRE(chat.wait_for("tokens/s"));
  chat.write("/quit\n");
  CHECK(chat.end() == 0);
  auto const shown = wherry_test::wherry({"session", "show", "s", "--store", store});
  CHECK(shown.err.find("waits for approval") == std::string::npos);
  CHECK_THAT(wherry_test::wherry({"session", "export", "s", "--store", store}).out, ContainsSubstring("approved"));
}

TEST_CASE("from a pipe nobody is asked: the call waits and the exit code says so", "[unit]") {
  temp_dir const folder;
  auto const store = (folder.path() / "store").string();
  REQUIRE(wherry_test::wherry({"run", write_file(folder, waits_for_approval), "--store", store}).code == 3);
  auto const r = wherry_test::wherry({"chat", "--session", "s", "--store", store}, "/context\n");
  CHECK(r.code == 0);
  CHECK_THAT(wherry_test::wherry({"session", "show", "s", "--store", store}).err,
             ContainsSubstring("waits for approval: dice"));
}

TEST_CASE("Ctrl-C ends the answer, not the chat", "[unit]") {
  temp_dir const folder;
  // With this seed the answer has some 3,000 tokens: more events than a pipe holds, so that it cannot end unread.
  process chat(
      {"chat", "--session", "s", "--store", folder.path().string(), "--max-tokens", "3500", "--seed", "9", "--events"},
      process::on::pipe);
  chat.write("Hello\n");
  REQUIRE(chat.wait_for("answer_text"));
  chat.signal(SIGINT);
  REQUIRE(chat.wait_for("\"status\":\"cancelled\""));
  chat.write("/tools\n/quit\n");
  REQUIRE(chat.wait_for("none; start with"));
  CHECK(chat.end() == 1);  // of its last message
}

TEST_CASE("completion scripts name every command and are accepted by the shell", "[unit]") {
  temp_dir const folder;
  for (std::string const shell : {"bash", "zsh"}) {
    auto const r = wherry_test::wherry({"completion", shell});
    CHECK(r.code == 0);
    for (auto const* word : {"ask", "chat", "session", "export", "--model", "--kv-bytes"})
      CHECK_THAT(r.out, ContainsSubstring(word));
    auto const file = (folder.path() / shell).string();
    std::ofstream(file) << r.out;
    if (run_program({shell, "-c", "true"}).code != 0) continue;  // that shell is not here
    CHECK(run_program({shell, "-n", file}).code == 0);
  }
  // What bash then offers.
  auto const script = "source '" + (folder.path() / "bash").string() +
                      "'; COMP_WORDS=(wherry session --json ex); COMP_CWORD=3; _wherry; echo \"${COMPREPLY[*]}\"";
  CHECK(run_program({"bash", "-c", script}).out == "export\n");
}

TEST_CASE("ask answers in the language that was given, and says where it is wrong", "[unit]") {
  temp_dir const folder;
  auto const file = [&](char const* name, char const* text) {
    auto const path = (folder.path() / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  };
  auto const chosen = wherry_test::wherry({"ask", "--choice", "starboard", "--choice", "port", "Which side?"});
  CHECK(chosen.code == 0);
  CHECK((chosen.out == "starboard\n" || chosen.out == "port\n"));
  auto const matched = wherry_test::wherry({"generate", "Its number?", "--regex", "[A-C]{2}-[0-9]{4}|none"});
  CHECK(matched.code == 0);
  CHECK_THAT(matched.out, Catch::Matchers::Matches("([A-C]{2}-[0-9]{4}|none)\n"));
  auto const written = wherry_test::wherry(
      {"ask", "How many?", "--grammar", file("good.ebnf", "count ::= digit{3} ' oars'\ndigit ::= [1-9]")});
  CHECK(written.code == 0);
  CHECK_THAT(written.out, Catch::Matchers::Matches("[1-9]{3} oars\n"));
  auto const with_tools = wherry_test::wherry({"ask", "Roll", "--tools", "dice", "--choice", "done", "--seed", "1"});
  CHECK((with_tools.code == 0 ? with_tools.out == "done\n" : with_tools.code == 1));

  auto const place = wherry_test::wherry({"ask", "x", "--grammar", file("bad.ebnf", "a ::= 'x'\nb ::= ('y'")});
  CHECK(place.code == 1);
  CHECK_THAT(place.err, ContainsSubstring("bad.ebnf") && ContainsSubstring("line 2, column 11"));
  CHECK(wherry_test::wherry({"ask", "x", "--grammar", file("loop.ebnf", "a ::= a 'x'")}).code == 1);
  CHECK(wherry_test::wherry({"ask", "x", "--grammar", (folder.path() / "none").string()}).code == 1);
  CHECK_THAT(wherry_test::wherry({"ask", "x", "--regex", "(a"}).err, ContainsSubstring("(a"));
  auto const narrow = wherry_test::wherry({"ask", "x", "--regex", "a{60}b", "--max-tokens", "4"});
  CHECK(narrow.code == 4);
  CHECK_THAT(narrow.err, ContainsSubstring("budget"));
}
