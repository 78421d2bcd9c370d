#include <wherry/agent/citations.hpp>
#include <wherry/agent/memory_context.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/store.hpp>

#include "temp_dir.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using namespace wherry_test;

namespace {

struct cited {
  std::string answer;
  std::vector<std::string> quotes;
};

struct library {
  temp_dir dir;
  store db{dir.path(), {.commit_durability = durability::os}};
  scope_handle scope = db.scope({.tenant = "acme"});
  library() {
    ingest_document(scope, "boat.md", "# Boat\n\n## Engine\n\nThe engine takes 5W-30 oil.\n\n## Sails\n\nReef early.\n")
        .value();
  }
  result<run_result<cited>> ask(std::string const& answer, std::string const& question = "Which oil for the engine?",
                                quote_guard_options options = {}) const {
    return agent{scripted_model{say(answer)}}
        .with(memory_context(scope, {.kinds = {"document"}}))
        .guard(quotes_must_hold(scope, options))
        .run<cited>(question, scope.session("s"));
  }
};

}  // namespace

TEST_CASE_METHOD(library, "an answer whose quotes hold is released, and they are citations") {
  auto const r = ask(R"({"answer":"5W-30.","quotes":["takes 5W-30 oil"]})");
  REQUIRE(r);
  auto const found = cite_quotes(scope, *r, r->output.quotes).value();
  REQUIRE(found.size() == 1);
  CHECK(found[0].headings == "Boat > Engine");
  CHECK(found[0].where.document == "boat.md");
  CHECK(verify_citation(scope, found[0].where));
  CHECK(scope.session("s").history()->size() == 2);
}

TEST_CASE_METHOD(library, "an answer with a quote that does not hold is kept back, and is no history") {
  for (auto const* answer :
       {R"({"answer":"10W.","quotes":["takes 10W-40 oil"]})", R"({"answer":"x","quotes":["takes 5W-30 oil",""]})",
        R"({"answer":"x","quotes":["The engine takes  5W-30 oil."]})", R"({"answer":"x","quotes":[]})"}) {
    INFO(answer);
    auto const r = ask(answer);
    REQUIRE_FALSE(r);
    CHECK(r.error().is(errc::output_invalid));
    CHECK(r.error().message.find("the guard \"quotes\" keeps the answer back") != std::string::npos);
  }
  CHECK(scope.session("s").history()->empty());
  CHECK(ask(R"({"answer":"x","quotes":["takes 5W-30 oil"]})", "Which oil?", {.quotes_min = 2})
            .error()
            .is(errc::output_invalid));
  CHECK(ask(R"({"answer":"x","quotes":[]})", "Which oil?", {.member = "sources"}).error().is(errc::output_invalid));
}

TEST_CASE_METHOD(library, "a document that changed while the model answered no longer holds the quote") {
  auto const r = ask(R"({"answer":"5W-30.","quotes":["takes 5W-30 oil"]})");
  REQUIRE(r);
  ingest_document(scope, "boat.md", "# Boat\n\n## Engine\n\nThe engine is electric.\n").value();
  CHECK(cite_quotes(scope, *r, r->output.quotes).error().is(errc::output_invalid));
}

TEST_CASE_METHOD(library, "when nothing was recalled an answer may say so without a quote, but not with one") {
  CHECK(ask(R"({"answer":"It does not say.","quotes":[]})", "harbour fee"));
  CHECK_FALSE(ask(R"({"answer":"12 euro","quotes":["12 euro"]})", "harbour fee"));
}

TEST_CASE("guards are asked in turn, and the first refusal is told") {
  std::vector<std::string> asked;
  auto const guard = [&](std::string name, bool passes) {
    auto check = [&asked, name, passes](std::string_view answer, run_record const& run) -> result<void> {
      asked.push_back(name + ':' + std::string(answer) + ':' + std::to_string(run.steps.size()));
      if (!passes) return error{errc::denied, "not polite"};
      return {};
    };
    return output_guard{name, check};
  };
  auto const r = agent{scripted_model{say("hey")}}
                     .guard(guard("a", true))
                     .guard(guard("b", false))
                     .guard(guard("c", true))
                     .run("x");
  REQUIRE_FALSE(r);
  CHECK(r.error().is(errc::output_invalid));
  CHECK(r.error().message == "the guard \"b\" keeps the answer back: not polite");
  CHECK(asked == std::vector<std::string>{"a:hey:1", "b:hey:1"});
}
