// The engine against published numbers: models/golden (random weights; llama.cpp with f32 activations and an
// independent float64 reference) and stories260K. The gates are those of the data's README.

#include "engine/tensor_rows.hpp"
#include "engine/transformer.hpp"
#include "shared_data.hpp"

#include <wherry/core/hash.hpp>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace wherry;
using namespace wherry::engine;
using json_value = nlohmann::json;

namespace {

constexpr double max_abs_gate = 1e-4, kl_gate = 1e-9;

// The arrays of one .bin file by name.
class array_file {
 public:
  array_file(std::filesystem::path const& folder, json_value const& entry)
      : bytes_(wherry_test::read_file(folder / entry.at("file").get<std::string>())), entry_(entry) {}

  std::vector<float> operator[](std::string const& name) const {
    for (auto const& array : entry_.at("arrays")) {
      if (array.at("name") != name) continue;
      std::size_t count = 1;
      for (auto const& extent : array.at("shape")) count *= extent.get<std::size_t>();
      std::vector<float> values(count);
      std::memcpy(values.data(), bytes_.data() + array.at("offset").get<std::size_t>(), count * sizeof(float));
      return values;
    }
    FAIL("the manifest has no array " << name);
    return {};
  }

 private:
  std::string bytes_;
  json_value entry_;
};

struct difference {
  double max_abs = 0;
  double kl = 0;  // the worst row's Kullback-Leibler divergence from `want`
};

std::vector<double> log_softmax(std::span<float const> logits) {
  double const highest = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (double l : logits) total += std::exp(l - highest);
  std::vector<double> out;
  for (double l : logits) out.push_back(l - highest - std::log(total));
  return out;
}

difference compare(std::span<float const> got, std::span<float const> want, std::size_t vocabulary) {
  REQUIRE(got.size() == want.size());
  difference d;
  for (std::size_t row = 0; row < got.size(); row += vocabulary) {
    auto const p = log_softmax(want.subspan(row, vocabulary)), q = log_softmax(got.subspan(row, vocabulary));
    double kl = 0;
    for (std::size_t i = 0; i < vocabulary; ++i) {
      kl += std::exp(p[i]) * (p[i] - q[i]);
      d.max_abs = std::max(d.max_abs, std::abs(double{got[row + i]} - want[row + i]));
    }
    d.kl = std::max(d.kl, kl);
  }
  return d;
}

std::shared_ptr<transformer const> load(std::filesystem::path const& path, kernel_set set) {
  auto file = gguf_file::open(path);
  REQUIRE(file.has_value());
  auto model = transformer::load(*file, set);
  if (!model) FAIL(to_string(model.error()));
  return *model;
}

std::vector<float> logits_of(transformer const& model, std::vector<token_id> const& ids, std::size_t rows) {
  worker_pool pool(2);
  auto sequence = model.make_sequence();
  std::vector<float> logits(rows * model.configuration().vocabulary);
  REQUIRE(model.forward(ids, *sequence, pool, logits).has_value());
  return logits;
}

token_id largest(std::span<float const> logits) {
  return static_cast<token_id>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Greedy ids after a prompt, and the logits from which the last one was taken.
std::pair<std::vector<token_id>, std::vector<float>> greedy(transformer const& model, std::vector<token_id> ids,
                                                            std::size_t count, std::size_t positions_max) {
  worker_pool pool(1);
  auto sequence = model.make_sequence(positions_max);
  std::vector<float> logits(model.configuration().vocabulary);
  std::vector<token_id> out;
  for (; out.size() < count; ids = {out.back()}) {
    REQUIRE(model.forward(ids, *sequence, pool, logits).has_value());
    out.push_back(largest(logits));
  }
  return {out, logits};
}

// How many of the first ids must agree: up to the first near-tie.
std::size_t decided_steps(json_value const& gaps) {
  auto const tie = std::find_if(gaps.begin(), gaps.end(), [](auto const& gap) { return gap < 10 * max_abs_gate; });
  return static_cast<std::size_t>(tie - gaps.begin());
}

void check_against(array_file const& want, transformer const& model, json_value const& prompts) {
  std::size_t const vocabulary = model.configuration().vocabulary;
  for (auto const& [prompt, array, all] :
       {std::tuple{"p1", "p1.last_logits", false}, {"p17", "p17.logits", true}, {"p96", "p96.last_logits", false}}) {
    auto const ids = prompts.at(prompt).get<std::vector<token_id>>();
    auto const d = compare(logits_of(model, ids, all ? ids.size() : 1), want[array], vocabulary);
    CAPTURE(prompt, d.max_abs, d.kl);
    CHECK(d.max_abs <= max_abs_gate);
    CHECK(d.kl <= kl_gate);
  }
}

void check_greedy(json_value const& reference, array_file const& want, transformer const& model,
                  json_value const& prompts) {
  auto const expected = reference.at("greedy_ids").get<std::vector<token_id>>();
  auto const steps = decided_steps(reference.at("greedy_gap"));
  auto const [ids, last] = greedy(model, prompts.at("p9"), expected.size(), model.configuration().context_length);
  REQUIRE(steps >= 5);
  CHECK(std::equal(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(steps), ids.begin()));
  if (ids == expected) CHECK(compare(last, want["p9.greedy_last_logits"], last.size()).max_abs <= max_abs_gate);
}

void check_model(std::string const& name, std::string const& variant, kernel_set set) {
  if (!cpu_supports(set)) SKIP("this CPU lacks " << to_string(set));
  auto const folder = wherry_test::shared("models/golden/" + name);
  auto const manifest = json_value::parse(wherry_test::read_file(folder / "manifest.json"));
  auto const& entry = manifest.at("variants").at(variant);
  auto const model = load(folder / entry.at("file").get<std::string>(), set);
  CAPTURE(name, variant, to_string(set));

  auto const& reference = entry.at("f32ref");
  array_file const f32ref(folder, reference);
  check_against(f32ref, *model, manifest.at("prompts"));
  check_greedy(reference, f32ref, *model, manifest.at("prompts"));
  if (entry.contains("exact64")) check_against(array_file(folder, entry.at("exact64")), *model, manifest.at("prompts"));
}

void check_all_models(kernel_set set) {
  for (auto const* variant : {"f16", "bf16", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k", "q4_k_m"})
    check_model("llama", variant, set);
  for (auto const* variant : {"f32", "f16", "q8_0"}) check_model("llama3", variant, set);
  for (auto const* variant : {"f16", "q8_0"}) check_model("qwen2", variant, set);
  for (auto const* variant : {"f16", "q8_0", "q4_0", "q4_k", "q5_k", "q6_k"}) check_model("qwen3", variant, set);
}

}  // namespace

TEST_CASE("scalar kernels compute the golden logits and greedy ids of llama and qwen models", "[golden][engine]") {
  check_all_models(kernel_set::scalar);
}

TEST_CASE("avx2 kernels compute the golden logits and greedy ids of llama and qwen models", "[golden][engine]") {
  check_all_models(kernel_set::avx2);
}

TEST_CASE("avx512 kernels compute the golden logits and greedy ids of llama and qwen models", "[golden][engine]") {
  check_all_models(kernel_set::avx512);
}

TEST_CASE("every kernel set continues stories260K as the published greedy ids do", "[golden][engine]") {
  auto const folder = wherry_test::shared("models/stories260K");
  auto const golden = json_value::parse(wherry_test::read_file(folder / "golden_greedy200.json"));
  auto const expected = golden.at("greedy_ids").get<std::vector<token_id>>();
  auto const prompt = golden.at("prompt_ids").get<std::vector<token_id>>();
  json_value const arrays{{"file", golden.at("bin")}, {"arrays", golden.at("arrays")}};
  array_file const want(folder, arrays);
  for (auto set : {kernel_set::scalar, kernel_set::avx2, kernel_set::avx512}) {
    if (!cpu_supports(set)) {
      WARN("skipped: this CPU lacks " << to_string(set));
      continue;
    }
    CAPTURE(to_string(set));
    auto const model = load(folder / "stories260Ktok512.gguf", set);
    REQUIRE(model->configuration().context_length == 128);  // the continuation goes past it, on request
    auto const [ids, last] = greedy(*model, prompt, expected.size(), prompt.size() + expected.size());
    CHECK(ids == expected);
    CHECK(compare(last, want["last_step.logits"], last.size()).max_abs <= max_abs_gate);
    auto const d = compare(logits_of(*model, prompt, prompt.size()), want["prompt.logits"], last.size());
    CHECK(d.max_abs <= max_abs_gate);
    CHECK(d.kl <= kl_gate);
  }
}

TEST_CASE("unpacked tensors equal the published dequantised values exactly", "[golden][engine]") {
  auto const root = wherry_test::shared("models/golden");
  std::size_t tensors = 0;
  for (auto const& folder : std::filesystem::directory_iterator(root)) {
    if (!std::filesystem::exists(folder.path() / "manifest.json")) continue;
    auto const manifest = json_value::parse(wherry_test::read_file(folder.path() / "manifest.json"));
    for (auto const& [variant, entry] : manifest.at("variants").items()) {
      if (!entry.contains("dequant")) continue;
      auto const file = gguf_file::open(folder.path() / entry.at("file").get<std::string>());
      REQUIRE(file.has_value());
      auto const first_rows = wherry_test::read_file(folder.path() / entry.at("dequant").at("file").get<std::string>());
      for (auto const& array : entry.at("dequant").at("arrays")) {
        CAPTURE(folder.path().filename(), variant, array.at("tensor").get<std::string>());
        auto const* tensor = file->find_tensor(array.at("tensor").get<std::string>());
        REQUIRE(tensor);
        std::size_t const columns = tensor->shape[0], rows = tensor->element_count() / columns;
        std::vector<float> values(rows * columns);
        for (std::size_t r = 0; r < rows; ++r)
          unpack_row(tensor->type, tensor->data.data() + r * (tensor->data.size() / rows),
                     std::span(values).subspan(r * columns, columns));
        auto const published = array.at("rows").get<std::size_t>() * columns * sizeof(float);
        REQUIRE(array.at("offset").get<std::size_t>() + published <= first_rows.size());
        CHECK(std::memcmp(first_rows.data() + array.at("offset").get<std::size_t>(), values.data(), published) == 0);
        CHECK(content_hash({reinterpret_cast<char const*>(values.data()), values.size() * sizeof(float)}) ==
              array.at("sha256_whole_tensor_f32le").get<std::string>());
        ++tensors;
      }
    }
  }
  CHECK(tensors >= 84);
}
