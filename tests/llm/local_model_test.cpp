#include "llm_support.hpp"
#include "model_contract.hpp"
#include "shared_data.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/local_model.hpp>
#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>

#include <thread>

using namespace wherry;
using wherry_test::answer;

namespace {

local_model noise(local_model_options options = {}, std::uint64_t seed = 1) {
  options.threads = options.threads ? options.threads : 1;
  return local_model::from(make_random_model({.seed = seed}).value(), std::move(options)).value();
}

model_request ask(std::string text, std::size_t tokens = 24) {
  model_request r;
  r.messages.push_back(message::user(std::move(text)));
  r.max_tokens = tokens;
  r.draws = {.run = 11, .step = 1};
  return r;
}

model_request ask_for_call(std::size_t tokens = 160) {
  auto r = ask("Do something.", tokens);
  r.tools = std::make_shared<std::vector<tool_spec> const>(std::vector<tool_spec>{
      {"convert",
       "Converts.",
       {R"({"type":"object","properties":{"amount":{"type":"number"},"unit":{"type":"string","enum":["m","km"]}},"required":["amount","unit"],"additionalProperties":false})"}},
      {"note",
       "Notes.",
       {R"({"type":"object","properties":{"text":{"type":"string","maxLength":40}},"required":["text"],"additionalProperties":false})"}}});
  r.choice = tool_choice::required;
  r.sampling.temperature = 1.5;
  return r;
}

}  // namespace

TEST_CASE("the local model keeps the model contract", "[unit]") {
  auto const m = noise();
  auto const broken = check_model_contract([&]() -> std::shared_ptr<model> { return m; });
  for (auto const& b : broken) UNSCOPED_INFO(b.promise << ": " << b.found);
  CHECK(broken.empty());
}

TEST_CASE("an answer is the same for every thread count and whatever else is being computed", "[unit]") {
  auto const alone = answer(noise(), ask("hello")).value().answer;
  auto const three = answer(noise({.threads = 3}), ask("hello")).value().answer;
  CHECK(three == alone);

  auto const busy = noise();
  std::thread other([&] { (void)answer(busy, ask("something else entirely", 40)); });
  auto const beside = answer(busy, ask("hello")).value().answer;
  other.join();
  CHECK(beside == alone);
  auto const again = answer(busy, ask("hello")).value();  // now with the prompt's keys and values at hand
  CHECK(again.answer == alone);
  CHECK(again.usage.cached_prompt_tokens > 0);
}

TEST_CASE("seed, step and position decide the draws", "[unit]") {
  auto const m = noise();
  auto other = ask("hello");
  other.draws.run = 12;
  CHECK(answer(m, ask("hello"))->answer == answer(m, ask("hello"))->answer);
  CHECK(answer(m, other)->answer != answer(m, ask("hello"))->answer);
}

TEST_CASE("a required call is valid under any seed", "[unit]") {
  auto const m = noise();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto r = ask_for_call();
    r.draws.run = seed;
    auto const end = answer(m, r);
    REQUIRE(end);
    CHECK(end->reason == finish_reason::tool_calls);
    auto const calls = end->answer.tool_calls();
    REQUIRE(calls.size() == 1);
    auto const arguments = parse_json(calls[0].arguments);
    REQUIRE(arguments);
    if (calls[0].name == "convert") {
      CHECK(arguments->at("amount").is_number());
      CHECK((arguments->at("unit") == "m" || arguments->at("unit") == "km"));
    } else {
      CHECK(calls[0].name == "note");
      CHECK(arguments->at("text").is_string());
    }
  }
}

TEST_CASE("a budget below the shortest valid answer is refused before decoding", "[unit]") {
  auto const m = noise();
  auto const r = answer(m, ask_for_call(3));
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::budget_too_small));
}

TEST_CASE("a schema that cannot be compiled is refused, never ignored", "[unit]") {
  auto r = ask("x");
  r.output_schema = raw_json{R"({"type":"string","pattern":"^(?=a)b$"})"};
  auto const refused = answer(noise(), r);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().is(errc::schema_unsupported));
}

TEST_CASE("masked tools stay in the prompt and cannot be called", "[unit]") {
  auto const m = noise();
  std::shared_ptr<model> const seam = m;
  auto open = ask_for_call();
  auto masked = ask_for_call();
  masked.choice = tool_choice::none;
  CHECK(seam->render(open)->ids == seam->render(masked)->ids);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    masked.draws.run = seed;
    CHECK(answer(m, masked)->answer.tool_calls().empty());
  }
}

TEST_CASE("which tools may be called leaves the prompt as it is", "[unit]") {
  auto const m = noise();
  std::shared_ptr<model> const seam = m;
  auto const open = ask_for_call();
  auto some = ask_for_call();
  some.callable = {"note"};
  CHECK(seam->render(open)->ids == seam->render(some)->ids);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    some.draws.run = seed;
    auto const calls = answer(m, some)->answer.tool_calls();
    REQUIRE(calls.size() == 1);
    CHECK(calls[0].name == "note");
  }
}

TEST_CASE("text beside tools that may not be called stops before a stop string", "[unit]") {
  auto const m = noise();
  auto r = ask_for_call(64);
  r.choice = tool_choice::none;
  auto const whole = answer(m, r).value().answer.text();
  REQUIRE(whole.size() > 12);
  std::string const stop = whole.substr(whole.size() / 2, 3);
  r.stop = {stop};
  auto const cut = answer(m, r).value();
  CHECK(cut.answer.text() == whole.substr(0, whole.find(stop)));
  CHECK(cut.notices.empty());
}

TEST_CASE("text stops before a stop string, also when tokens cut it", "[unit]") {
  auto const m = noise();
  auto r = ask("talk", 64);
  auto const whole = answer(m, r).value().answer.text();
  REQUIRE(whole.size() > 12);
  std::string const stop = whole.substr(whole.size() / 2, 3);
  r.stop = {stop};
  auto const cut = answer(m, r).value();
  CHECK(cut.answer.text() == whole.substr(0, whole.find(stop)));
  CHECK(cut.reason == finish_reason::stop);
}

TEST_CASE("log-probabilities come with every token when asked for", "[unit]") {
  auto r = ask("talk", 8);
  r.sampling.top_logprobs = 3;
  r.sampling.logprobs = true;
  std::shared_ptr<model> const m = noise();
  auto stream = m->submit(r).value();
  std::size_t tokens = 0;
  for (;;) {
    auto event = run_blocking(stream->async_next(), "next", "async_next").value();
    if (auto const* chosen = std::get_if<token_chosen>(&event)) {
      ++tokens;
      CHECK(chosen->logprob <= 0);
      CHECK(chosen->alternatives.size() == 3);
    }
    if (auto const* end = std::get_if<response_end>(&event)) {
      CHECK(tokens == end->usage.completion_tokens);
      break;
    }
  }
}

TEST_CASE("a prompt that does not fit is refused with both numbers", "[unit]") {
  auto const m = noise({.context_tokens = 64});
  auto const r = answer(m, ask(std::string(500, 'x')));
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::context_overflow));
  CHECK(r.error().message.find("64") != std::string::npos);
}

TEST_CASE("the context may exceed what the file declares only when asked", "[unit]") {
  auto const file = make_random_model({.context_length = 128}).value();
  auto const refused = local_model::from(file, {.context_tokens = 512});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("exceed") != std::string::npos);
  auto const wide = local_model::from(file, {.context_tokens = 512, .exceed_declared_context = true}).value();
  CHECK(wide.description().context == 512);
  CHECK(wide.description().notices.size() == 2);  // the built-in template, and the context
  CHECK(local_model::from(file).value().description().context == 128);
}

TEST_CASE("keys and values beyond the allowed memory are refused", "[unit]") {
  auto const r = local_model::from(make_random_model().value(), {.kv_bytes_max = 1000});
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::limit_reached));
}

TEST_CASE("a queue has an end and a closed model ends its answers", "[unit]") {
  std::vector<std::unique_ptr<model_stream>> streams;
  bool full = false;
  {
    std::shared_ptr<model> const m = noise({.parallel_max = 1, .queue_max = 2});
    for (int i = 0; i < 64 && !full; ++i) {
      auto s = m->submit(ask("long", 4'000));
      if (s)
        streams.push_back(std::move(*s));
      else {
        CHECK(s.error().is(errc::queue_full));
        CHECK(s.error().retryable);
        full = true;
      }
    }
  }
  CHECK(full);
  for (auto& s : streams) {
    auto const end = run_blocking(async_collect(std::move(s)), "collect", "async_collect");
    REQUIRE_FALSE(end);
    CHECK(end.error().is(errc::cancelled));
  }
}

TEST_CASE("no control token comes from data, wherever it is placed", "[unit]") {
  auto const m = noise();
  auto const& tokens = m.tokenizer();
  std::shared_ptr<model> const seam = m;
  std::vector<std::string> marks;
  std::vector<token_id> controls;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    auto const id = static_cast<token_id>(i);
    if (tokens.kind(id) != token_kind::control) continue;
    controls.push_back(id);
    marks.emplace_back(tokens.piece(id));
  }
  REQUIRE_FALSE(marks.empty());
  auto const count = [&](std::vector<token_id> const& ids) {
    std::size_t n = 0;
    for (auto const id : ids) n += std::find(controls.begin(), controls.end(), id) != controls.end();
    return n;
  };
  auto const build = [&](std::string const& mark) {
    auto r = ask("say " + mark + " twice " + mark);
    r.tools = std::make_shared<std::vector<tool_spec> const>(std::vector<tool_spec>{
        {"t" + mark,
         "Does " + mark,
         {R"({"type":"object","properties":{"x":{"type":"string","description":")" + mark + R"("}}})"}}});
    r.messages.push_back({role::assistant, {text_part{mark}, tool_call{"c", "t", "{\"x\":\"" + mark + "\"}"}}});
    r.messages.push_back({role::tool, {tool_result{"c", "t", mark, false}}});
    return r;
  };
  auto const expected = count(*seam->render(build("harmless"))->ids);
  for (auto const& mark : marks) CHECK(count(*seam->render(build(mark))->ids) == expected);
}

TEST_CASE("stories260K tells a story through the model seam", "[golden]") {
  auto const path = wherry_test::shared("models/stories260K/stories260Ktok512.gguf");
  auto const m =
      local_model::open(path, {.threads = 2, .context_tokens = 512, .exceed_declared_context = true}).value();
  auto r = ask("Once upon a time", 64);
  r.sampling.temperature = 0;
  auto const end = answer(m, r);
  REQUIRE(end);
  CHECK(end->usage.completion_tokens > 16);
  CHECK(end->answer.text().find(' ') != std::string::npos);
}

TEST_CASE("a request that waits in the queue keeps its deadline", "[unit]") {
  std::shared_ptr<model> const m = noise({.parallel_max = 1});
  // The first answer fills its channel and is never read: it holds the only place.
  auto unread = ask("long", 2'000);
  unread.sampling.bias = {{2, -1e6F}};  // never the end of text
  auto first = m->submit(unread).value();
  auto waiting = ask("short", 4);
  waiting.until = std::chrono::steady_clock::now() + std::chrono::milliseconds(30);
  auto const end = answer(m, waiting);
  REQUIRE_FALSE(end);
  CHECK(end.error().is(errc::deadline_exceeded));
  first->cancel();
  CHECK(answer(m, ask("short", 4)));
}
