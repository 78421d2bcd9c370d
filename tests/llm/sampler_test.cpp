#include "engine/sampler.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

using namespace wherry;
using namespace wherry::engine;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

sampler make(sampling_options const& options, std::size_t vocabulary) {
  auto made = sampler::make(options, vocabulary);
  REQUIRE(made.has_value());
  return *made;
}

struct given {
  std::vector<float> logits;
  std::optional<std::vector<std::uint64_t>> mask = {};
  std::vector<token_id> history = {};
};

result<sampled_token> sample(sampling_options const& options, given const& in, draw_key const& key = {}) {
  auto s = make(options, in.logits.size());
  return s.sample(in.logits, in.mask ? std::optional<token_mask>(*in.mask) : std::nullopt, in.history, key);
}

token_id greedy(sampling_options options, given const& in) {
  options.temperature = 0;
  auto const out = sample(options, in);
  REQUIRE(out.has_value());
  return out->token;
}

constexpr std::uint32_t draws = 20000;

// How often each token is drawn at `draws` places of one run.
std::map<token_id, double> frequencies(sampling_options const& options, given const& in) {
  auto s = make(options, in.logits.size());
  std::map<token_id, double> counts;
  for (std::uint32_t position = 0; position < draws; ++position) {
    auto const out = s.sample(in.logits, in.mask ? std::optional<token_mask>(*in.mask) : std::nullopt, in.history,
                              {42, 1, position});
    REQUIRE(out.has_value());
    counts[out->token] += 1;
  }
  return counts;
}

// Pearson's statistic of the counts against the expected probabilities; a token of probability 0 must not occur.
double chi_square(std::map<token_id, double> counts, std::vector<double> const& probabilities) {
  double statistic = 0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    double const got = counts[static_cast<token_id>(i)], want = probabilities[i] * draws;
    if (want == 0)
      CHECK(got == 0);
    else
      statistic += (got - want) * (got - want) / want;
  }
  return statistic;
}

std::vector<double> softmax(std::vector<double> logits) {
  double total = 0;
  for (double& l : logits) total += l = std::exp(l);
  for (double& l : logits) l /= total;
  return logits;
}

std::vector<float> const five{0.5f, 2.0f, -1.0f, 1.5f, 0.0f};
constexpr double chi_square_bound = 18.5;  // 4 degrees of freedom: exceeded once in a thousand seeds

}  // namespace

TEST_CASE("temperature 0 takes the largest logit, the smaller id on a tie", "[unit][sampler]") {
  CHECK(greedy({}, {{1, 3, 2}}) == 1);
  CHECK(greedy({}, {{1, 3, 3, 3}}) == 1);
  CHECK(greedy({}, {{-infinity, -5, -infinity}}) == 1);
  CHECK(greedy({}, {{7}}) == 0);
}

TEST_CASE("draws follow the model's distribution at any temperature", "[unit][sampler]") {
  for (double temperature : {0.5, 1.0, 2.0}) {
    std::vector<double> scaled;
    for (float l : five) scaled.push_back(l / temperature);
    CAPTURE(temperature);
    CHECK(chi_square(frequencies({.temperature = temperature}, {five}), softmax(scaled)) < chi_square_bound);
  }
}

TEST_CASE("a draw is a function of its key", "[unit][sampler]") {
  std::vector<float> const flat(1000, 0);
  auto const token = [&](draw_key const& key) { return sample({}, {flat}, key)->token; };
  CHECK(token({1, 2, 3}) == token({1, 2, 3}));
  CHECK(token({1, 2, 3}) != token({1, 2, 4}));
  CHECK(token({1, 2, 3}) != token({1, 3, 3}));
  CHECK(token({1, 2, 3}) != token({2, 2, 3}));
}

TEST_CASE("top-k keeps the k likeliest tokens, smaller ids first among equals", "[unit][sampler]") {
  CHECK(chi_square(frequencies({.top_k = 2}, {five}), softmax({-1e9, 2.0, -1e9, 1.5, -1e9})) < chi_square_bound);
  auto const counts = frequencies({.top_k = 2}, {{1, 1, 1, 1}});
  CHECK(counts.size() == 2);
  CHECK(counts.contains(0));
  CHECK(counts.contains(1));
  CHECK(frequencies({.top_k = 99}, {five}).size() == five.size());
}

TEST_CASE("top-p keeps the smallest set that reaches it", "[unit][sampler]") {
  std::vector<float> const logits{std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  CHECK(frequencies({.top_p = 0.39}, {logits}).size() == 1);
  auto const two = frequencies({.top_p = 0.5}, {logits});
  CHECK(two.size() == 2);
  CHECK(chi_square(two, {0, 4.0 / 7, 0, 3.0 / 7}) < chi_square_bound);
  CHECK(frequencies({.top_p = 0.75}, {logits}).size() == 3);
  CHECK(frequencies({.top_p = 0.95}, {logits}).size() == 4);
  CHECK(frequencies({.top_p = 1e-300}, {logits}).size() == 1);
}

TEST_CASE("min-p keeps tokens with a share of the best one's probability", "[unit][sampler]") {
  std::vector<float> const logits{std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  CHECK(chi_square(frequencies({.min_p = 0.6}, {logits}), {0, 4.0 / 7, 0, 3.0 / 7}) < chi_square_bound);
  CHECK(frequencies({.min_p = 0.2}, {logits}).size() == 4);
  CHECK(frequencies({.min_p = 1}, {logits}).size() == 1);
}

TEST_CASE("truncations apply in their order, each to what the one before left", "[unit][sampler]") {
  std::vector<float> const logits{std::log(0.4f), std::log(0.3f), std::log(0.2f), std::log(0.1f)};
  // Of the whole, 0.6 needs two tokens; of the top two (4/7, 3/7) as well; of the top one none but it.
  CHECK(frequencies({.top_k = 1, .top_p = 0.6}, {logits}).size() == 1);
  CHECK(frequencies({.top_k = 2, .top_p = 0.56}, {logits}).size() == 1);  // 4/7 = 0.571 reaches it; 0.4 would not
  CHECK(frequencies({.top_p = 0.56}, {logits}).size() == 2);
  // Temperature comes first: it flattens what min-p sees.
  CHECK(frequencies({.min_p = 0.6}, {logits}).size() == 2);
  CHECK(frequencies({.temperature = 4, .min_p = 0.6}, {logits}).size() == 4);
  CHECK(frequencies({.temperature = 4, .top_k = 3, .min_p = 0.6}, {logits}).size() == 3);
}

TEST_CASE("bias moves a logit, and minus infinity forbids a token", "[unit][sampler]") {
  CHECK(greedy({.bias = {{2, 10}}}, {five}) == 2);
  CHECK(greedy({.bias = {{1, -infinity}}}, {five}) == 3);
  CHECK(frequencies({.bias = {{1, -infinity}}}, {five}).size() == 4);
  CHECK(greedy({.bias = {{2, 2}, {2, 2}}}, {five}) == 2);  // two entries for a token add up
}

TEST_CASE("repetition, presence and frequency penalties follow their formulas", "[unit][sampler]") {
  auto const logprobs = [](sampling_options options, std::vector<token_id> history) {
    options.top_logprobs = 5;
    auto const out = sample(options, {five, {}, std::move(history)});
    std::vector<double> by_id(five.size());
    for (auto const& [token, logprob] : out->alternatives) by_id[static_cast<std::size_t>(token)] = logprob;
    return by_id;
  };
  auto const check = [](std::vector<double> const& got, std::vector<double> const& logits) {
    auto const want = softmax(logits);
    for (std::size_t i = 0; i < want.size(); ++i) CHECK(std::abs(std::exp(got[i]) - want[i]) < 1e-6);
  };
  check(logprobs({.repetition_penalty = 2}, {1, 2, 2}), {0.5, 1.0, -2.0, 1.5, 0.0});
  check(logprobs({.presence_penalty = 0.25}, {1, 2, 2}), {0.5, 1.75, -1.25, 1.5, 0.0});
  check(logprobs({.frequency_penalty = 0.25}, {1, 2, 2}), {0.5, 1.75, -1.5, 1.5, 0.0});
  // In this order: 2.0 / 2 - 0.25 - 3 * 0.125.
  check(logprobs({.repetition_penalty = 2, .presence_penalty = 0.25, .frequency_penalty = 0.125}, {1, 1, 1}),
        {0.5, 0.375, -1.0, 1.5, 0.0});
  // Bias comes before: (0 + 3) / 2.
  check(logprobs({.repetition_penalty = 2, .bias = {{4, 3}}}, {4}), {0.5, 2.0, -1.0, 1.5, 1.5});
  // Only the window counts.
  check(logprobs({.presence_penalty = 1, .penalty_window = 2}, {0, 1, 2}), {0.5, 1.0, -2.0, 1.5, 0.0});
  check(logprobs({.presence_penalty = 1, .penalty_window = 0}, {0, 1, 2}), {0.5, 2.0, -1.0, 1.5, 0.0});
}

TEST_CASE("a mask limits every way of choosing", "[unit][sampler]") {
  CHECK(greedy({}, {five, {{0b10100}}}) == 4);
  CHECK(frequencies({}, {five, {{0b10100}}}).size() == 2);
  CHECK(frequencies({.top_k = 1}, {five, {{0b10100}}}).contains(4));
  auto const out = sample({.top_logprobs = 5}, {five, {{0b10100}}});
  CHECK(out->alternatives.size() == 2);

  std::vector<float> long_row(130, 0);
  long_row[129] = 5;
  CHECK(greedy({}, {long_row, {{0, 1, 2}}}) == 129);
  CHECK(greedy({}, {long_row, {{0, 1, ~std::uint64_t{2}}}}) == 64);  // bits beyond the vocabulary are ignored
}

TEST_CASE("log-probabilities sum to one and describe what temperature and truncation start from", "[unit][sampler]") {
  for (double temperature : {0.0, 0.3, 1.0}) {
    auto const out = sample({.temperature = temperature, .top_k = 2, .top_logprobs = 5, .logprobs = true}, {five});
    REQUIRE(out->alternatives.size() == 5);
    double total = 0;
    for (auto const& [token, logprob] : out->alternatives) total += std::exp(logprob);
    CHECK(std::abs(total - 1) < 1e-12);
    CHECK(std::is_sorted(out->alternatives.begin(), out->alternatives.end(),
                         [](auto const& a, auto const& b) { return a.logprob > b.logprob; }));
    auto const chosen = std::find_if(out->alternatives.begin(), out->alternatives.end(),
                                     [&](auto const& a) { return a.token == out->token; });
    REQUIRE(chosen != out->alternatives.end());
    CHECK(out->logprob == chosen->logprob);
  }
  CHECK_FALSE(sample({}, {five})->logprob.has_value());
  CHECK(sample({}, {five})->alternatives.empty());
  CHECK(sample({.top_logprobs = 3}, {{1, 1, 1, 1}})->alternatives.back().token == 2);  // ties by id
}

TEST_CASE("no token left and damaged logits are errors", "[unit][sampler]") {
  CHECK(sample({}, {five, {{0}}}).error().is(errc::invalid_argument));
  CHECK(sample({.bias = {{2, -infinity}}}, {five, {{0b100}}}).error().is(errc::invalid_argument));
  CHECK(sample({}, {{-infinity, -infinity}}).error().is(errc::invalid_argument));
  CHECK(sample({}, {{1, not_a_number}}).error().is(errc::model_failed));
  CHECK(sample({.temperature = 0}, {{not_a_number, 1}}).error().is(errc::model_failed));
  CHECK(sample({}, {{1, infinity}}).error().is(errc::model_failed));
  CHECK(greedy({}, {{1, not_a_number}, {{0b01}}}) == 0);  // what is not allowed does not matter
}

TEST_CASE("extreme settings still draw a token", "[unit][sampler]") {
  CHECK(sample({.temperature = 1e-300}, {five})->token == 1);
  CHECK(sample({.temperature = 1e300}, {five}).has_value());
  std::vector<float> const wide{-3e38f, 3e38f, 0};
  CHECK(sample({}, {wide})->token == 1);
  CHECK(sample({.top_p = 0.5}, {wide})->token == 1);
}

TEST_CASE("options out of range are refused by name", "[unit][sampler]") {
  auto const refused = [](sampling_options const& options, std::string const& name) {
    auto const made = sampler::make(options, 10);
    REQUIRE(made.has_error());
    CHECK(made.error().is(errc::invalid_argument));
    CHECK(made.error().message.find(name) != std::string::npos);
  };
  refused({.temperature = -1}, "temperature");
  refused({.temperature = std::nan("")}, "temperature");
  refused({.top_k = -1}, "top_k");
  refused({.top_p = 0}, "top_p");
  refused({.top_p = 1.5}, "top_p");
  refused({.min_p = -0.1}, "min_p");
  refused({.repetition_penalty = 0}, "repetition_penalty");
  refused({.presence_penalty = double{infinity}}, "presence_penalty");
  refused({.frequency_penalty = -1e9}, "frequency_penalty");
  refused({.penalty_window = -1}, "penalty_window");
  refused({.bias = {{10, 1}}}, "bias");
  refused({.bias = {{-1, 1}}}, "bias");
  refused({.bias = {{1, infinity}}}, "bias");
  refused({.top_logprobs = 101}, "top_logprobs");
}

TEST_CASE("truncations agree with full sorting on a large vocabulary", "[unit][sampler]") {
  constexpr std::size_t vocabulary = 2000;
  std::vector<float> logits(vocabulary);
  for (std::size_t i = 0; i < vocabulary; ++i)  // coarse, so that there are many ties
    logits[i] = std::round(20 * static_cast<float>(uniform({9, 0, static_cast<std::uint32_t>(i)}))) / 4;
  std::vector<token_id> order(vocabulary);
  for (std::size_t i = 0; i < vocabulary; ++i) order[i] = static_cast<token_id>(i);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    float const left = logits[static_cast<std::size_t>(a)], right = logits[static_cast<std::size_t>(b)];
    return left > right || (left == right && a < b);
  });
  auto const rank = [&](token_id token) { return std::find(order.begin(), order.end(), token) - order.begin(); };
  double total = 0, sum = 0;
  for (float l : logits) total += std::exp(double{l});
  std::ptrdiff_t in_top_p = 0;
  while (sum < 0.3 * total)
    sum += std::exp(double{logits[static_cast<std::size_t>(order[static_cast<std::size_t>(in_top_p++)])]});

  auto by_p = make({.top_p = 0.3}, vocabulary), by_k = make({.top_k = 40}, vocabulary);
  std::ptrdiff_t worst_p = 0, worst_k = 0;
  for (std::uint32_t position = 0; position < 600; ++position) {
    worst_p = std::max(worst_p, rank(by_p.sample(logits, {}, {}, {5, 0, position})->token));
    worst_k = std::max(worst_k, rank(by_k.sample(logits, {}, {}, {5, 0, position})->token));
  }
  CHECK(worst_k == 39);
  CHECK(worst_p < in_top_p);
  CHECK(worst_p > in_top_p * 9 / 10);
}
