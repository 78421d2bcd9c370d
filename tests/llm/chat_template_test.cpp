#include <wherry/llm/chat_template.hpp>

#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>
#include <shared_data.hpp>

#include "tokenizer_samples.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>

using namespace wherry;

namespace {

json load_json(std::filesystem::path const& path) { return parse_json(wherry_test::read_file(path)).value(); }

// Names of the published templates, sorted, without ".jinja".
std::vector<std::string> template_names() {
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(wherry_test::shared("data/chat-templates")))
    if (entry.path().extension() == ".jinja") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}
chat_template load_template(std::string const& name) {
  auto const path = wherry_test::shared("data/chat-templates/" + name + ".jinja");
  auto parsed = chat_template::parse(wherry_test::read_file(path));
  INFO(name);
  REQUIRE(parsed.has_value());
  return *parsed;
}

// Two published templates want variables of their own.
render_options options_for(std::string const& name) {
  render_options options;
  options.bos_token = "<s>";
  options.eos_token = "</s>";
  options.lenient = true;  // as a model renders
  options.clock = std::make_shared<manual_clock>(1'764'000'000'000);
  if (name == "fireworks-ai-llama-3-firefunction-v2") options.variables.text = R"({"datetime": "2025-11-24"})";
  return options;
}

std::vector<message> plain_conversation() {
  return {message::user("Hello, how are you?"), message::assistant("I'm fine <b>& you</b>?"),
          message::user("  Grüße, 안녕 \"quoted\" 'single'\n")};
}

std::vector<tool_spec> two_tools(std::string const& description) {
  return {
      {"forecast",
       description,
       {R"({"type":"object","properties":{"city":{"type":"string","description":")" + description +
        R"("}},"required":["city"]})"}},
      {"convert", "Convert money.", {R"({"type":"object","properties":{"amount":{"type":"number"}}})"}},
  };
}

std::vector<message> tool_conversation(std::string const& spoken) {
  return {message::user("Weather? " + spoken),
          {role::assistant, {tool_call{"callabcde", "forecast", to_text(json{{"city", spoken}})}}},
          {role::tool, {tool_result{"callabcde", "forecast", "Sunny " + spoken}}},
          message::assistant("It is sunny. " + spoken),
          message::user("Thanks. " + spoken)};
}

}  // namespace

TEST_CASE("every published rendering is matched byte for byte", "[template]") {
  auto const cases = load_json(wherry_test::shared("data/chat-templates/rendered.json"));
  REQUIRE(cases.size() == 29);
  for (auto const& c : cases) {
    INFO(c["set"] << " / " << c["name"]);
    auto const parsed = chat_template::parse(c["chat_template"]);
    REQUIRE(parsed.has_value());
    render_options options;
    options.containers = container_style::as_json;  // the file comes from the JavaScript library
    auto const pieces = parsed->render(c["data"], options);
    REQUIRE(pieces.has_value());
    CHECK(joined(*pieces) == c["target"].get<std::string>());
  }
}

TEST_CASE("the string filter decides between the two notations of containers", "[template]") {
  auto const parsed = chat_template::parse("{{ x | string }} {{ x }}").value();
  json const context = {{"x", {"a", true}}};
  CHECK(joined(*parsed.render(context)) == "['a', True] ['a', True]");
  render_options options;
  options.containers = container_style::as_json;
  CHECK(joined(*parsed.render(context, options)) == R"(["a", true] ['a', True])");
}

TEST_CASE("every published template parses and renders a plain conversation", "[template]") {
  auto const names = template_names();
  REQUIRE(names.size() == 55);
  for (auto const& name : names) {
    INFO(name);
    auto const pieces = render_chat(load_template(name), plain_conversation(), {}, options_for(name));
    if (!pieces)
      FAIL_CHECK(pieces.error());
    else
      CHECK(joined(*pieces).find("Hello, how are you?") != std::string::npos);
  }
}

// The file says how it was made: chat_template_golden.py, which asks Jinja itself.
TEST_CASE("every published template renders every conversation as Jinja does, or both refuse", "[template][golden]") {
  auto const golden = load_json(wherry_test::source_dir() / "tests/llm/chat_template_golden.json");
  auto const names = template_names();
  REQUIRE(golden["sha256"].size() == names.size());
  REQUIRE(golden["contexts"].size() >= 6);
  std::size_t refused = 0;
  for (auto const& name : names) {
    auto const chat = load_template(name);
    for (auto const& [label, conversation] : golden["contexts"].items()) {
      INFO(name << " / " << label);
      auto context = conversation;
      if (auto const own = golden["variables"].find(name); own != golden["variables"].end()) context.update(*own);
      render_options options;
      options.clock = std::make_shared<manual_clock>(1'764'000'000'000);
      auto const pieces = chat.render(context, options);
      CHECK((pieces ? content_hash(joined(*pieces)) : "raises") == golden["sha256"][name][label].get<std::string>());
      refused += pieces ? 0 : 1;
    }
  }
  CHECK(refused < names.size() * golden["contexts"].size() / 5);  // mostly they render
}

namespace {

// What the template spells that may be a control token: <|im_start|>, [INST], <tool_call>, ... and some that every
// vocabulary has.
std::vector<std::string> control_spellings(std::string const& source) {
  std::set<std::string> found = {"<|im_start|>",  "<|im_end|>",   "<|eot_id|>", "<|start_header_id|>",
                                 "<|endoftext|>", "[INST]",       "[/INST]",    "</s>",
                                 "<s>",           "<end_of_turn>"};
  constexpr std::size_t longest = 60;
  for (std::size_t at = source.find_first_of("<["); at != std::string::npos; at = source.find_first_of("<[", at + 1)) {
    std::size_t const end = source.find_first_of("<>[] \t\n'\"{}()", at + 1);
    if (end == std::string::npos || end == at + 1 || end - at > longest) continue;
    if (source[end] != (source[at] == '<' ? '>' : ']')) continue;
    bool const word = source[at] == '<' || std::isupper(static_cast<unsigned char>(source[at + 1]));
    if (word || source[at + 1] == '/') found.insert(source.substr(at, end + 1 - at));
  }
  return {found.begin(), found.end()};
}

// Control tokens and bytes; merges do not matter here.
tokenizer tokenizer_with(std::vector<std::string> const& control) {
  std::vector<wherry_test::sample_token> more;
  for (auto const& spelling : control) more.push_back({spelling, token_kind::control});
  return wherry_test::build(wherry_test::bpe_model("gpt-2", {}, more)).value();
}

std::string template_text(std::vector<prompt_piece> const& pieces) {
  std::string out;
  for (auto const& piece : pieces)
    if (piece.origin == text_origin::from_template) out += piece.text;
  return out;
}

std::vector<token_id> control_ids(tokenizer const& tokens, std::vector<prompt_piece> const& pieces) {
  std::vector<encode_piece> marked;
  for (auto const& p : pieces) marked.push_back({p.text, p.origin == text_origin::from_template});
  auto ids = tokens.encode(marked, false);
  std::erase_if(ids, [&](token_id id) { return tokens.kind(id) != token_kind::control; });
  return ids;
}

// A conversation in which the text stands at one place (or, where it is `everywhere`, at all of them).
struct hostile_chat {
  std::vector<message> messages;
  std::vector<tool_spec> tools;
};
constexpr std::array<char const*, 9> places = {"user",        "tool result", "tool name", "argument name", "argument",
                                               "description", "property",    "assistant", "reasoning"};
hostile_chat chat_with(std::string const& text, std::string_view place) {
  auto at = [&](std::string_view here) { return here == place ? text : std::string("x"); };
  std::string const name = "f" + at("tool name");
  hostile_chat out;
  json const schema = {
      {"type", "object"},
      {"properties", {{"p" + at("property"), {{"type", "string"}, {"description", "d" + at("description")}}}}},
      {"required", json::array()}};
  out.tools = {{name, "D" + at("description"), {to_text(schema)}}};
  json const arguments = {{"p" + at("argument name"), at("argument")}};
  out.messages = {message::user("u" + at("user")),
                  {role::assistant, {tool_call{"callabcde", name, to_text(arguments)}}},
                  {role::tool, {tool_result{"callabcde", name, "r" + at("tool result")}}},
                  {role::assistant, {reasoning_part{"t" + at("reasoning"), ""}, text_part{"a" + at("assistant")}}},
                  message::user("v" + at("user"))};
  return out;
}

}  // namespace

TEST_CASE("a control token in data is never the template's, wherever it stands, in all published templates",
          "[template]") {
  std::size_t checked = 0;
  for (auto const& name : template_names()) {
    auto const chat = load_template(name);
    auto const control = control_spellings(chat.source());
    REQUIRE(control.size() > 5);
    auto const tokens = tokenizer_with(control);
    auto const options = options_for(name);
    for (auto const place : places) {
      // All at once, with a byte between that nothing else holds, shows every byte that leaks.
      std::string all;
      for (auto const& spelling : control) all += '\x7f' + spelling;
      auto const hostile = chat_with(all + '\x7f', place);
      auto const pieces = render_chat(chat, hostile.messages, hostile.tools, options);
      INFO(name << " / " << place);
      if (!pieces) {
        CHECK(pieces.error().is(errc::invalid_argument));  // the template refuses tools, or such a name
        continue;
      }
      CHECK(template_text(*pieces).find('\x7f') == std::string::npos);

      auto const quiet = chat_with("x", place);
      auto const harmless = render_chat(chat, quiet.messages, quiet.tools, options);
      REQUIRE(harmless.has_value());
      // Templates look for these in what the assistant said, and then write them themselves.
      auto const rewritten = [&](std::string const& spelling) {
        static constexpr std::array<std::string_view, 5> spoken = {"assistant", "reasoning", "tool name",
                                                                   "argument name", "argument"};
        bool const assistants = std::find(spoken.begin(), spoken.end(), place) != spoken.end();
        return assistants && spelling.find("think") != std::string::npos;
      };
      for (auto const& spelling : control) {
        if (rewritten(spelling)) continue;
        auto const one = chat_with(spelling, place);
        auto const rendered = render_chat(chat, one.messages, one.tools, options);
        if (!rendered) continue;
        INFO(spelling);
        CHECK(control_ids(tokens, *rendered) == control_ids(tokens, *harmless));
        ++checked;
      }
    }
  }
  CHECK(checked > 5000);
}

TEST_CASE("tool calls appear in the prompt of every template that takes them", "[template]") {
  std::size_t shown = 0;
  for (auto const& name : template_names()) {
    auto const pieces =
        render_chat(load_template(name), tool_conversation("Seoul"), two_tools("Weather."), options_for(name));
    if (pieces && joined(*pieces).find("forecast") != std::string::npos)
      ++shown;
    else
      UNSCOPED_INFO(name << ": " << (pieces ? std::string("shows no call") : to_string(pieces.error())));
  }
  CAPTURE(shown);
  CHECK(shown >= 45);
}

TEST_CASE("pieces are merged, never empty, and name bos and eos as template text", "[template]") {
  auto const chat =
      chat_template::parse("{{ bos_token }}{{ '' }}<u>{{ messages[0].content }}{{ messages[0].content }}</u>").value();
  render_options options;
  options.bos_token = "<s>";
  std::vector<message> const messages = {message::user("hi")};
  std::vector<prompt_piece> const expected = {
      {"<s><u>", text_origin::from_template}, {"hihi", text_origin::from_data}, {"</u>", text_origin::from_template}};
  CHECK(render_chat(chat, messages, {}, options).value() == expected);
}

TEST_CASE("roles are template text in a chat and data in a bare context", "[template]") {
  auto const chat = chat_template::parse("{{ messages[0].role }}").value();
  std::vector<message> const messages = {message::user("hi")};
  CHECK(render_chat(chat, messages)->front().origin == text_origin::from_template);
  CHECK(chat.render({{"messages", {{{"role", "user"}}}}})->front().origin == text_origin::from_data);
}

TEST_CASE("a chat passes messages and tools in the members templates look for", "[template]") {
  auto const chat = chat_template::parse("{{ messages | tojson }}{{ tools | tojson }}").value();
  std::vector<message> const messages = {{role::assistant,
                                          {reasoning_part{"hm", ""}, text_part{"a"},
                                           tool_call{"c1", "f", R"({"x": 1.0})"}, tool_call{"c2", "g", "{broken"}}},
                                         {role::tool, {tool_result{"c1", "f", "one"}, tool_result{"c2", "g", "two"}}}};
  std::vector<tool_spec> const tools = {{"f", "does f", {R"({"type":"object"})"}}};
  CHECK(
      joined(*render_chat(chat, messages, tools)) ==
      R"([{"role": "assistant", "content": "a", "reasoning_content": "hm", "tool_calls": [)"
      R"({"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1.0}}}, )"
      R"({"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{broken"}}]}, )"
      R"({"role": "tool", "content": "one", "name": "f", "tool_call_id": "c1"}, )"
      R"({"role": "tool", "content": "two", "name": "g", "tool_call_id": "c2"}])"
      R"([{"type": "function", "function": {"name": "f", "description": "does f", "parameters": {"type": "object"}}}])");
}

TEST_CASE("a call without text has the content its template can show", "[template]") {
  std::vector<message> const messages = {message::user("u"), {role::assistant, {tool_call{"c", "f", R"({"x":1})"}}}};
  auto render = [&](char const* source) {
    return joined(*render_chat(chat_template::parse(source).value(), messages));
  };
  CHECK(render("{% for m in messages %}{% for c in m.tool_calls %}{{ m.content is none }} {{ "
               "c.function.arguments|tojson }}{% endfor %}{% endfor %}") == R"(False {"x": 1})");
  CHECK(render("{% for m in messages %}{% if m.content is none %}{{ m.tool_calls[0].function.arguments.x ~ "
               "m.tool_calls }}{% endif %}{% endfor %}")
            .starts_with("1[{"));
  CHECK(render("{% for m in messages %}{% for c in m.tool_calls %}{{ 'call ' + c.function.arguments }}{% endfor %}{% "
               "endfor %}") == R"(call {"x":1})");
}

TEST_CASE("parts a template cannot show are refused by name", "[template]") {
  std::vector<message> const messages = {{role::user, {image_part{"image/png", "..", ""}}}};
  auto const refused = render_chat(plain_template(), messages);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().is(errc::model_refused_part));
  CHECK(refused.error().message.find("image") != std::string::npos);
}

TEST_CASE("options that are not JSON are refused", "[template]") {
  std::vector<message> const messages = {message::user("hi")};
  render_options options;
  options.variables.text = "[1]";
  CHECK(render_chat(plain_template(), messages, {}, options).error().is(errc::parse_error));
  std::vector<tool_spec> const tools = {{"f", "", {"{"}}};
  auto const refused = render_chat(plain_template(), messages, tools);
  CHECK(refused.error().is(errc::parse_error));
  CHECK(refused.error().path == "f");
}

TEST_CASE("the plain template shows a conversation", "[template]") {
  std::vector<message> const messages = {message::system("Be kind."), message::user("Hi"), message::assistant("Hello!"),
                                         message::user("Bye")};
  CHECK(joined(*render_chat(plain_template(), messages)) ==
        "System: Be kind.\n\nUser: Hi\nAssistant: Hello!\nUser: Bye\nAssistant:");
  render_options closed;
  closed.add_generation_prompt = false;
  CHECK(joined(*render_chat(plain_template(), messages, {}, closed)) ==
        "System: Be kind.\n\nUser: Hi\nAssistant: Hello!\nUser: Bye\n");
}

TEST_CASE("the plain template replays answers as the model wrote them", "[template]") {
  std::vector<message> const messages = {message::user("Hi"),
                                         {role::assistant, {tool_call{"", "f", R"({"x":1})"}}},
                                         {role::tool, {tool_result{"", "f", "one"}}},
                                         message::assistant(R"({"y":2})")};
  std::vector<tool_spec> const tools = {{"f", "does f", {R"({"type":"object"})"}}};
  render_options options;
  options.output_schema = raw_json{R"({"type":"object"})"};
  CHECK(joined(*render_chat(plain_template(), messages, tools, options)) ==
        "Tools:\n"
        "{\"name\":\"f\",\"description\":\"does f\",\"parameters\":{\"type\":\"object\"}}\n"
        "To call a tool, answer only {\"tool\":\"NAME\",\"arguments\":{...}}\n"
        "To finish, answer only {\"output\":...} with JSON of this schema: {\"type\":\"object\"}\n"
        "\n"
        "User: Hi\n"
        "Assistant:{\"tool\":\"f\",\"arguments\":{\"x\":1}}\n"
        "Result of f: one\n"
        "Assistant:{\"output\":{\"y\":2}}\n"
        "Assistant:");
}

TEST_CASE("what a published template has no place for is shown all the same", "[template]") {
  for (auto const& name : template_names()) {
    INFO(name);
    auto const chat = load_template(name);
    std::vector<message> conversation = {
        message::system("SYSTEM-TEXT"),
        message::user("USER-TEXT"),
        {role::assistant,
         {tool_call{"callabcde", "forecast", R"({"city":"FIRST-CITY"})"},
          tool_call{"callabcdf", "convert", R"({"amount":98765})"}}},
        {role::tool,
         {tool_result{"callabcde", "forecast", "FIRST-RESULT"}, tool_result{"callabcdf", "convert", "SECOND-RESULT"}}}};
    auto const pieces = render_chat(chat, conversation, two_tools("TOOL-TEXT"), options_for(name));
    if (!pieces) {
      FAIL_CHECK(pieces.error());
      continue;
    }
    auto const prompt = joined(*pieces);
    INFO(prompt);
    // Nemo's template shows the system message beside the last user's, and only when that is the last of all.
    bool const hides_system = name == "mistralai-Mistral-Nemo-Instruct-2407";
    CHECK((hides_system || prompt.find("SYSTEM-TEXT") != std::string::npos));
    for (auto const* text : {"USER-TEXT", "TOOL-TEXT", "FIRST-CITY", "98765", "FIRST-RESULT", "SECOND-RESULT"})
      CHECK(prompt.find(text) != std::string::npos);
    CHECK(prompt.find("98765") < prompt.find("SECOND-RESULT"));
    CHECK(prompt.find("FIRST-CITY") < prompt.find("FIRST-RESULT"));
  }
}

TEST_CASE("blocks are templates that a program can replace", "[template]") {
  auto const chat = chat_template::parse("{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}").value();
  std::vector<message> const messages = {message::user("hi")};
  auto const tools = two_tools("d");
  auto const built_in = joined(*render_chat(chat, messages, tools));
  CHECK(built_in.starts_with("[system]You can call tools."));
  CHECK(built_in.find("\n{\"tool\":\"NAME\",\"arguments\":{\"ARGUMENT\": \"VALUE\"}}\n") != std::string::npos);
  CHECK(built_in.ends_with("[user]hi"));
  render_options options;
  options.tool_block = "T:{{ tools | map(attribute='function.name') | join(',') }}";
  CHECK(joined(*render_chat(chat, messages, tools, options)) == "[system]T:forecast,convert[user]hi");
  options.tool_block = "";
  CHECK(joined(*render_chat(chat, messages, tools, options)) == "[user]hi");
  options.output_schema = raw_json{R"({"type":"string"})"};
  options.tool_block = "S:{{ output_schema | tojson }} {{ output_form }}";
  CHECK(joined(*render_chat(chat, messages, {}, options)) ==
        R"([system]S:{"type": "string"} {"output":...} with JSON[user]hi)");
  options.tool_block = "{{ broken";
  CHECK(render_chat(chat, messages, tools, options).error().is(errc::parse_error));
}

TEST_CASE("results stand in a user's message where a template knows no tool messages", "[template]") {
  auto const chat = chat_template::parse(
                        "{% for m in messages %}{% if m.role != 'tool' %}[{{ m.role }}]{{ m.content }}{% endif "
                        "%}{% endfor %}")
                        .value();
  std::vector<message> const messages = {
      message::user("hi"),
      {role::assistant, {tool_call{"c", "f", "{}"}}},
      {role::tool, {tool_result{"c", "f", "one"}, tool_result{"d", "g", "<|two|>"}}}};
  auto const pieces = render_chat(chat, messages).value();
  CHECK(joined(pieces) ==
        "[user]hi[assistant]{\"tool\":\"f\",\"arguments\":{}}[user]Result of f: one\nResult of g: <|two|>");
  for (auto const& piece : pieces)
    if (piece.origin == text_origin::from_template) CHECK(piece.text.find("<|two|>") == std::string::npos);
  render_options options;
  options.result_block = "{{ results | length }} results";
  CHECK(joined(*render_chat(chat, messages, {}, options)).ends_with("[user]2 results"));
}

TEST_CASE("a template that shows one call a message gets each call with its result", "[template]") {
  auto const chat = chat_template::parse(
                        "{% for m in messages %}[{{ m.role }}]{% if m.tool_calls %}{{ "
                        "m.tool_calls[0].function.name }}{{ m.tool_calls[0].function.arguments | tojson }}{% else "
                        "%}{{ m.content }}{% endif %}{% endfor %}")
                        .value();
  std::vector<message> const messages = {
      message::user("hi"),
      {role::assistant,
       {text_part{"t"}, tool_call{"c", "f", "{}"}, tool_call{"d", "g", "{}"}, tool_call{"e", "h", "{}"}}},
      {role::tool, {tool_result{"d", "g", "two"}, tool_result{"c", "f", "one"}, tool_result{"x", "i", "more"}}}};
  CHECK(joined(*render_chat(chat, messages)) ==
        "[user]hi[assistant]f{}[tool]one[assistant]g{}[tool]two[assistant]h{}[tool]more");
}

TEST_CASE("a system message that a template refuses stands before the first user's", "[template]") {
  auto const chat = chat_template::parse(
                        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif "
                        "%}[{{ m.role }}]{{ m.content }}{% endfor %}")
                        .value();
  std::vector<message> const messages = {message::system("Be kind."), message::user("hi")};
  CHECK(joined(*render_chat(chat, messages)) == "[user]Be kind.\n\nhi");
}
