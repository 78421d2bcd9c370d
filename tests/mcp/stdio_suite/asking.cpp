// What a server asks its client: requests of its own in the handshake era, rounds of one request in the stateless one.

#include "dialogue.hpp"

namespace stdio_suite {
namespace {

json const all_capabilities = {
    {"elicitation", {{"form", json::object()}}}, {"sampling", json::object()}, {"roots", json::object()}};

json answer_to(std::string const& method, json const& params) {
  if (method == "elicitation/create") {
    require(params.contains("message") && params.contains("requestedSchema"), "a form has a message and a schema");
    return {{"action", "accept"},
            {"content", {{"username", "ann"}, {"email", "a@b.c"}, {"name", "Ann"}, {"ok", true}}}};
  }
  if (method == "sampling/createMessage") {
    require(params.contains("messages") && params.contains("maxTokens"), "a question has messages and maxTokens");
    return {{"role", "assistant"}, {"content", {{"type", "text"}, {"text", "Paris"}}}, {"model", "none"}};
  }
  if (method == "roots/list") return {{"roots", json::array({{{"uri", "file:///r"}, {"name", "r"}}})}};
  throw failure{"a server cannot ask for " + method};
}

/// Calls a tool and answers what it asks. Returns: its result; `rounds` counts the questions.
json ask_through(dialogue& d, std::string const& tool, json arguments, int& rounds) {
  json params = {{"name", tool}, {"arguments", std::move(arguments)}};
  if (!d.stateless()) {
    d.client = [&](std::string const& method, json const& p) {
      ++rounds;
      return answer_to(method, p);
    };
    return d.result("tools/call", params);
  }
  for (;;) {
    auto r = d.result("tools/call", params);
    if (r.value("resultType", "") == "complete") return r;
    require(r.value("resultType", "") == "input_required", "a result is complete or wants input");
    require(++rounds < 10, "a tool should not ask for ever");
    params["inputResponses"] = json::object();
    for (auto const& [key, question] : r["inputRequests"].items())
      params["inputResponses"][key] = answer_to(question["method"], question.value("params", json::object()));
    if (r.contains("requestState")) params["requestState"] = r["requestState"];
  }
}

void elicitation(dialogue& d) {
  d.begin(all_capabilities);
  d.needs("tools", "test_elicitation");
  int rounds = 0;
  auto const r = ask_through(d, "test_elicitation", {{"message", "who?"}}, rounds);
  require(rounds == 1 && text_of(r).find("ann") != std::string::npos, "the answer should reach the tool");
}

void sampling(dialogue& d) {
  d.begin(all_capabilities);
  d.needs("tools", "test_sampling");
  int rounds = 0;
  auto const r = ask_through(d, "test_sampling", {{"prompt", "capital of France?"}}, rounds);
  require(rounds == 1 && text_of(r).find("Paris") != std::string::npos, "the model's answer should reach the tool");
}

void roots(dialogue& d) {
  d.begin(all_capabilities);
  d.needs("tools", "test_input_required_result_list_roots");
  int rounds = 0;
  auto const r = ask_through(d, "test_input_required_result_list_roots", json::object(), rounds);
  require(rounds == 1 && text_of(r).find("file:///r") != std::string::npos, "the roots should reach the tool");
}

void several_rounds(dialogue& d) {
  d.begin(all_capabilities);
  d.needs("tools", "test_input_required_result_multi_round");
  int rounds = 0;
  ask_through(d, "test_input_required_result_multi_round", json::object(), rounds);
  require(rounds == 2, "the tool should ask twice, not " + std::to_string(rounds) + " times");
}

void several_at_once(dialogue& d) {
  d.begin(all_capabilities);
  d.needs("tools", "test_input_required_result_multiple_inputs");
  int rounds = 0;
  auto const r = ask_through(d, "test_input_required_result_multiple_inputs", json::object(), rounds);
  require(text_of(r) == "got 3 answers", "all three answers should reach the tool");
}

void without_capability(dialogue& d) {
  d.begin();
  d.needs("tools", "test_sampling");
  auto const answer = d.exchange("tools/call", {{"name", "test_sampling"}, {"arguments", {{"prompt", "x"}}}});
  if (d.stateless()) {
    require(answer.contains("error") && answer["error"]["code"] == -32021,
            "asking what the client cannot answer should be -32021");
    require(answer["error"]["data"].value("requiredCapabilities", json()).is_object(),
            "the error should say which capability is needed");
  } else {
    require(answer.contains("error") || answer["result"].value("isError", false), "the call should fail");
  }
}

void refused(dialogue& d) {
  d.begin(all_capabilities);
  d.needs("tools", "test_elicitation");
  json const declined = {{"action", "decline"}};
  json params = {{"name", "test_elicitation"}, {"arguments", {{"message", "who?"}}}};
  if (!d.stateless()) {
    d.client = [&](std::string const&, json const&) { return declined; };
  } else {
    auto const r = d.result("tools/call", params);
    for (auto const& [key, _] : r["inputRequests"].items()) params["inputResponses"][key] = declined;
    if (r.contains("requestState")) params["requestState"] = r["requestState"];
  }
  require(text_of(d.result("tools/call", params)).find("decline") != std::string::npos,
          "the tool should learn that the user declined");
}

void tampered_state(dialogue& d) {
  d.begin(all_capabilities);
  d.needs("tools", "test_input_required_result_tampered_state");
  json params = {{"name", "test_input_required_result_tampered_state"}, {"arguments", json::object()}};
  auto const r = d.result("tools/call", params);
  require(r.contains("requestState"), "the result should carry a state");
  auto state = r["requestState"].get<std::string>();
  state[state.size() / 2] = state[state.size() / 2] == 'A' ? 'B' : 'A';
  params["requestState"] = state;
  for (auto const& [key, question] : r["inputRequests"].items())
    params["inputResponses"][key] = answer_to(question["method"], question.value("params", json::object()));
  auto const answer = d.exchange("tools/call", params);
  require(answer.contains("error"), "a state that was tampered with should be refused");
}

constexpr scenario list[] = {
    {"elicitation", "a tool asks the user", true, true, elicitation, false},
    {"sampling", "a tool asks the client's model", true, true, sampling, false},
    {"roots", "a tool asks for the roots", true, true, roots, false},
    {"several-rounds", "a tool asks twice", true, true, several_rounds, false},
    {"several-at-once", "a tool asks three things at once", true, true, several_at_once, false},
    {"without-capability", "what the client cannot answer is not asked", true, true, without_capability, false},
    {"declined", "a tool learns that the user declined", true, true, refused, false},
    {"tampered-state", "a state that was tampered with is refused", false, true, tampered_state, false},
};

}  // namespace

std::span<scenario const> asking_scenarios() { return list; }

}  // namespace stdio_suite
