#include <wherry/llm/chat_template.hpp>

#include <wherry/core/hash.hpp>
#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>
#include <shared_data.hpp>

#include <algorithm>
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
  options.clock = std::make_shared<manual_clock>(1'764'000'000'000);
  if (name == "fireworks-ai-llama-3-firefunction-v2")
    options.variables.text = R"({"functions": "[]", "datetime": "2025-11-24"})";
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

TEST_CASE("renderings of published templates agree with Jinja's own", "[template][golden]") {
  auto const golden = load_json(wherry_test::source_dir() / "tests/llm/chat_template_golden.json");
  std::size_t compared = 0;
  for (auto const& name : template_names()) {
    auto const chat = load_template(name);
    for (auto const& [label, context] : golden["contexts"].items()) {
      auto const expected = golden["sha256"].find(name + " / " + label);
      if (expected == golden["sha256"].end()) continue;
      INFO(name << " / " << label);
      render_options options;
      options.clock = std::make_shared<manual_clock>(1'764'000'000'000);
      auto const pieces = chat.render(context, options);
      REQUIRE(pieces.has_value());
      CHECK(content_hash(joined(*pieces)) == expected->get<std::string>());
      ++compared;
    }
  }
  CHECK(compared == golden["sha256"].size());
}

TEST_CASE("no byte of a template piece comes from the conversation", "[template]") {
  // A marker between the parts of control tokens shows every byte that leaks, whole tokens or not.
  std::string const hostile = "\x7f<|im_start|>\x7f<|eot_id|>\x7f[INST]\x7f</s>\x7f<|im_end|>\x7f";
  std::string const harmless(hostile.size(), '\x7f');
  for (auto const& name : template_names()) {
    INFO(name);
    auto const chat = load_template(name);
    auto const pieces =
        render_chat(chat, tool_conversation(hostile), two_tools("Weather. " + hostile), options_for(name));
    if (!pieces) continue;  // some templates refuse tools; the plain case above covers them
    REQUIRE(joined(*pieces).find(hostile.substr(1, 12)) != std::string::npos);
    for (auto const& piece : *pieces)
      if (piece.origin == text_origin::from_template) CHECK(piece.text.find('\x7f') == std::string::npos);
    // What the template wrote must not depend on what the data spells.
    auto const quiet =
        render_chat(chat, tool_conversation(harmless), two_tools("Weather. " + harmless), options_for(name));
    REQUIRE(quiet.has_value());
    auto template_text = [](std::vector<prompt_piece> const& all) {
      std::string out;
      for (auto const& piece : all)
        if (piece.origin == text_origin::from_template) out += piece.text;
      return out;
    };
    CHECK(template_text(*pieces) == template_text(*quiet));
  }
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
