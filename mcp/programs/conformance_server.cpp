// What the official conformance suite wants to find on a server: its fixtures, for both eras on one endpoint.
//
//   conformance_server --port N [--stdio]          (path /mcp)

#include <wherry/mcp/json_rpc.hpp>
#include <wherry/mcp/serve.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace w = wherry;
namespace mcp = wherry::mcp;
using namespace std::chrono_literals;

namespace {

// ---------------------------------------------------------------- data

std::string png() {
  return *mcp::from_base64(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==");
}

/// An empty WAV file.
std::string wav() { return *mcp::from_base64("UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="); }

mcp::resource_contents text_resource(std::string uri, std::string mime, std::string text) {
  return {.uri = std::move(uri), .mime_type = std::move(mime), .data = std::move(text)};
}

w::task<void> pause(std::chrono::milliseconds time) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, time);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

w::raw_json form_of(std::string name, std::string type = "string") {
  return {R"({"type":"object","properties":{")" + name + R"(":{"type":")" + type + R"("}},"required":[")" + name +
          R"("]})"};
}

/// The text of a member of an accepted form.
std::string member_of(w::raw_json const& content, std::string_view name) {
  auto const key = "\"" + std::string(name) + "\":\"";
  auto const at = content.text.find(key);
  if (at == std::string::npos) return "?";
  auto const from = at + key.size();
  return content.text.substr(from, content.text.find('"', from) - from);
}

mcp::sample_request question(std::string text, std::size_t max_tokens) {
  mcp::sample_request q{.messages = {}, .max_tokens = max_tokens};
  q.messages.push_back({true, mcp::content::text(std::move(text))});
  return q;
}

// ---------------------------------------------------------------- tools that answer

void add_simple_tools(mcp::server& s) {
  s.add(
      mcp::tool("test_simple_text", "Answers with text.", [] { return "This is a simple text response for testing."; })
          .reads()
          .inline_run());
  s.add(
      mcp::tool("test_image_content", "Answers with an image.", [] { return mcp::content::image(png(), "image/png"); })
          .reads()
          .inline_run());
  s.add(mcp::tool("test_audio_content", "Answers with sound.", [] { return mcp::content::audio(wav(), "audio/wav"); })
            .reads()
            .inline_run());
  s.add(mcp::tool("test_embedded_resource", "Answers with a resource.",
                  [] {
                    return mcp::content::embedded(text_resource("test://embedded-resource", "text/plain",
                                                                "This is an embedded resource content."));
                  })
            .reads()
            .inline_run());
  s.add(mcp::tool("test_multiple_content_types", "Answers with several blocks.",
                  [] {
                    std::vector<mcp::content> all;
                    all.push_back(mcp::content::text("Multiple content types test:"));
                    all.push_back(mcp::content::image(png(), "image/png"));
                    all.push_back(mcp::content::embedded(text_resource(
                        "test://mixed-content-resource", "application/json", R"({"test":"data","value":123})")));
                    return all;
                  })
            .reads()
            .inline_run());
  s.add(mcp::tool("test_error_handling", "Always fails.",
                  []() -> w::result<std::string> {
                    return w::error{w::errc::tool_failed, "This tool intentionally returns an error for testing"};
                  })
            .reads()
            .inline_run());
  s.add(mcp::tool("test_tool_with_logging", "Logs while it works.", [](mcp::context c) -> w::task<std::string> {
    c.log(mcp::severity::info, "Tool execution started");
    co_await pause(50ms);
    c.log(mcp::severity::info, "Tool processing data");
    co_await pause(50ms);
    c.log(mcp::severity::info, "Tool execution completed");
    co_return "Tool with logging executed";
  }));
  s.add(mcp::tool("test_logging_tool", "Logs at info.",
                  [](mcp::context const& c) {
                    c.log(mcp::severity::info, "an informational message");
                    return std::string("logged");
                  })
            .reads()
            .inline_run());
  s.add(mcp::tool("test_tool_with_progress", "Tells how far it is.", [](mcp::context c) -> w::task<std::string> {
    for (int done = 0; done <= 100; done += 50) {
      c.progress(done, 100, "Completed step " + std::to_string(done) + " of 100");
      co_await pause(50ms);
    }
    co_return "progress told";
  }));
  s.add(mcp::tool("test_reconnection", "Lets its client come back for the answer.",
                  [](mcp::context c) -> w::task<std::string> {
                    c.disconnect(50ms);
                    co_await pause(100ms);
                    co_return "Reconnection test completed successfully.";
                  }));
  s.add(mcp::tool("test_streaming_elicitation", "Succeeds.", [] { return "no elicitation was needed"; }).inline_run());
  s.add(
      mcp::tool("json_schema_2020_12_tool", "Has a schema with every kind of keyword.",
                [](mcp::context const&) { return std::string("ok"); })
          .inline_run()
          .input_schema(
              {R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"email":{"type":"string"}},"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},"additionalProperties":false})"}));
  s.add(mcp::tool("test_x_mcp_header", "Has a parameter that is sent as a header too.", {"region"},
                  [](std::string region) { return "region: " + region; })
            .reads()
            .inline_run()
            .header("region", "Region"));
}

void add_change_tools(mcp::server& s) {
  // The server holds its tools: a tool that held the server would keep it for ever.
  auto const changed = [](std::weak_ptr<mcp::detail::server_state> of, auto what) {
    return [of, what] {
      if (auto const state = of.lock()) what(mcp::server(state));
      return "announced";
    };
  };
  std::weak_ptr<mcp::detail::server_state> const state = s.state();
  s.add(mcp::tool("test_trigger_tool_change", "Says that the tools have changed.",
                  changed(state, [](mcp::server const& of) { of.tools_changed(); }))
            .inline_run());
  s.add(mcp::tool("test_trigger_prompt_change", "Says that the prompts have changed.",
                  changed(state, [](mcp::server const& of) { of.prompts_changed(); }))
            .inline_run());
}

// ---------------------------------------------------------------- tools that ask

constexpr auto defaults_form =
    R"({"type":"object","properties":{"name":{"type":"string","description":"User name","default":"John Doe"},"age":{"type":"integer","description":"User age","default":30},"score":{"type":"number","description":"User score","default":95.5},"status":{"type":"string","description":"User status","enum":["active","inactive","pending"],"default":"active"},"verified":{"type":"boolean","description":"Verification status","default":true}},"required":[]})";

constexpr auto enums_form =
    R"({"type":"object","properties":{"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},"legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],"enumNames":["Option One","Option Two","Option Three"]},"untitledMulti":{"type":"array","items":{"type":"string","enum":["option1","option2","option3"]}},"titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}},"required":[]})";

w::task<w::result<std::string>> show_form(mcp::context c, std::string message, w::raw_json schema, std::string prefix) {
  auto const answer = co_await c.elicit(std::move(message), std::move(schema));
  if (!answer) co_return answer.error();
  static constexpr char const* actions[] = {"accept", "decline", "cancel"};
  co_return prefix + "action=" + actions[static_cast<int>(answer->action)] +
      ", content=" + (answer->content ? answer->content->text : "{}");
}

void add_asking_tools(mcp::server& s) {
  s.add(mcp::tool("test_sampling", "Asks the client's model.", {"prompt"},
                  [](mcp::context c, std::string prompt) -> w::task<w::result<std::string>> {
                    auto const answer = co_await c.sample(question(prompt, 100));
                    if (!answer) co_return answer.error();
                    co_return "LLM response: " + answer->text();
                  }));
  s.add(mcp::tool("test_missing_capability", "Needs sampling.", [](mcp::context c) -> w::task<w::result<std::string>> {
    auto const answer = co_await c.sample(question("hello", 10));
    if (!answer) co_return answer.error();
    co_return answer->text();
  }));
  s.add(mcp::tool("test_elicitation", "Asks the user.", {"message"}, [](mcp::context c, std::string message) {
    return show_form(
        c, std::move(message),
        {R"({"type":"object","properties":{"username":{"type":"string","description":"User's response"},"email":{"type":"string","description":"User's email address"}},"required":["username","email"]})"},
        "User response: ");
  }));
  s.add(mcp::tool("test_elicitation_sep1034_defaults", "Asks with defaults.", [](mcp::context c) {
    return show_form(c, "Please review and update the form fields with defaults", {defaults_form},
                     "Elicitation completed: ");
  }));
  s.add(mcp::tool("test_elicitation_sep1330_enums", "Asks with every kind of enumeration.", [](mcp::context c) {
    return show_form(c, "Please select options from the enum fields", {enums_form}, "Elicitation completed: ");
  }));
}

w::task<w::result<std::string>> ask_user_name(mcp::context c) {
  auto const answer = co_await c.elicit("What is your name?", form_of("name"), "user_name");
  if (!answer) co_return answer.error();
  co_return "Hello, " + (answer->content ? member_of(*answer->content, "name") : "stranger") + "!";
}

void add_round_trip_tools(mcp::server& s) {
  auto const name = [](std::string const& ending) { return "test_input_required_result_" + ending; };
  s.add(mcp::tool(name("elicitation"), "Asks for a name.", ask_user_name).reads());
  s.add(mcp::tool(
      name("sampling"), "Asks the model for a capital.", [](mcp::context c) -> w::task<w::result<std::string>> {
        auto const answer = co_await c.sample(question("What is the capital of France?", 100), "capital_question");
        if (!answer) co_return answer.error();
        co_return answer->text();
      }));
  s.add(mcp::tool(name("list_roots"), "Asks for the roots.", [](mcp::context c) -> w::task<w::result<std::string>> {
    auto const roots = co_await c.roots("client_roots");
    if (!roots) co_return roots.error();
    std::string all = "roots:";
    for (auto const& r : *roots) all += " " + r.uri + " (" + r.name + ")";
    co_return all;
  }));
  s.add(mcp::tool(name("request_state"), "Asks for a confirmation.",
                  [](mcp::context c) -> w::task<w::result<std::string>> {
                    auto const answer = co_await c.elicit("Please confirm", form_of("ok", "boolean"), "confirm");
                    if (!answer) co_return answer.error();
                    co_return std::string("state-ok");
                  }));
  s.add(mcp::tool(name("tampered_state"), "Asks for a confirmation, under a seal.",
                  [](mcp::context c) -> w::task<w::result<std::string>> {
                    auto const answer = co_await c.elicit("Please confirm", form_of("ok", "boolean"), "confirm");
                    if (!answer) co_return answer.error();
                    co_return std::string("confirmed");
                  })
            .reads());
  s.add(mcp::tool(name("multiple_inputs"), "Asks three things at once.",
                  [](mcp::context c) -> w::task<w::result<std::string>> {
                    std::vector<mcp::input_request> questions;
                    questions.push_back(mcp::context::form("user_name", "What is your name?", form_of("name")));
                    questions.push_back(mcp::context::question("greeting", question("Generate a greeting", 50)));
                    questions.push_back(mcp::context::roots_request("client_roots"));
                    auto const answers = co_await c.ask(std::move(questions));
                    if (!answers) co_return answers.error();
                    co_return "got " + std::to_string(answers->size()) + " answers";
                  }));
  s.add(mcp::tool(name("multi_round"), "Asks twice.", [](mcp::context c) -> w::task<w::result<std::string>> {
    auto const who = co_await c.elicit("Step 1: What is your name?", form_of("name"), "step1");
    if (!who) co_return who.error();
    auto const color = co_await c.elicit("Step 2: What is your favorite color?", form_of("color"), "step2");
    if (!color) co_return color.error();
    co_return (who->content ? member_of(*who->content, "name") : "?") + " likes " +
        (color->content ? member_of(*color->content, "color") : "?");
  }));
  s.add(mcp::tool(name("capabilities"), "Asks what the client can answer.",
                  [](mcp::context c) -> w::task<w::result<std::string>> {
                    std::vector<mcp::input_request> questions;
                    if (c.client().elicitation)
                      questions.push_back(mcp::context::form("user_name", "What is your name?", form_of("name")));
                    if (c.client().sampling)
                      questions.push_back(mcp::context::question("greeting", question("Generate a greeting", 50)));
                    if (c.client().roots) questions.push_back(mcp::context::roots_request("client_roots"));
                    if (questions.empty()) co_return std::string("nothing can be asked");
                    auto const answers = co_await c.ask(std::move(questions));
                    if (!answers) co_return answers.error();
                    co_return std::string("done");
                  }));
}

// ---------------------------------------------------------------- arithmetic, and tasks

struct sum {
  double sum = 0;
};

struct duration {
  double seconds = 0;
  std::optional<std::string> label;
};

void add_task_tools(mcp::server& s) {
  s.add(mcp::tool("echo", "Says it back.", {"message"}, [](std::string message) { return message; })
            .reads()
            .inline_run());
  s.add(mcp::tool("add", "Adds two numbers.", {"a", "b"}, [](double a, double b) { return sum{a + b}; })
            .reads()
            .inline_run());
  s.add(mcp::tool("greet", "Greets.", {"name"}, [](std::string name) { return "Hello, " + name + "!"; })
            .reads()
            .inline_run());
  s.add(mcp::tool("slow_compute", "Takes its time.", [](mcp::context, duration d) -> w::task<std::string> {
          co_await pause(std::chrono::milliseconds(static_cast<int>(d.seconds * 1000)));
          co_return "computed for " + std::to_string(d.seconds) + " seconds";
        }).tasks(mcp::task_support::optional));
  s.add(mcp::tool("failing_job", "Fails after a second.", [](mcp::context) -> w::task<w::result<std::string>> {
          co_await pause(1s);
          co_return w::error{w::errc::tool_failed, "the job failed, as it always does"};
        }).tasks(mcp::task_support::required));
  s.add(mcp::tool("protocol_error_job", "Breaks.", [](mcp::context) -> w::task<w::result<std::string>> {
          co_await pause(10ms);
          co_return mcp::make_rpc_error(-32603, "the job broke");
        }).tasks(mcp::task_support::optional));
  s.add(mcp::tool("confirm_delete", "Deletes, once confirmed.", {"filename"},
                  [](mcp::context c, std::optional<std::string> filename) -> w::task<w::result<std::string>> {
                    auto const answer =
                        co_await c.elicit("Delete " + filename.value_or("it") + "?", form_of("confirm", "boolean"));
                    if (!answer) co_return answer.error();
                    co_return *answer ? std::string("deleted") : std::string("kept");
                  })
            .tasks(mcp::task_support::optional));
  s.add(mcp::tool("multi_input", "Asks two things at once.", [](mcp::context c) -> w::task<w::result<std::string>> {
          std::vector<mcp::input_request> questions;
          questions.push_back(mcp::context::form("first", "What is your name?", form_of("name")));
          questions.push_back(mcp::context::form("second", "And the other name?", form_of("name")));
          auto const answers = co_await c.ask(std::move(questions));
          if (!answers) co_return answers.error();
          co_return std::string("both are known");
        }).tasks(mcp::task_support::optional));
  s.add(mcp::tool("test_tool_with_task", "Asks, then works as a task.",
                  [](mcp::context c) -> w::task<w::result<std::string>> {
                    auto const who = co_await c.elicit("What is your name?", form_of("name"), "user_name");
                    if (!who) co_return who.error();
                    if (auto const on = co_await c.continue_as_task(); !on) co_return on.error();
                    co_await pause(50ms);
                    co_return "worked for " + (who->content ? member_of(*who->content, "name") : "nobody");
                  })
            .tasks(mcp::task_support::required, mcp::task_start::by_handler));
}

// ---------------------------------------------------------------- resources, prompts, skills

void add_resources(mcp::server& s) {
  s.add(mcp::resource("test://static-text", "static-text", "A text.", "text/plain", [] {
          return "This is the content of the static text resource.";
        }).inline_run());
  s.add(mcp::resource("test://static-binary", "static-binary", "A picture.", "image/png", [] {
          return mcp::resource_contents{.uri = {}, .data = png(), .binary = true};
        }).inline_run());
  s.add(mcp::resource("test://watched-resource", "watched-resource", "One that may be watched.", "text/plain", [] {
          return "watched";
        }).inline_run());
  s.add(mcp::resource_template("test://template/{id}/data", "template", "Data by id.", "application/json", {"id"},
                               [](std::string id) {
                                 return R"({"id":")" + id + R"(","templateTest":true,"data":"Data for ID: )" + id +
                                        R"("})";
                               })
            .inline_run());
}

mcp::prompt_message user(mcp::content block) { return {true, std::move(block)}; }

void add_prompts(mcp::server& s) {
  s.add(mcp::prompt("test_simple_prompt", "Says one thing.", [] {
          return "This is a simple prompt for testing.";
        }).inline_run());
  s.add(mcp::prompt(
            "test_prompt_with_arguments", "Says what it is told.", {"arg1", "arg2"},
            [](std::string a, std::string b) { return "Prompt with arguments: arg1='" + a + "', arg2='" + b + "'"; })
            .inline_run()
            .complete("arg1", [](std::string const& typed, mcp::uri_variables const&) {
              std::vector<std::string> values;
              for (std::string word : {"paris", "park", "party"})
                if (word.starts_with(typed)) values.push_back(word);
              return values;
            }));
  s.add(mcp::prompt("test_prompt_with_embedded_resource", "Shows a resource.", {"resourceUri"}, [](std::string uri) {
          std::vector<mcp::prompt_message> all;
          all.push_back(
              user(mcp::content::embedded(text_resource(uri, "text/plain", "Embedded resource content for testing."))));
          all.push_back(user(mcp::content::text("Please process the embedded resource above.")));
          return all;
        }).inline_run());
  s.add(mcp::prompt("test_prompt_with_image", "Shows an image.", [] {
          std::vector<mcp::prompt_message> all;
          all.push_back(user(mcp::content::image(png(), "image/png")));
          all.push_back(user(mcp::content::text("Please analyze the image above.")));
          return all;
        }).inline_run());
  s.add(mcp::prompt("test_input_required_result_prompt", "Asks first.",
                    [](mcp::context c) -> w::task<w::result<std::string>> {
                      auto const answer =
                          co_await c.elicit("What context should the prompt use?", form_of("context"), "user_context");
                      if (!answer) co_return answer.error();
                      co_return "Context: " + (answer->content ? member_of(*answer->content, "context") : "none");
                    }));
}

void add_skills(mcp::server& s) {
  std::vector<mcp::skill_file> files;
  files.push_back(
      {"SKILL.md",
       "---\nname: pdf-processing\ndescription: Reads, fills in and splits PDF files.\n---\n\n# PDF processing\n\n"
       "See references/FORMS.md for forms.\n"});
  files.push_back({"references/FORMS.md", "# Forms\n\nFields are filled in one by one.\n"});
  if (auto const added = s.add_skill("pdf-processing", std::move(files)); !added) std::cerr << added.error() << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  mcp::server server{"wherry-conformance", "1.0", {.instructions = "A server of fixtures."}};
  add_simple_tools(server);
  add_change_tools(server);
  add_asking_tools(server);
  add_round_trip_tools(server);
  add_task_tools(server);
  add_resources(server);
  add_prompts(server);
  add_skills(server);
  if (argc == 2 && std::string_view(argv[1]) == "--stdio") return mcp::serve_stdio(server);
  if (argc != 3 || std::string_view(argv[1]) != "--port") {
    std::cerr << "usage: conformance_server --port N | --stdio\n";
    return 2;
  }
  mcp::http_endpoint_options options;
  options.http.port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  return mcp::serve_http(server, std::move(options));
}
