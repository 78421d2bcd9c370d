#include "engine/transformer.hpp"
#include "reference_forward.hpp"

#include <wherry/core/random.hpp>
#include <wherry/llm/random_model.hpp>
#include <wherry/llm/tokenizer.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>

using namespace wherry;
using namespace wherry::engine;

namespace {

constexpr std::array all_sets{kernel_set::scalar, kernel_set::avx2, kernel_set::avx512};

std::vector<kernel_set> runnable_sets() {
  std::vector<kernel_set> sets;
  for (auto set : all_sets)
    if (cpu_supports(set)) sets.push_back(set);
  return sets;
}

gguf_file model_file(random_model_options const& options = {}) {
  auto file = make_random_model(options);
  REQUIRE(file.has_value());
  return *file;
}

std::shared_ptr<transformer const> load(gguf_file const& file, kernel_set set = kernel_set::scalar) {
  auto model = transformer::load(file, set);
  REQUIRE(model.has_value());
  return *model;
}

std::vector<token_id> some_ids(std::size_t count, std::size_t vocabulary) {
  std::vector<token_id> ids(count);
  for (std::size_t i = 0; i < count; ++i)
    ids[i] = static_cast<token_id>(random_bits({7, 0, static_cast<std::uint32_t>(i)}) % vocabulary);
  return ids;
}

// The logits of every token, the ids being handed over in pieces of the given size.
std::vector<float> all_logits(transformer const& model, std::span<token_id const> ids, std::size_t piece,
                              unsigned threads = 1) {
  worker_pool pool(threads);
  auto sequence = model.make_sequence();
  std::size_t const vocabulary = model.configuration().vocabulary;
  std::vector<float> logits(ids.size() * vocabulary);
  for (std::size_t at = 0; at < ids.size(); at += piece) {
    std::size_t const count = std::min(piece, ids.size() - at);
    auto const out = std::span(logits).subspan(at * vocabulary, count * vocabulary);
    REQUIRE(model.forward(ids.subspan(at, count), *sequence, pool, out).has_value());
  }
  return logits;
}

double largest_difference(std::vector<float> const& got, wherry_test::rows const& want) {
  double largest = 0;
  std::size_t i = 0;
  for (auto const& values : want)
    for (double value : values) largest = std::max(largest, std::abs(got.at(i++) - value));
  REQUIRE(i == got.size());
  return largest;
}

}  // namespace

TEST_CASE("every kernel set agrees with a double-precision reference for every weight type", "[unit][engine]") {
  for (auto type : {tensor_type::f32, tensor_type::f16, tensor_type::bf16, tensor_type::q8_0}) {
    auto const file = model_file({.type = type,
                                  .layers = 3,
                                  .rope_factors = type == tensor_type::f16,
                                  .tied_output = type == tensor_type::bf16});
    wherry_test::reference_model const reference(file);
    auto const ids = some_ids(37, 900);  // crosses a page of the cache
    auto const want = reference.logits(ids);
    for (auto set : runnable_sets()) {
      CAPTURE(to_string(type), to_string(set));
      CHECK(largest_difference(all_logits(*load(file, set), ids, ids.size()), want) < 5e-5);
    }
  }
}

TEST_CASE("head widths and hidden sizes need be no multiple of a vector", "[unit][engine]") {
  auto const file = model_file({.width = 90, .feed_forward = 77, .heads = 5, .kv_heads = 1});  // heads of 18
  auto const ids = some_ids(9, 900);
  auto const want = wherry_test::reference_model(file).logits(ids);
  for (auto set : runnable_sets()) {
    CAPTURE(to_string(set));
    CHECK(largest_difference(all_logits(*load(file, set), ids, ids.size()), want) < 5e-5);
  }
}

TEST_CASE("logits are the same bits for every thread count and every split of the prompt", "[unit][engine]") {
  for (auto type : {tensor_type::f32, tensor_type::f16, tensor_type::bf16, tensor_type::q8_0}) {
    // Wide enough that the work is split over the threads, long enough for two chunks.
    auto const file = model_file({.type = type, .width = 128, .feed_forward = 256, .heads = 4});
    auto const ids = some_ids(transformer::chunk_tokens + 10, 900);
    for (auto set : runnable_sets()) {
      CAPTURE(to_string(type), to_string(set));
      auto const model = load(file, set);
      auto const whole = all_logits(*model, ids, ids.size());
      CHECK(std::all_of(whole.begin(), whole.end(), [](float l) { return std::isfinite(l); }));
      CHECK(all_logits(*model, ids, ids.size(), 2) == whole);
      CHECK(all_logits(*model, ids, ids.size(), 3) == whole);
      CHECK(all_logits(*model, ids, 1) == whole);
      CHECK(all_logits(*model, ids, 17, 2) == whole);
    }
  }
}

TEST_CASE("forward writes logits for the last tokens asked for", "[unit][engine]") {
  auto const model = load(model_file({.width = 32, .feed_forward = 32, .layers = 1, .heads = 2, .kv_heads = 1}));
  std::size_t const vocabulary = model->configuration().vocabulary;
  auto const ids = some_ids(2 * transformer::chunk_tokens + 5, vocabulary);
  auto const all = all_logits(*model, ids, ids.size());
  worker_pool pool(1);
  for (std::size_t rows :
       {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{6}, transformer::chunk_tokens + 6}) {
    auto sequence = model->make_sequence();
    std::vector<float> logits(rows * vocabulary);
    REQUIRE(model->forward(ids, *sequence, pool, logits).has_value());
    CHECK(sequence->length() == ids.size());
    CHECK(std::equal(logits.begin(), logits.end(), all.end() - static_cast<std::ptrdiff_t>(logits.size())));
  }
}

TEST_CASE("a truncated sequence continues as if the forgotten tokens had never been", "[unit][engine]") {
  auto const model = load(model_file());
  std::size_t const vocabulary = model->configuration().vocabulary;
  auto const ids = some_ids(70, vocabulary);
  worker_pool pool(1);
  auto sequence = model->make_sequence();
  std::vector<float> first(vocabulary), again(vocabulary);
  REQUIRE(model->forward(std::span(ids).first(40), *sequence, pool, first).has_value());
  REQUIRE(model->forward(std::span(ids).last(30), *sequence, pool, again).has_value());
  CHECK(again != first);
  sequence->truncate(39);
  CHECK(sequence->bytes() == 2 * sequence::page_positions * kv_bytes_per_position(model->configuration()));
  REQUIRE(model->forward(std::span(ids).subspan(39, 1), *sequence, pool, again).has_value());
  CHECK(again == first);
  sequence->truncate(0);
  CHECK(sequence->bytes() == 0);
}

TEST_CASE("forward refuses what does not fit and leaves the sequence as it was", "[unit][engine]") {
  auto const model = load(model_file({.context_length = 8}));
  auto const size = static_cast<token_id>(model->configuration().vocabulary);
  worker_pool pool(1);
  auto sequence = model->make_sequence();
  std::vector<token_id> const six(6, 1), three(3, 1), outside{1, size}, negative{-1};
  REQUIRE(model->forward(six, *sequence, pool, {}).has_value());
  CHECK(model->forward(three, *sequence, pool, {}).error().is(errc::context_overflow));
  CHECK(model->forward(outside, *sequence, pool, {}).error().is(errc::invalid_argument));
  CHECK(model->forward(negative, *sequence, pool, {}).error().is(errc::invalid_argument));
  CHECK(model->forward({}, *sequence, pool, {}).error().is(errc::invalid_argument));
  CHECK(sequence->length() == 6);

  auto longer = model->make_sequence(9);
  REQUIRE(longer.has_value());
  REQUIRE(model->forward(six, *longer, pool, {}).has_value());
  CHECK(model->forward(three, *longer, pool, {}).has_value());
  CHECK(model->make_sequence(0).error().is(errc::invalid_argument));
  CHECK(model->make_sequence(config_limits::context_max + 1).error().is(errc::invalid_argument));
}

TEST_CASE("a prompt can be cancelled between chunks", "[unit][engine]") {
  auto const model = load(model_file());
  auto sequence = model->make_sequence();
  worker_pool pool(1);
  std::stop_source stop;
  stop.request_stop();
  CHECK(
      model->forward(some_ids(200, 900), *sequence, pool, {}, {.stop = stop.get_token()}).error().is(errc::cancelled));
  CHECK(sequence->length() == 0);
}

TEST_CASE("a random model depends on its seed only, and refuses shapes that do not fit", "[unit][engine]") {
  auto const first = model_file({.seed = 3}), same = model_file({.seed = 3}), other = model_file({.seed = 4});
  auto const data = [](gguf_file const& file) {
    auto const bytes = file.find_tensor("output.weight")->data;
    return std::vector(bytes.begin(), bytes.end());
  };
  CHECK(data(first) == data(same));
  CHECK(data(first) != data(other));
  CHECK(make_random_model({.type = tensor_type::q2_k}).error().is(errc::invalid_argument));
  CHECK(make_random_model({.type = tensor_type::q8_0, .width = 72}).error().is(errc::invalid_argument));
  CHECK(make_random_model({.width = 97}).error().is(errc::invalid_argument));
  CHECK(make_random_model({.heads = 6, .kv_heads = 4}).error().is(errc::invalid_argument));
  CHECK(make_random_model({.layers = 0}).error().is(errc::invalid_argument));
}

TEST_CASE("the worker pool visits every index once, whatever the grain", "[unit][engine]") {
  for (unsigned threads : {1u, 2u, 5u}) {
    worker_pool pool(threads);
    REQUIRE(pool.threads() == threads);
    for (std::size_t grain : {1u, 3u, 64u, 1000u})
      for (std::size_t count : {0u, 1u, 63u, 500u}) {
        std::vector<std::atomic<int>> visits(count);
        std::atomic<bool> worker_in_range = true;
        pool.for_each_range(count, grain, [&](std::size_t begin, std::size_t end, unsigned worker) {
          if (worker >= threads) worker_in_range = false;
          for (std::size_t i = begin; i < end; ++i) ++visits[i];
        });
        CHECK(std::all_of(visits.begin(), visits.end(), [](auto const& v) { return v == 1; }));
        CHECK(worker_in_range);
      }
  }
}

TEST_CASE("a random model's vocabulary encodes any text and merges common words", "[unit][engine]") {
  auto const file = model_file();
  auto const vocabulary = tokenizer::from(file);
  REQUIRE(vocabulary.has_value());
  CHECK(vocabulary->size() == load(file)->configuration().vocabulary);
  for (std::string const text :
       {"the people of the world", "{\"city\": \"Seoul\", \"days\": [1, 2]}", "tab\tnew\nline \xF0\x9F\x9A\xA3"})
    CHECK(vocabulary->decode(vocabulary->encode(text)) == text);
  CHECK(vocabulary->encode("the people of the world").size() == 5);
  CHECK(vocabulary->bos() == 1);
  CHECK(vocabulary->eos() == 2);
}
