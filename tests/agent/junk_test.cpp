// A conversation of 500 messages whose extraction is as bad as models are: repeats, paraphrases, what was recalled
// handed back, and inventions. What stays must be what was said, once.

#include <wherry/agent/agent.hpp>
#include <wherry/agent/extraction.hpp>
#include <wherry/agent/memory_context.hpp>
#include <wherry/agent/memory_tools.hpp>
#include <wherry/core/json.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/quote.hpp>
#include <wherry/memory/store.hpp>

#include "temp_dir.hpp"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <cctype>

using namespace wherry;
using namespace wherry_test;

namespace {

constexpr std::array colours{"red", "green", "blue", "amber", "violet", "black", "white", "grey", "teal", "pink"};
constexpr std::size_t bases = 50;

/// The sentence of a base fact, or of one that is off by a person, a verb, a number, a unit, a day, a colour.
std::string pays(std::size_t n, std::string const& who_prefix = "Person", char const* verb = "pays",
                 std::string const& more = "", char const* unit = "euro", std::string const& day_prefix = "",
                 std::string const& end = "") {
  return who_prefix + std::to_string(n) + ' ' + verb + ' ' + std::to_string(10 + n) + more + ' ' + unit + " on day " +
         day_prefix + std::to_string(1 + n % 28) + " for the " + colours[n % colours.size()] + end + " bicycle.";
}

std::array<std::string, 6> near_misses(std::size_t n) {
  return {pays(n, "Person", "pays", "0"),  // another number
          pays(n, "Person", "pays", "", "euro", "3"),
          pays(n, "Persona"),
          pays(n, "Person", "never pays"),
          pays(n, "Person", "pays", "", "cent"),
          pays(n, "Person", "pays", "", "euro", "", "ish")};
}

std::string loud(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return "  " + text;
}

/// What a user says, and what a model makes of it.
struct turn {
  std::string says;
  std::vector<std::pair<std::string, std::string>> finds;  ///< Quote and fact.
};

struct long_talk {
  temp_dir dir;
  store db{dir.path(), {.commit_durability = durability::os}};
  scope_handle scope = db.scope({.tenant = "acme", .user = "7"});
  session in = scope.session("long");
  std::vector<extraction_report> reports;
  std::size_t runs = 0;

  extraction_report hear(turn const& t, bool echoes = false) {
    ++runs;
    std::vector<script_line> script;
    if (echoes) {
      json again;
      again["text"] = t.says;
      script = {call("recall", R"({"question":"who pays for which bicycle"})"), call("echo", to_text(again))};
    }
    script.push_back(say("I see."));
    auto desk = agent{scripted_model{std::move(script)}}
                    .with(memory_context(scope))
                    .learns()
                    .durability(durability::os)
                    .with(tool("echo", "Says it.", {"text"}, [](std::string text) { return text; }).reads());
    for (auto& tool : memory_tools(scope)) desk = desk.with(std::move(tool));
    REQUIRE(desk.run(echoes ? "Go on." : t.says, in));

    json answer;
    answer["facts"] = json::array();
    for (auto const& [quote, fact] : t.finds)
      answer["facts"].push_back({{"quote", quote}, {"fact", fact}, {"kind", "fact"}, {"subject", "friends"}});
    std::vector<script_line> found{say(to_text(answer))};
    if (echoes) found.insert(found.begin(), say(R"({"facts":[]})"));  // of "Go on."
    scripted_model const reader{std::move(found)};
    auto const done = fact_extractor{reader}.next(scope);
    REQUIRE(done);
    REQUIRE(*done);
    REQUIRE(reader.finish());
    return **done;
  }
};

}  // namespace

TEST_CASE_METHOD(long_talk, "of 500 messages of repeats, look-alikes, echoes and inventions only what was said stays",
                 "[memory]") {
  std::size_t created = 0, merged = 0, told = 0, missed = 0, recalled = 0, invented = 0;
  for (std::size_t n = 0; n < bases; ++n) created += hear({pays(n), {{pays(n), pays(n)}}}).facts.size();
  CHECK(created == bases);

  constexpr std::size_t repeats = 40, forms = 30;
  for (std::size_t n = 0; n < repeats; ++n) merged += hear({pays(n), {{pays(n), pays(n)}}}).count(remembered::same);
  for (std::size_t n = 0; n < forms; ++n) {
    auto const form = loud(pays(n));
    merged += hear({form + " Right?", {{form.substr(2), form}}}).count(remembered::merged);
  }
  CHECK(merged == repeats + forms);

  std::size_t by_number = 0;
  for (std::size_t n = 0; n < bases; ++n) {
    turn t;
    for (auto const& sentence : near_misses(n)) {
      t.says += sentence + ' ';
      t.finds.emplace_back(sentence, sentence);
    }
    auto const report = hear(t);
    missed += report.count(remembered::created);
    for (auto const& f : report.facts) by_number += f.similar != ulid{};
  }
  CHECK(missed == 300);
  CHECK(by_number == 300);

  std::size_t const paraphrases = 20;
  for (std::size_t n = 0; n < paraphrases; ++n) {
    auto const said = "For the " + std::string(colours[n % 10]) + " bicycle " + std::to_string(10 + n) +
                      " euro on day " + std::to_string(1 + n) + " is what Person" + std::to_string(n) + " pays.";
    auto const report = hear({said, {{said, said}}});
    for (auto const& f : report.facts) told += f.outcome == remembered::created && f.similar != ulid{};
  }
  CHECK(told == paraphrases);

  for (std::size_t n = 0; n < 10; ++n) {
    auto const known = pays(n), other = "Person" + std::to_string(n) + " is rich.";
    recalled += hear({"You told me: " + known, {{known, known}, {known, other}}}).recalled;
    recalled += hear({"> " + known + "\nWhy?", {{known, known}, {"> " + known, other}}}).recalled;
    recalled += hear({known, {{known, known}, {known, other}}}, true).recalled;
  }
  CHECK(recalled == 60);

  auto const before = scope.records(ulid{}, 1000).value();
  CHECK(before.size() == bases + 300 + paraphrases);
  for (auto const& r : before) CHECK(r.text.find("rich") == std::string::npos);
  for (std::size_t n = 0; n < bases - paraphrases; ++n) {
    auto const colour = std::string(colours[n % 10]);
    auto const said = "What about number " + std::to_string(n) + ", the " + colour + " one?";
    auto const report = hear({said,
                              {{"the " + colour + " bicycle", "There is a bicycle."},
                               {"The " + colour + " one", "One is chosen."},
                               {said, "Person" + std::to_string(n) + " owes 977 euro."}}});
    invented += report.without_span + report.number_not_said;
    CHECK(report.facts.empty());
  }
  CHECK(invented == 3 * (bases - paraphrases));

  CHECK(2 * runs == 500);
  CHECK(scope.records(ulid{}, 1000).value() == before);
  std::size_t spans = 0;
  for (auto const& r : before) {
    auto const quote = quote_of(scope, r);
    spans += quote && !quote->empty() && same_but_for_form(*quote, r.text);
  }
  CHECK(spans == before.size());
  CHECK(scope.jobs()->empty());
  CHECK(in.history()->size() >= 500);
  CHECK(db.verify().value().problems.empty());
}
