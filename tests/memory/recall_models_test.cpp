#include "temp_dir.hpp"

#include <wherry/core/runtime.hpp>
#include <wherry/llm/local_encoder.hpp>
#include <wherry/llm/random_model.hpp>
#include <wherry/memory/transaction.hpp>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <limits>
#include <mutex>

using namespace wherry;
using namespace wherry_test;
using namespace std::chrono_literals;

namespace {

/// Scores by the longest word of a list that a text holds; remembers what it was asked.
class scripted_reranker final : public reranker {
 public:
  enum class behaviour { scores, fails, hangs, returns_too_few, returns_nan };
  explicit scripted_reranker(std::vector<std::pair<std::string, float>> script, behaviour how = behaviour::scores)
      : script_(std::move(script)), how_(how) {}

  encoder_info const& info() const noexcept override { return info_; }
  task<result<std::vector<float>>> async_score(std::string query, std::vector<std::string> texts,
                                               encode_text_options options) override {
    asked_query = query;
    asked_texts = texts;
    asked_until = options.until;
    if (how_ == behaviour::fails) co_return error{errc::model_failed, "the weights are gone", "test"};
    if (how_ == behaviour::hangs) {
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, 1h);
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    std::vector<float> out;
    for (auto const& text : texts) {
      float score = -10;
      for (auto const& [word, worth] : script_)
        if (text.find(word) != std::string::npos) score = std::max(score, worth);
      out.push_back(score);
    }
    if (how_ == behaviour::returns_too_few) out.pop_back();
    if (how_ == behaviour::returns_nan) out.front() = std::numeric_limits<float>::quiet_NaN();
    co_return out;
  }

  std::string asked_query;
  std::vector<std::string> asked_texts;
  deadline asked_until = no_deadline;

 private:
  std::vector<std::pair<std::string, float>> const script_;
  behaviour const how_;
  encoder_info info_{.name = "scripted", .fingerprint = "scripted"};
};

struct library {
  temp_dir dir;
  std::shared_ptr<manual_clock> time = std::make_shared<manual_clock>(1'700'000'000'000);
  store db{dir.path(), {.commit_durability = durability::os, .time_source = time}};
  scope_handle scope = db.scope({});

  ulid put(record r) {
    transaction tx{scope};
    auto const id = tx.put(std::move(r));
    tx.commit().value();
    return id;
  }
  void fill() {
    put({.kind = "fact", .text = "oil oil oil engine"});
    put({.kind = "fact", .text = "the oil of the engine is mineral"});
    put({.kind = "fact", .text = "a viscosity of 5W-30 is right for the oil of this engine"});
    put({.kind = "fact", .text = "engines like oil"});
  }
  static std::vector<std::string> texts(recall_result const& found) {
    std::vector<std::string> out;
    for (auto const& hit : found.hits) out.push_back(hit.record.text);
    return out;
  }
  result<recall_result> awaited(recall_query q, recall_options o) const {
    runtime loop;
    std::optional<result<recall_result>> out;
    loop.spawn([](scope_handle s, recall_query query, recall_options options,
                  std::optional<result<recall_result>>& into) -> task<void> {
      into = co_await scope_handle::async_recall(std::move(s), std::move(query), std::move(options));
    }(scope, std::move(q), std::move(o), out));
    loop.run();
    return *out;
  }
};
recall_query const asked{.text = "which oil for the engine", .limit = 3};

}  // namespace

TEST_CASE_METHOD(library, "a re-ranker puts the best hits in its own order and says so", "[memory]") {
  fill();
  auto const before = texts(scope.recall(asked).value());
  auto const judge = std::make_shared<scripted_reranker>(
      std::vector<std::pair<std::string, float>>{{"5W-30", 3.F}, {"mineral", 1.F}, {"like", -2.F}});
  recall_options const options{.reranker = judge};
  for (auto const& found : {scope.recall(asked, options).value(), awaited(asked, options).value()}) {
    REQUIRE(found.hits.size() == 3);
    CHECK(found.degraded.empty());
    CHECK(found.hits[0].record.text.find("5W-30") != std::string::npos);
    CHECK(found.hits[1].record.text.find("mineral") != std::string::npos);
    CHECK(found.hits[2].record.text.find("like") != std::string::npos);
    CHECK(judge->asked_query == asked.text);
    CHECK(judge->asked_texts.size() == 4);  // more than the limit: what it puts on top may come from below
    CHECK(judge->asked_until != no_deadline);
    auto const& first = found.hits[0];
    CHECK(first.rerank_score == 3);
    REQUIRE(first.reranked_from > 0);
    CHECK(judge->asked_texts[first.reranked_from - 1] == first.record.text);
    CHECK(explain(first).find("re-ranker 3 (was " + std::to_string(first.reranked_from) + ')') != std::string::npos);
    auto const expected = first.recency * first.importance * first.proof * first.origin / (1 + std::exp(-3.0));
    CHECK(std::abs(first.score - expected) < 1e-9);
  }
  CHECK(texts(scope.recall(asked).value()) == before);
  CHECK(scope.recall(asked).value().hits[0].reranked_from == 0);
}

TEST_CASE_METHOD(library, "what a re-ranker did not read comes after what it read", "[memory]") {
  fill();
  auto const plain = texts(scope.recall({.text = asked.text, .limit = 4}).value());
  auto const judge = std::make_shared<scripted_reranker>(std::vector<std::pair<std::string, float>>{});
  auto const found =
      scope.recall({.text = asked.text, .limit = 4, .newest_first = false}, {.reranker = judge, .reranked = 2}).value();
  REQUIRE(found.hits.size() == 4);
  CHECK(judge->asked_texts.size() == 2);
  CHECK(found.hits[1].reranked_from > 0);
  CHECK(found.hits[2].reranked_from == 0);
  for (std::size_t i = 1; i < 4; ++i) CHECK(found.hits[i - 1].score >= found.hits[i].score);
  CHECK(texts(found)[3] == plain[3]);
}

TEST_CASE_METHOD(library, "a re-ranker that fails, is late or talks nonsense leaves the order, and is told",
                 "[memory]") {
  fill();
  using how = scripted_reranker::behaviour;
  auto const plain = texts(scope.recall(asked).value());
  std::vector<std::pair<how, std::string>> const cases{{how::fails, "the weights are gone"},
                                                       {how::hangs, "did not end before its deadline"},
                                                       {how::returns_too_few, "3 scores for 4 texts"},
                                                       {how::returns_nan, "not a number"}};
  for (auto const& [behaviour, word] : cases) {
    CAPTURE(word);
    recall_options options{.reranker = std::make_shared<scripted_reranker>(
                               std::vector<std::pair<std::string, float>>{{"5W-30", 3.F}}, behaviour)};
    options.model_time = 20ms;
    for (auto const& found : {scope.recall(asked, options).value(), awaited(asked, options).value()}) {
      CHECK(texts(found) == plain);
      REQUIRE(found.degraded.size() == 1);
      CHECK(found.degraded[0].starts_with("re-ranker: "));
      CHECK(found.degraded[0].find(word) != std::string::npos);
      CHECK(found.hits[0].reranked_from == 0);
    }
  }
}

TEST_CASE_METHOD(library, "a budget of bytes holds for the order of the re-ranker", "[memory]") {
  auto const large = std::string("oil ") + std::string(200, 'x') + " answer";
  put({.kind = "fact", .text = large});
  put({.kind = "fact", .text = "oil oil oil"});
  auto const judge =
      std::make_shared<scripted_reranker>(std::vector<std::pair<std::string, float>>{{"answer", 5.F}, {"oil", 1.F}});
  recall_query q{.text = "oil", .text_bytes_max = 215};
  CHECK(texts(scope.recall(q, {.reranker = judge}).value()) == std::vector{large});
  q.text_bytes_max = 100;
  CHECK(texts(scope.recall(q, {.reranker = judge}).value()) == std::vector<std::string>{"oil oil oil"});
}

TEST_CASE_METHOD(library, "a re-ranker reads title and text, cut on a code point", "[memory]") {
  put({.kind = "fact", .text = "oil ééé", .title = "Ann"});
  auto const judge = std::make_shared<scripted_reranker>(std::vector<std::pair<std::string, float>>{});
  recall_options options{.reranker = judge};
  options.reranked_text_bytes_max = 12;
  scope.recall({.text = "oil"}, options).value();
  CHECK(judge->asked_texts == std::vector<std::string>{"Ann: oil é"});
}

TEST_CASE_METHOD(library, "options out of bounds are refused, and so is a blocking recall with a model on a loop",
                 "[memory]") {
  fill();
  auto const judge = std::make_shared<scripted_reranker>(std::vector<std::pair<std::string, float>>{});
  for (auto const count : {std::size_t{0}, reranked_max + 1})
    CHECK(scope.recall(asked, {.reranker = judge, .reranked = count}).error().is(errc::invalid_argument));
  recall_options none{.reranker = judge};
  none.model_time = 0ms;
  CHECK(awaited(asked, none).error().is(errc::invalid_argument));
  none = {.reranker = judge};
  none.reranked_text_bytes_max = 0;
  CHECK(awaited(asked, none).error().is(errc::invalid_argument));

  runtime loop;
  std::optional<result<recall_result>> blocked;
  loop.spawn(
      [](scope_handle s, std::shared_ptr<reranker> model, std::optional<result<recall_result>>& into) -> task<void> {
        recall_options const options{.reranker = std::move(model)};
        into = s.recall(asked, options);
        co_return;
      }(scope, judge, blocked));
  loop.run();
  REQUIRE(blocked);
  CHECK(blocked->error().is(errc::would_block_loop));
}

TEST_CASE_METHOD(library, "an embedder embeds the question, and what it lacks is told", "[memory]") {
  auto const encoder = local_encoder::from(make_random_encoder().value()).value();
  auto const model = encoder.as_embedder().value();
  fill();
  recall_options const options{.embedder = model};
  auto const without = scope.recall(asked, options).value();
  REQUIRE(without.degraded.size() == 1);
  CHECK(without.degraded[0].find("no record has a vector") != std::string::npos);
  CHECK(without.hits.size() == 3);

  for (auto const& r : scope.records().value()) {
    auto const made = model->embed({r.text}).value();
    transaction tx{scope};
    tx.embed(r.id, {model->info().fingerprint, made.values});
    tx.commit().value();
  }
  recall_query q = asked;
  auto const question = model->embed({q.text}, text_purpose::query).value();
  q.vectors = {{model->info().fingerprint, question.values}};
  auto const given = scope.recall(q).value();
  for (auto const& found :
       {scope.recall(asked, options).value(), awaited(asked, options).value(), scope.recall(q, options).value()}) {
    CHECK(found.degraded.empty());
    CHECK(texts(found) == texts(given));
    REQUIRE(found.hits[0].arms.size() == 2);
    CHECK(found.hits[0].arms[1].name == "vector");
    CHECK(found.hits[0].arms == given.hits[0].arms);
  }
  recall_query silent = asked;
  silent.weights.vector = 0;
  CHECK(scope.recall(silent, options).value().hits[0].arms.size() == 1);
}

TEST_CASE_METHOD(library, "a transformer of this process re-ranks", "[memory]") {
  fill();
  auto const model =
      local_encoder::from(make_random_encoder({.head_outputs = 1}).value()).value().as_reranker().value();
  auto const found = awaited(asked, {.reranker = model}).value();
  CHECK(found.degraded.empty());
  REQUIRE(found.hits.size() == 3);
  for (auto const& hit : found.hits) {
    auto const alone = model->score(asked.text, {hit.record.text}).value();
    CHECK(hit.rerank_score == static_cast<double>(alone[0]));
  }
}
