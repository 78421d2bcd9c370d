#include <wherry/llm/local_encoder.hpp>
#include <wherry/llm/local_model.hpp>
#include <wherry/llm/local_sequence_to_sequence.hpp>
#include <wherry/llm/random_model.hpp>

#include "tiny_models.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>

using namespace wherry;
using wherry_test::tiny_t5;

namespace {

local_encoder encoder(random_encoder_options const& options = {}, local_encoder_options how = {}) {
  how.kernels = "scalar";
  return local_encoder::from(make_random_encoder(options).value(), how).value();
}

double length_of(std::span<float const> v) {
  double squares = 0;
  for (double x : v) squares += x * x;
  return std::sqrt(squares);
}

}  // namespace

TEST_CASE("embeddings are unit vectors that do not depend on batch or threads", "[unit][encoder]") {
  std::vector<std::string> texts{"the river", "the bank of the river .", "money", "the boat", "bank"};
  auto const alone = encoder({}, {.threads = 1, .texts_at_once = 1}).as_embedder().value();
  auto const together = encoder({}, {.threads = 3, .texts_at_once = 100}).as_embedder().value();
  auto const a = alone->embed(texts), b = together->embed(texts);
  REQUIRE(a.has_value());
  REQUIRE(b.has_value());
  CHECK(a->size() == texts.size());
  CHECK(a->dimensions == 64);
  CHECK(a->values == b->values);
  CHECK(a->token_count == 4 + 8 + 3 + 4 + 3);
  for (std::size_t i = 0; i < a->size(); ++i) CHECK(std::abs(length_of((*a)[i]) - 1) < 1e-6);
  CHECK(alone->embed({}).value().size() == 0);
}

TEST_CASE("a prefix belongs to its purpose", "[unit][encoder]") {
  auto const plain = encoder().as_embedder().value();
  auto const prefixed = encoder({}, {.query_prefix = "the "}).as_embedder().value();
  CHECK(prefixed->embed({"river"}, text_purpose::document)->values == plain->embed({"river"})->values);
  CHECK(prefixed->embed({"river"}, text_purpose::query)->values == plain->embed({"the river"})->values);
}

TEST_CASE("an overlong text is refused by number, or shortened on request", "[unit][encoder]") {
  auto const model = encoder({.context_length = 8}).as_embedder().value();
  auto const refused = model->embed({"river", "a b c d e f g h i j"});
  REQUIRE(refused.has_error());
  CHECK(refused.error().is(errc::context_overflow));
  CHECK(refused.error().message.find("text 1 has 12 tokens") != std::string::npos);
  auto const shortened = model->embed({"a b c d e f g h i j"}, {}, {.overlong = overlong_text::shorten});
  CHECK(shortened->values == model->embed({"a b c d e f"})->values);  // and its end mark
}

TEST_CASE("a deadline that has passed ends the reading of texts", "[unit][encoder]") {
  auto const model = encoder().as_embedder().value();
  auto const late = model->embed({"river"}, {}, {.until = deadline::min()});
  REQUIRE(late.has_error());
  CHECK(late.error().is(errc::deadline_exceeded));
}

TEST_CASE("what a file cannot do is refused, saying what is missing", "[unit][encoder]") {
  auto const plain = encoder();
  CHECK(plain.as_reranker().error().is(errc::unsupported));
  CHECK(plain.as_classifier().error().is(errc::unsupported));
  CHECK(plain.fill_mask("[MASK]").error().message.find("mlm.dense") != std::string::npos);
  auto const ranking = encoder({.head_outputs = 1});
  CHECK(ranking.as_embedder().error().message.find("rank") != std::string::npos);
  CHECK(local_model::from(make_random_encoder().value()).error().message.find("embed or rank") != std::string::npos);
  CHECK(local_encoder::from(tiny_t5()).error().message.find("sequence_to_sequence") != std::string::npos);
  CHECK(sequence_to_sequence_from(make_random_encoder().value()).error().message.find("encoder-decoders are t5") !=
        std::string::npos);
}

TEST_CASE("a re-ranker scores each text with the query, in their order", "[unit][encoder]") {
  auto const model = encoder({.head_outputs = 1}, {.texts_at_once = 2}).as_reranker().value();
  std::vector<std::string> texts{"the river", "money", "the boat", "the river"};
  auto const scores = model->score("bank", texts);
  REQUIRE(scores.has_value());
  REQUIRE(scores->size() == 4);
  CHECK((*scores)[0] == (*scores)[3]);
  CHECK((*scores)[0] != (*scores)[1]);
  CHECK(model->score("bank", {"money"})->front() == (*scores)[1]);
  CHECK(model->score("money", {"bank"})->front() != (*scores)[1]);  // the order of the two tells them apart
}

TEST_CASE("a classifier names its labels, the most likely first", "[unit][encoder]") {
  auto const model = encoder({.head_outputs = 3, .labels = {"calm", "wild", "dry"}}).as_classifier().value();
  auto const classes = model->classify({"the river", "money"});
  REQUIRE(classes.has_value());
  REQUIRE(classes->size() == 2);
  for (auto const& scores : *classes) {
    REQUIRE(scores.size() == 3);
    double total = 0;
    for (auto const& s : scores) total += s.probability;
    CHECK(std::abs(total - 1) < 1e-6);
    CHECK(std::is_sorted(scores.begin(), scores.end(), [](auto const& a, auto const& b) { return a.logit > b.logit; }));
  }
  CHECK(make_random_encoder({.head_outputs = 2, .labels = {"one"}}).error().is(errc::invalid_argument));
}

TEST_CASE("a mask is filled with the likeliest tokens", "[unit][encoder]") {
  auto const model = encoder({.token_head = true});
  auto const guesses = model.fill_mask("the [MASK] .", 4);
  REQUIRE(guesses.has_value());
  REQUIRE(guesses->size() == 4);
  CHECK((*guesses)[0].probability >= (*guesses)[1].probability);
  CHECK(model.fill_mask("the river").error().is(errc::invalid_argument));
}

TEST_CASE("one text becomes another, the same for every thread count", "[unit][encoder]") {
  for (bool const gated : {true, false}) {
    auto const one = sequence_to_sequence_from(tiny_t5(3, gated), {.kernels = "scalar", .threads = 1}).value();
    auto const two = sequence_to_sequence_from(tiny_t5(3, gated), {.kernels = "scalar", .threads = 2}).value();
    std::string streamed;
    transform_options options{.max_tokens = 12};
    options.on_text = [&](std::string_view text) { streamed += text; };
    auto const a = one->transform("abc def", options);
    REQUIRE(a.has_value());
    CHECK(streamed == a->text);
    CHECK(a->prompt_tokens > 3);
    CHECK((a->cut_off ? a->completion_tokens == 12 : a->completion_tokens < 12));
    CHECK(two->transform("abc def", {.max_tokens = 12})->text == a->text);
    CHECK(one->transform("xyz", {.max_tokens = 12})->prompt_tokens != 0);
  }
}

TEST_CASE("a transformation refuses what it cannot do", "[unit][encoder]") {
  auto const model = sequence_to_sequence_from(tiny_t5(), {.kernels = "scalar"}).value();
  CHECK(model->transform(std::string(200, 'a')).error().is(errc::context_overflow));
  CHECK(model->transform("a", {.max_tokens = 0}).error().is(errc::invalid_argument));
  CHECK(model->transform("a", {.until = deadline::min()}).error().is(errc::deadline_exceeded));
}
