// The decoders against published numbers: models/golden (random weights; llama.cpp with f32 activations and an
// independent float64 reference) and stories260K.

#include "engine/tensor_rows.hpp"
#include "engine/transformer.hpp"
#include "golden_support.hpp"

#include <wherry/core/hash.hpp>

using namespace wherry;
using namespace wherry::engine;
using namespace wherry_test;

namespace {

std::shared_ptr<transformer const> load(std::filesystem::path const& path, kernel_set set) {
  auto file = gguf_file::open(path);
  REQUIRE(file.has_value());
  auto model = transformer::load(*file, set);
  if (!model) FAIL(to_string(model.error()));
  return *model;
}

std::vector<float> logits_of(transformer const& model, std::vector<token_id> const& ids, std::size_t rows,
                             std::optional<std::size_t> positions = {}) {
  worker_pool pool(2);
  auto sequence = model.make_sequence(positions);
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
std::size_t decided_steps(json_value const& gaps, gates const& near) {
  auto const tie = std::find_if(gaps.begin(), gaps.end(), [&](auto const& gap) { return gap < 10 * near.max_abs; });
  return static_cast<std::size_t>(tie - gaps.begin());
}

void check_logits(array_file const& want, transformer const& model, json_value const& prompts, gates const& near,
                  std::optional<std::size_t> positions) {
  std::size_t const vocabulary = model.configuration().vocabulary;
  for (auto const& [prompt, array, all] :
       {std::tuple{"p1", "p1.last_logits", false}, {"p17", "p17.logits", true}, {"p96", "p96.last_logits", false}}) {
    auto const ids = prompts.at(prompt).get<std::vector<token_id>>();
    auto const d = compare(logits_of(model, ids, all ? ids.size() : 1, positions), want[array], vocabulary);
    CAPTURE(prompt, d.max_abs, d.kl);
    CHECK(d.max_abs <= near.max_abs);
    CHECK(d.kl <= near.kl);
  }
}

void check_greedy(json_value const& reference, array_file const& want, transformer const& model,
                  json_value const& prompts, gates const& near, std::size_t positions) {
  auto const expected = reference.at("greedy_ids").get<std::vector<token_id>>();
  auto const steps = decided_steps(reference.at("greedy_gap"), near);
  auto const [ids, last] = greedy(model, prompts.at("p9"), expected.size(), positions);
  CHECK(std::equal(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(steps), ids.begin()));
  if (ids == expected) CHECK(compare(last, want["p9.greedy_last_logits"], last.size()).max_abs <= near.max_abs);
}

// References made for a context of their own carry it in their name: the length of a sequence chooses rope factors.
void check_variant(golden_model const& golden, json_value const& entry, transformer const& model) {
  bool const gelu = golden.variants().at("f16").contains("exact64_erf_gelu");
  for (auto const& [name, reference] : entry.items()) {
    auto const kind = name.substr(0, name.find('.'));
    if (kind != "f32ref" && kind != "exact64") continue;
    CAPTURE(name);
    bool const exact = kind == "exact64";
    auto const near = gelu && !exact ? coarse_gelu : tight;
    auto const& made_for =
        exact ? entry.at(name.size() > kind.size() ? "f32ref" + name.substr(kind.size()) : "f32ref") : reference;
    auto const positions = made_for.at("n_ctx").get<std::size_t>();
    array_file const want(golden.folder, reference);
    auto const fits = std::min(positions, model.configuration().context_length);
    check_logits(want, model, golden.prompts(), near, fits);
    if (!exact) check_greedy(reference, want, model, golden.prompts(), near, fits);
  }
}

void check_decoder(std::string const& name) {
  golden_model const golden(name);
  for (auto set : {kernel_set::scalar, kernel_set::avx2, kernel_set::avx512}) {
    if (!cpu_supports(set)) {
      WARN("skipped: this CPU lacks " << to_string(set));
      continue;
    }
    for (auto const& [variant, entry] : golden.variants().items()) {
      CAPTURE(to_string(set), variant);
      check_variant(golden, entry, *load(golden.file(entry), set));
    }
  }
}

}  // namespace

#define WHERRY_GOLDEN_DECODER(name)                                                                      \
  TEST_CASE("every kernel set computes the golden logits and greedy ids of " name, "[golden][engine]") { \
    check_decoder(name);                                                                                 \
  }
WHERRY_GOLDEN_DECODER("llama")
WHERRY_GOLDEN_DECODER("llama3")
WHERRY_GOLDEN_DECODER("qwen2")
WHERRY_GOLDEN_DECODER("qwen3")
WHERRY_GOLDEN_DECODER("qwen3moe")
WHERRY_GOLDEN_DECODER("olmoe")
WHERRY_GOLDEN_DECODER("phi3")
WHERRY_GOLDEN_DECODER("phi3-longrope")
WHERRY_GOLDEN_DECODER("gemma2")
WHERRY_GOLDEN_DECODER("gemma3")
WHERRY_GOLDEN_DECODER("granite")
WHERRY_GOLDEN_DECODER("smollm3")
WHERRY_GOLDEN_DECODER("gpt2")
#undef WHERRY_GOLDEN_DECODER

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
    CHECK(compare(last, want["last_step.logits"], last.size()).max_abs <= tight.max_abs);
    auto const d = compare(logits_of(*model, prompt, prompt.size()), want["prompt.logits"], last.size());
    CHECK(d.max_abs <= tight.max_abs);
    CHECK(d.kl <= tight.kl);
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
