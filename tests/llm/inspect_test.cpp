#include <wherry/llm/inspect.hpp>
#include <wherry/llm/random_model.hpp>

#include "engine/transformer.hpp"
#include "tiny_models.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>

using namespace wherry;

namespace {

gguf_file decoder_file() {
  return make_random_model({.width = 32, .feed_forward = 48, .heads = 4, .kv_heads = 2}).value();
}

double sum_of(std::span<float const> values) {
  double total = 0;
  for (double v : values) total += v;
  return total;
}

}  // namespace

TEST_CASE("a decoder's attention looks back, sums to one, and is that of the answer", "[unit][inspect]") {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "once there was ";  // longer than a chunk of the prompt
  auto const seen = inspect(decoder_file(), text, {.kernels = "scalar"});
  if (!seen) FAIL(to_string(seen.error()));
  std::size_t const tokens = seen->text.tokens.size();
  CHECK(tokens > 100);
  CHECK(seen->kind == "decoder");
  CHECK(seen->text.attention.size() == 2 * 4);
  CHECK(seen->text.embedded.rows == tokens);
  REQUIRE(seen->text.residual.size() == 2);
  for (auto const& layer : seen->text.residual) CHECK(layer.rows == tokens);
  for (auto const& table : seen->text.attention) {
    REQUIRE(table.shares.rows == tokens);
    for (std::size_t row = 0; row < tokens; ++row) {
      CHECK(std::abs(sum_of(table.shares[row]) - 1) < 1e-5);
      CHECK(sum_of(table.shares[row].subspan(row + 1)) == 0);
    }
  }
  // The last layer's stream gives the model's own prediction.
  REQUIRE(seen->next_by_layer.size() == 3);
  CHECK(seen->next_by_layer.back().token.id == seen->next.front().token.id);
  CHECK(seen->next_by_layer.back().probability == seen->next.front().probability);
  CHECK(std::is_sorted(seen->next.begin(), seen->next.end(),
                       [](auto const& a, auto const& b) { return a.probability > b.probability; }));
}

TEST_CASE("one head of one layer is the same as among all", "[unit][inspect]") {
  auto const all = inspect(decoder_file(), "once there was", {.kernels = "scalar"}).value();
  auto const one = inspect(decoder_file(), "once there was", {.kernels = "scalar", .layer = 1, .head = 2}).value();
  REQUIRE(one.text.attention.size() == 1);
  CHECK(one.text.attention[0].layer == 1);
  CHECK(one.text.attention[0].head == 2);
  CHECK(one.text.attention[0].shares.values == all.text.attention[1 * 4 + 2].shares.values);
}

TEST_CASE("an encoder looks both ways", "[unit][inspect]") {
  auto const seen = inspect(make_random_encoder().value(), "the river", {.kernels = "scalar"}).value();
  CHECK(seen.kind == "encoder");
  REQUIRE(seen.text.tokens.size() == 4);
  CHECK(seen.text.tokens.front().piece == "[CLS]");
  CHECK(seen.context_vectors.rows == 4);
  CHECK(seen.context_vectors.values == seen.text.residual.back().values);
  bool ahead = false;
  for (auto const& table : seen.text.attention) {
    for (std::size_t row = 0; row < 4; ++row) CHECK(std::abs(sum_of(table.shares[row]) - 1) < 1e-5);
    ahead = ahead || table.shares[0][3] > 0;
  }
  CHECK(ahead);
  CHECK(seen.next.empty());
}

TEST_CASE("an encoder-decoder shows its context vectors and what the answer looks at", "[unit][inspect]") {
  auto const seen = inspect(wherry_test::tiny_t5(), "abc", {.kernels = "scalar", .answer_tokens = 5}).value();
  CHECK(seen.kind == "encoder-decoder");
  std::size_t const tokens = seen.text.tokens.size();
  CHECK(seen.context_vectors.rows == tokens);
  CHECK(seen.text.residual.size() == 3);
  REQUIRE(seen.answer.has_value());
  CHECK(seen.answer->residual.size() == 2);
  REQUIRE(!seen.answer->across.empty());
  for (auto const& table : seen.answer->across) {
    CHECK(table.shares.columns == tokens);
    for (std::size_t row = 0; row < table.shares.rows; ++row) CHECK(std::abs(sum_of(table.shares[row]) - 1) < 1e-5);
  }
}

TEST_CASE("what is not there cannot be looked at", "[unit][inspect]") {
  CHECK(inspect(decoder_file(), "a", {.layer = 2}).error().message.find("0 to 1") != std::string::npos);
  CHECK(inspect(decoder_file(), "a", {.head = 4}).error().message.find("0 to 3") != std::string::npos);
  CHECK(inspect(decoder_file(), "once there was", {.tokens_max = 2}).error().is(errc::limit_reached));
  CHECK(inspect(decoder_file(), "once there was", {.attention_bytes_max = 64}).error().is(errc::limit_reached));
}
