#pragma once
// What every language model behind wherry::model promises. Installed with the library, so that the author of a backend
// can run it in any test framework:
//
//   for (auto const& broken : wherry::check_model_contract([] { return my_model(); })) report(broken);
//
// Promises that a backend's capabilities do not claim are not asked for; what it lacks must be reported by name.

#include <wherry/core/runtime.hpp>
#include <wherry/llm/grammar.hpp>
#include <wherry/llm/model.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace wherry::inline v0 {

/// A promise that was not kept.
struct contract_violation {
  std::string promise;
  std::string found;
};

/// Makes a model that can answer at least a dozen requests of any kind it claims to take.
using model_factory = std::function<std::shared_ptr<model>()>;

namespace contract_detail {

inline model_request plain_request() {
  model_request r;
  r.messages.push_back(message::system("Answer briefly."));
  r.messages.push_back(message::user("Say a few words."));
  r.max_tokens = 16;
  r.draws = {.run = 7, .step = 1};
  return r;
}

inline model_request tool_request() {
  auto r = plain_request();
  r.tools = std::make_shared<std::vector<tool_spec> const>(std::vector<tool_spec>{
      {"add",
       "Adds.",
       {R"({"type":"object","properties":{"a":{"type":"integer","minimum":0,"maximum":9},"b":{"type":"integer","minimum":0,"maximum":9}},"required":["a","b"],"additionalProperties":false})"}}});
  r.choice = tool_choice::required;
  r.max_tokens = 96;
  return r;
}

class checker {
 public:
  explicit checker(model_factory make) : make_(std::move(make)) {}

  std::vector<contract_violation> run() {
    auto const m = make_();
    expect(!m->info().name.empty(), "a model has a name", "an empty one");
    expect(!m->info().fingerprint.empty(), "a model has a fingerprint", "an empty one");
    expect(m->info().can.takes(part_kind::text), "a model takes text", "it does not");
    deltas_join_to_the_answer();
    nothing_follows_the_end();
    refused_parts_are_named();
    cancellation_ends_an_answer();
    a_passed_deadline_ends_an_answer();
    what_is_missing_is_named();
    a_constraint_is_held_or_refused();
    two_answers_at_once();
    if (m->info().can.tools && m->info().can.grammar) constrained_calls_are_valid();
    if (m->info().can.ids) tokens_are_counted();
    return std::move(broken_);
  }

 private:
  using events = std::vector<model_event>;

  void expect(bool kept, std::string promise, std::string found) {
    if (!kept) broken_.push_back({std::move(promise), std::move(found)});
  }

  static result<events> collect(model_stream& stream) {
    auto all = [](model_stream& s) -> task<result<events>> {
      events out;
      for (std::size_t i = 0; i < 100'000; ++i) {  // an endless stream breaks the contract, not the test
        auto e = co_await s.async_next();
        if (!e) co_return std::move(e).error();
        bool const last = std::holds_alternative<response_end>(*e);
        out.push_back(std::move(*e));
        if (last) break;
      }
      co_return out;
    };
    return run_blocking(all(stream), "collect", "async_collect");
  }

  result<events> ask(std::shared_ptr<model> const& m, model_request r) {
    auto stream = m->submit(std::move(r));
    if (!stream) return std::move(stream).error();
    return collect(**stream);
  }

  void deltas_join_to_the_answer() {
    auto const got = ask(make_(), plain_request());
    if (!got) return expect(false, "a plain request is answered", to_string(got.error()));
    std::string joined;
    for (auto const& e : *got)
      if (auto const* d = std::get_if<text_delta>(&e)) joined += d->text;
    auto const* end = got->empty() ? nullptr : std::get_if<response_end>(&got->back());
    if (!end) return expect(false, "a stream ends with response_end", "another event");
    expect(end->answer.role == role::assistant, "an answer is the assistant's", to_string(end->answer.role));
    expect(joined == end->answer.text(), "the text deltas join to the answer's text",
           "\"" + joined + "\" and \"" + end->answer.text() + "\"");
    expect(end->usage.completion_tokens <= plain_request().max_tokens || end->usage.estimated,
           "an answer keeps to max_tokens", std::to_string(end->usage.completion_tokens) + " tokens");
  }

  void nothing_follows_the_end() {
    auto const m = make_();
    auto stream = m->submit(plain_request());
    if (!stream) return expect(false, "a plain request is accepted", to_string(stream.error()));
    if (!collect(**stream)) return;
    auto more = run_blocking((*stream)->async_next(), "next", "async_next");
    expect(!more, "after response_end asking again is an error", "an event");
  }

  void refused_parts_are_named() {
    auto const m = make_();
    std::pair<part_kind, content_part> const kinds[] = {{part_kind::image, image_part{"image/png", "x", ""}},
                                                        {part_kind::audio, audio_part{"audio/wav", "x", ""}},
                                                        {part_kind::file, file_part{"f", "text/plain", "x", ""}}};
    for (auto const& [kind, part] : kinds) {
      if (m->info().can.takes(kind)) continue;
      auto r = plain_request();
      r.messages.back().parts.push_back(part);
      auto const stream = m->submit(std::move(r));
      expect(!stream && stream.error().is(errc::model_refused_part) &&
                 stream.error().message.find(to_string(kind)) != std::string::npos,
             std::string("a part of kind ") + to_string(kind) + " is refused by name",
             stream ? "it was taken" : to_string(stream.error()));
    }
  }

  void a_constraint_is_held_or_refused() {
    auto const language = grammar::regex("^[xyz]{3}$");
    auto r = plain_request();
    r.constraint = std::make_shared<grammar::expr const>(language);
    auto const got = ask(make_(), std::move(r));
    if (!got) return;  // refused, or checked when it was whole
    auto const* end = got->empty() ? nullptr : std::get_if<response_end>(&got->back());
    std::string const text = end ? end->answer.text() : "";
    expect(grammar::recogniser::make(language)->matches(text), "a constraint is held, or an error", '"' + text + '"');
  }

  void cancellation_ends_an_answer() {
    auto const m = make_();
    auto r = plain_request();
    r.max_tokens = 4'096;
    auto stream = m->submit(std::move(r));
    if (!stream)
      return expect(stream.error().is(errc::context_overflow), "a request is accepted", to_string(stream.error()));
    (*stream)->cancel();
    (*stream)->cancel();
    auto const got = collect(**stream);
    expect(!got && got.error().is(errc::cancelled), "a cancelled answer ends with errc::cancelled",
           got ? "it ended as if nothing had happened" : to_string(got.error()));
  }

  void a_passed_deadline_ends_an_answer() {
    auto const m = make_();
    auto r = plain_request();
    r.max_tokens = 4'096;
    r.until = std::chrono::steady_clock::now() - std::chrono::seconds(1);
    auto const got = ask(m, std::move(r));
    // An answer that is there at once may win the race.
    expect(got || got.error().is(errc::deadline_exceeded) || got.error().is(errc::context_overflow),
           "a passed deadline is errc::deadline_exceeded", got ? "" : to_string(got.error()));
  }

  void what_is_missing_is_named() {
    auto const m = make_();
    auto r = plain_request();
    r.sampling.logprobs = true;
    auto const got = ask(m, r);
    if (!got) return expect(false, "a request for log-probabilities is answered", to_string(got.error()));
    auto const& notices = std::get<response_end>(got->back()).notices;
    std::set<std::string> said;
    for (auto const& n : notices) said.insert(n.feature);
    for (auto const& n : missing_features(m->info(), r))
      expect(said.contains(n.feature), "a missing feature is reported: " + n.feature, "silence");
    bool chosen = false;
    for (auto const& e : *got) chosen |= std::holds_alternative<token_chosen>(e);
    bool const answered = std::get<response_end>(got->back()).usage.completion_tokens > 0;
    if (m->info().can.logits && answered) expect(chosen, "log-probabilities arrive when asked for", "none");
  }

  void two_answers_at_once() {
    auto const m = make_();
    result<events> one = events{}, two = events{};
    std::thread other([&] { two = ask(m, plain_request()); });
    one = ask(m, plain_request());
    other.join();
    expect(one.has_value() && two.has_value(), "two threads may ask at the same time",
           to_string(one ? two.has_error() ? two.error() : error{} : one.error()));
  }

  void constrained_calls_are_valid() {
    auto const m = make_();
    auto const got = ask(m, tool_request());
    if (!got) return expect(false, "a required tool call is made", to_string(got.error()));
    auto const calls = std::get<response_end>(got->back()).answer.tool_calls();
    expect(calls.size() >= 1, "a required tool call is made", "none");
    for (auto const& call : calls) {
      expect(call.name == "add", "a call names an offered tool", call.name);
      expect(!call.id.empty(), "a call has an id", "an empty one");
      bool const shape = call.arguments.size() == 13 && call.arguments.starts_with(R"({"a":)") &&
                         call.arguments.substr(6, 5) == R"(,"b":)" && call.arguments.back() == '}';
      expect(shape, "arguments follow the schema", call.arguments);
    }
  }

  void tokens_are_counted() {
    auto const m = make_();
    auto const shown = m->render(plain_request());
    if (!shown) return expect(false, "a request can be shown", to_string(shown.error()));
    expect(shown->ids.has_value() && shown->text.has_value(), "a model with ids shows text and ids", "it does not");
    auto const got = ask(m, plain_request());
    if (!got || !shown->ids) return;
    auto const& usage = std::get<response_end>(got->back()).usage;
    expect(usage.prompt_tokens == shown->ids->size(), "usage counts the ids that were shown",
           std::to_string(usage.prompt_tokens) + " and " + std::to_string(shown->ids->size()));
    expect(!usage.estimated, "a model with ids does not estimate", "it does");
  }

  model_factory make_;
  std::vector<contract_violation> broken_;
};

}  // namespace contract_detail

/// Runs every check the model's capabilities call for. Empty: all promises were kept.
inline std::vector<contract_violation> check_model_contract(model_factory make) {
  return contract_detail::checker(std::move(make)).run();
}

}  // namespace wherry::inline v0
