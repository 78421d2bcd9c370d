#include <wherry/agent/agent.hpp>
#include <wherry/agent/extraction.hpp>
#include <wherry/agent/memory_context.hpp>
#include <wherry/agent/memory_tools.hpp>
#include <wherry/core/json.hpp>
#include <wherry/llm/local_model.hpp>
#include <wherry/llm/random_model.hpp>
#include <wherry/llm/scripted_model.hpp>
#include <wherry/memory/quote.hpp>
#include <wherry/memory/store.hpp>
#include <wherry/memory/transaction.hpp>

#include "fact_rules.hpp"
#include "temp_dir.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <functional>
#include <optional>

using namespace wherry;
using namespace wherry_test;

namespace {

struct told_fact {
  std::string quote, fact;
  std::string subject = "user", attribute = {}, kind = "fact";
};

/// What a model answers that finds these facts.
script_line finds(std::vector<told_fact> const& facts) {
  json j;
  j["facts"] = json::array();
  for (auto const& f : facts) {
    json one{{"quote", f.quote}, {"fact", f.fact}, {"kind", f.kind}, {"subject", f.subject}};
    if (!f.attribute.empty()) one["attribute"] = f.attribute;
    j["facts"].push_back(std::move(one));
  }
  return say(to_text(j));
}

struct learner {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'764'000'000'000);
  std::optional<store> db{open()};
  std::optional<scope_handle> scope{db->scope({.tenant = "acme", .user = "7"})};

  store open() const { return store{dir.path(), {.commit_durability = durability::os, .time_source = time}}; }

  void talk(std::vector<script_line> script, std::string const& text, std::string const& session = "one") const {
    auto desk = agent{scripted_model{std::move(script)}}.learns().time_source(time);
    for (auto& t : memory_tools(*scope)) desk = desk.with(std::move(t));
    desk = desk.with(
        tool("look_up", "Looks up.", [] { return std::string("The harbour fee is 12 euro a night."); }).reads());
    auto const r = desk.run(text, scope->session(session));
    REQUIRE(r);
  }
  extraction_report learn(std::vector<script_line> script) const {
    scripted_model const fake{std::move(script)};
    auto const done = fact_extractor{fake}.next(*scope);
    REQUIRE(done);
    REQUIRE(*done);
    REQUIRE(fake.finish());
    return **done;
  }
  /// In the order in which they were said; ids of one millisecond have none.
  std::vector<record> records() const {
    auto out = scope->records().value();
    std::ranges::sort(out, {}, [](record const& r) { return std::pair(r.source.first_seq, r.source.begin); });
    return out;
  }
};

/// Something happens while it is asked.
class interrupted_model final : public model {
 public:
  interrupted_model(script_line line, std::function<void()> meanwhile)
      : inner_(scripted_model{std::move(line)}), meanwhile_(std::move(meanwhile)) {}
  model_info const& info() const noexcept override { return inner_->info(); }
  result<std::unique_ptr<model_stream>> submit(model_request request) override {
    meanwhile_();
    return inner_->submit(std::move(request));
  }

 private:
  std::shared_ptr<model> inner_;
  std::function<void()> meanwhile_;
};

std::vector<std::string> by_rules(std::string const& text) {
  std::vector<std::string> out;
  for (auto const& f : detail::facts_by_rules(text))
    out.push_back(f.kind + '|' + f.attribute + '|' + text.substr(f.at.begin, f.at.end - f.at.begin));
  return out;
}

}  // namespace

TEST_CASE_METHOD(learner, "the end of a kept run is committed with a job; other ends are not") {
  talk({say("ok")}, "I live in Busan.");
  REQUIRE(scope->jobs()->size() == 1);
  auto const job = scope->jobs()->at(0);
  CHECK(job.kind == extraction_job_kind);
  auto const payload = parse_json(job.payload).value();
  CHECK(payload["session"] == "one");
  CHECK(payload["first_seq"] == 1);
  CHECK(payload["last_seq"] == scope->session("one").last_seq().value());

  agent{scripted_model{say("ok")}}.run("I live in Seoul.", scope->session("two")).value();
  CHECK_FALSE(agent{scripted_model{breaks("", errc::model_failed)}}.learns().run("I live.", scope->session("three")));
  CHECK_FALSE(agent{scripted_model{breaks("half", errc::model_failed)}}
                  .learns()
                  .limits({.steps = 1})
                  .run("I live.", scope->session("four")));
  std::size_t jobs = 0;
  for (auto const& j : scope->jobs().value()) jobs += j.payload.find("\"three\"") != std::string::npos;
  CHECK(jobs == 0);
}

TEST_CASE_METHOD(learner, "each fact cites the bytes it stands on; what cites nothing that was said is refused") {
  talk({call("look_up", "{}"), say("Your dog is called Momo and you have two cats.")},
       "Hello! I live in 부산 now. What is the harbour fee?");
  auto const report = learn({finds({{"I live in 부산 now.", "The user lives in Busan.", "user", "home city"},
                                    {"I live in Busan now.", "The user lives by the sea."},
                                    {"Your dog is called Momo", "The user has a dog called Momo."},
                                    {"", "The user is nice."},
                                    {"I live in 부산 now.", "The user has lived in Busan for 30 years."}}),
                             finds({{"12 euro", "The harbour fee is 12 euro.", "harbour", "fee"}})});
  CHECK(report.by == "model");
  CHECK(report.texts == 2);
  CHECK(report.count(remembered::created) == 2);
  CHECK(report.without_span == 3);
  CHECK(report.number_not_said == 1);
  auto const all = records();
  REQUIRE(all.size() == 2);
  CHECK(all[0].text == "The user lives in Busan.");
  CHECK(all[0].origin == record_origin::user);
  CHECK(all[0].valid_from == time->now());
  CHECK(quote_of(*scope, all[0]).value() == "I live in 부산 now.");
  CHECK(all[1].origin == record_origin::tool);
  CHECK(quote_of(*scope, all[1]).value() == "12 euro");
  CHECK(scope->jobs()->empty());
  CHECK_FALSE(*fact_extractor{}.next(*scope));
}

TEST_CASE_METHOD(learner, "recalled text is not learnt again, whoever hands it back") {
  transaction tx{*scope};
  tx.put({.kind = "fact", .text = "The user keeps a blue boat in the harbour of Busan."});
  tx.commit().value();
  auto const desk = [&](std::vector<script_line> script) {
    auto out = agent{scripted_model{std::move(script)}}.with(memory_context(*scope)).learns();
    for (auto& t : memory_tools(*scope)) out = out.with(std::move(t));
    return out.with(tool("echo", "Says it again.", {"text"}, [](std::string text) { return text; }).reads());
  };
  REQUIRE(desk({call("recall", R"({"question":"blue boat"})"),
                call("echo", R"({"text":"The user keeps a blue boat in the harbour of Busan."})"), say("ok")})
              .run("You said: the user keeps a blue boat in the harbour of Busan.", scope->session("one")));
  auto const quote = "the user keeps a blue boat in the harbour of Busan";
  // The result of recall is not even read: two pieces, the message and the echo.
  auto const report =
      learn({finds({{quote, "The user owns a boat."}, {quote, "The user keeps a blue boat in the harbour of Busan."}}),
             finds({{"The user keeps a blue boat in the harbour of Busan.", "The user has a blue boat."}})});
  CHECK(report.texts == 2);
  CHECK(report.recalled == 3);
  CHECK(report.facts.empty());
  CHECK(records().size() == 1);
  CHECK(records()[0].proofs == 1);

  SECTION("but a user who says it again in a sentence of his own gives it a proof") {
    REQUIRE(desk({say("ok")}).run("Yes. The user keeps a blue boat in the harbour of Busan!", scope->session("one")));
    auto const again = learn({finds({{"The user keeps a blue boat in the harbour of Busan!",
                                      "The user keeps a blue boat in the harbour of Busan.", "boat", "place"}})});
    CHECK(again.count(remembered::same) == 1);
    CHECK(records().size() == 1);
    CHECK(records()[0].proofs == 2);
  }
}

TEST_CASE_METHOD(learner, "a job that is done twice gives the same, and proves nothing more") {
  talk({say("ok")}, "I live in Busan.");
  auto again = scope->jobs()->at(0);
  std::vector<told_fact> const facts{{"I live in Busan.", "The user lives in Busan."}};
  CHECK(learn({finds(facts)}).count(remembered::created) == 1);
  again.id = {};
  transaction known{*scope};
  known.job(again);  // its key is known for ever
  known.commit().value();
  CHECK(scope->jobs()->empty());
  again.idempotency_key = "another";
  transaction tx{*scope};
  tx.job(again);
  tx.commit().value();
  CHECK(learn({finds(facts)}).count(remembered::same) == 1);
  REQUIRE(records().size() == 1);
  CHECK(records()[0].proofs == 1);
}

TEST_CASE_METHOD(learner, "a job that was begun and not ended is done after its lease, by another process too") {
  talk({say("ok")}, "I live in Busan.");
  REQUIRE(scope->claim_job(extraction_job_kind, std::chrono::minutes(10)).value());
  scope.reset();
  db.reset();
  db.emplace(open());
  scope.emplace(db->scope({.tenant = "acme", .user = "7"}));
  CHECK_FALSE(fact_extractor{}.next(*scope).value());
  time->advance(std::chrono::minutes(11));
  auto const done = fact_extractor{}.next(*scope).value();
  REQUIRE(done);
  CHECK(done->by == "rules");
  CHECK(done->count(remembered::created) == 1);
  CHECK(records().size() == 1);
}

TEST_CASE_METHOD(learner, "of two workers on one job the later writes nothing") {
  talk({say("ok")}, "I live in Busan.");
  auto const llm = std::make_shared<interrupted_model>(finds({{"I live in Busan.", "The user lives in Busan."}}), [&] {
    transaction other{*scope};
    other.finish(scope->jobs()->at(0).id);
    other.commit().value();
  });
  auto const late = fact_extractor{llm}.next(*scope);
  REQUIRE_FALSE(late);
  CHECK(late.error().is(errc::conflict));
  CHECK(records().empty());
}

TEST_CASE_METHOD(learner, "a model that keeps failing is replaced by the rules") {
  talk({say("ok")}, "I live in Busan.");
  scripted_model const broken{say("no JSON"), say("no JSON")};
  fact_extractor const worker{broken, {.attempts_max = 2}};
  for (int i = 0; i < 2; ++i) {
    CHECK(worker.next(*scope).error().is(errc::output_invalid));
    CHECK_FALSE(*worker.next(*scope));  // it is held
    time->advance(std::chrono::minutes(11));
  }
  auto const done = worker.next(*scope).value();
  REQUIRE(done);
  CHECK(done->by == "rules");
  CHECK(done->degraded.size() == 1);
  CHECK(records().at(0).text == "I live in Busan.");
}

TEST_CASE_METHOD(learner, "facts and jobs go when their session is erased") {
  talk({say("ok")}, "I live in Busan.");
  REQUIRE(fact_extractor{}.next(*scope).value());
  talk({say("ok")}, "I like tea.");
  talk({say("ok")}, "I like coffee.", "two");
  CHECK(scope->jobs()->size() == 2);
  CHECK(scope->erase({.sessions = {"one"}}).value().records == 1);
  CHECK(records().empty());
  REQUIRE(scope->jobs()->size() == 1);
  CHECK(scope->jobs()->at(0).payload.find("two") != std::string::npos);
}

TEST_CASE_METHOD(learner, "what would not fit into a record is refused alone") {
  talk({say("ok")}, "My " + std::string(2000, 'a') + " is red. I live in Busan.");
  auto const done = fact_extractor{}.next(*scope).value();
  REQUIRE(done);
  CHECK(done->unusable == 1);
  CHECK(records().size() == 1);
}

TEST_CASE_METHOD(learner, "a payload that cannot be read is told, and does not come back") {
  for (auto const* payload : {"nonsense", "[]", "{}", R"({"session":"one","run":"x","first_seq":1,"last_seq":2})"}) {
    transaction tx{*scope};
    tx.job({.kind = extraction_job_kind, .payload = payload});
    tx.commit().value();
    auto const done = fact_extractor{}.next(*scope).value();
    REQUIRE(done);
    CHECK(done->degraded.size() == 1);
    CHECK(scope->jobs()->empty());
  }
}

TEST_CASE_METHOD(learner, "a local model can only quote sentences that were said") {
  local_model const llm = local_model::from(make_random_model().value()).value();
  auto const said = std::string("The boat is blue. I live in Busan, by the sea! ") + "Reef above 15 knots.";
  talk({say("ok")}, said);
  auto const done = fact_extractor{llm, {.answer_tokens = 400}}.next(*scope);
  REQUIRE(done);
  REQUIRE(*done);
  CHECK((*done)->by == "model");
  CHECK((*done)->without_span == 0);
  for (auto const& r : records()) {
    auto const quote = quote_of(*scope, r).value();
    CHECK((quote == "The boat is blue." || quote == "I live in Busan, by the sea!" || quote == "Reef above 15 knots."));
  }
}

TEST_CASE("rules find what users plainly say of themselves") {
  using lines = std::vector<std::string>;
  CHECK(by_rules("Hi. I live in Busan. I like tea and my dog's name is Momo!") ==
        lines{"fact|home|I live in Busan.", "preference||I like tea and my dog's name is Momo!"});
  CHECK(by_rules("My favourite tea is oolong") == lines{"fact|favourite tea|My favourite tea is oolong"});
  CHECK(by_rules("please remember that the boat needs oil.") == lines{"fact||the boat needs oil."});
  CHECK(by_rules("Ich heiße Anna.\nMeine Katze ist alt.") ==
        lines{"fact|name|Ich heiße Anna.", "fact|katze|Meine Katze ist alt."});
  CHECK(by_rules("저는 녹차를 좋아해요. 제 이름은 지은이야") ==
        lines{"preference||저는 녹차를 좋아해요.", "fact||제 이름은 지은이야"});
  for (auto const* nothing : {"", "   \n", "Where do I live?", "I would like tea.", "My question is how to sail.",
                              "I live in hope if it rains.", "Maybe I like tea.", "What is my name?", "저는 누구예요?",
                              "remember that ", "v1.2.3 is out"})
    CHECK(by_rules(nothing).empty());
}
