// Encoders and encoder-decoders against published numbers: models/golden. BERT's own GELU is the exact one, so its
// tight gate is the float64 reference with that form; llama.cpp computes the tanh form.

#include "engine/encoder_decoder.hpp"
#include "engine/text_encoder.hpp"
#include "golden_support.hpp"

using namespace wherry;
using namespace wherry::engine;
using namespace wherry_test;

namespace {

constexpr std::array all_sets{kernel_set::scalar, kernel_set::avx2, kernel_set::avx512};

double max_difference(std::span<float const> got, std::span<float const> want) {
  REQUIRE(got.size() == want.size());
  double most = 0;
  for (std::size_t i = 0; i < got.size(); ++i) most = std::max(most, std::abs(double{got[i]} - want[i]));
  return most;
}

gguf_file open(golden_model const& golden, json_value const& entry) {
  auto file = gguf_file::open(golden.file(entry));
  REQUIRE(file.has_value());
  return *file;
}

// Which references of a variant hold, and how near: the reference's GELU must be the model's own.
std::vector<std::pair<std::string, gates>> references(json_value const& entry, bool erf, bool gelu) {
  std::vector<std::pair<std::string, gates>> out;
  for (auto const& [name, reference] : entry.items()) {
    if (name == "f32ref") out.emplace_back(name, gelu ? coarse_gelu : tight);
    if (name == "exact64" && !erf) out.emplace_back(name, tight);
    if (name == "exact64_erf_gelu" && erf) out.emplace_back(name, tight);
  }
  return out;
}

void check_encoder(std::string const& name) {
  golden_model const golden(name);
  bool const gelu = golden.variants().at("f16").contains("exact64_erf_gelu");
  for (auto set : all_sets) {
    if (!cpu_supports(set)) {
      WARN("skipped: this CPU lacks " << to_string(set));
      continue;
    }
    for (auto const& [variant, entry] : golden.variants().items()) {
      auto const model = text_encoder::load(open(golden, entry), set);
      if (!model) FAIL(to_string(model.error()));
      for (auto const& [reference, near] : references(entry, gelu, gelu)) {
        array_file const want(golden.folder, entry.at(reference));
        for (auto const& [prompt, list] : golden.prompts().items()) {
          CAPTURE(to_string(set), variant, reference, prompt);
          auto const ids = list.get<std::vector<token_id>>();
          worker_pool pool(2);
          text_encoder::input const text{ids, {}};
          auto const rows = (*model)->encode(std::span(&text, 1), pool);
          REQUIRE(rows.has_value());
          CHECK(max_difference(*rows, want[prompt + ".tokens"]) <= near.max_abs);
          if ((*model)->has_head())
            CHECK(max_difference((*model)->judge(*rows, pool), want[prompt + ".score"]) <= near.max_abs);
          else
            CHECK(max_difference((*model)->pool(*rows), want[prompt + ".pooled"]) <= near.max_abs);
        }
      }
    }
  }
}

}  // namespace

#define WHERRY_GOLDEN_ENCODER(name) \
  TEST_CASE("every kernel set computes the golden vectors of " name, "[golden][engine]") { check_encoder(name); }
WHERRY_GOLDEN_ENCODER("bert-mean")
WHERRY_GOLDEN_ENCODER("bert-cls")
WHERRY_GOLDEN_ENCODER("bert-rank")
WHERRY_GOLDEN_ENCODER("xlmr-rank")
WHERRY_GOLDEN_ENCODER("nomic-bert")
#undef WHERRY_GOLDEN_ENCODER

TEST_CASE("a text's vectors do not depend on the texts beside it nor on the threads", "[golden][engine]") {
  golden_model const golden("bert-mean");
  auto const model = text_encoder::load(open(golden, golden.variants().at("q8_0")), kernel_set::scalar);
  REQUIRE(model.has_value());
  auto const p1 = golden.prompts().at("p1").get<std::vector<token_id>>(),
             p17 = golden.prompts().at("p17").get<std::vector<token_id>>(),
             p96 = golden.prompts().at("p96").get<std::vector<token_id>>();
  std::vector<text_encoder::input> texts;
  for (int i = 0; i < 8; ++i)
    for (auto const* ids : {&p96, &p1, &p17}) texts.push_back({*ids, {}});
  worker_pool one(1), three(3);
  auto const together = (*model)->encode(texts, three);
  REQUIRE(together.has_value());
  std::size_t at = 0;
  for (auto const& text : texts) {
    auto const alone = (*model)->encode(std::span(&text, 1), one);
    REQUIRE(alone.has_value());
    CHECK(std::equal(alone->begin(), alone->end(), together->begin() + static_cast<std::ptrdiff_t>(at)));
    at += alone->size();
  }
}

TEST_CASE("every kernel set computes the golden encodings and answers of t5", "[golden][engine]") {
  golden_model const golden("t5");
  for (auto set : all_sets) {
    if (!cpu_supports(set)) {
      WARN("skipped: this CPU lacks " << to_string(set));
      continue;
    }
    for (auto const& [variant, entry] : golden.variants().items()) {
      auto const model = encoder_decoder::load(open(golden, entry), set);
      if (!model) FAIL(to_string(model.error()));
      std::size_t const vocabulary = (*model)->configuration().vocabulary;
      auto const start = static_cast<token_id>((*model)->configuration().start_token);
      worker_pool pool(2);
      auto const logits_after = [&](encoded_text const& text, std::vector<token_id> const& ids, std::size_t rows) {
        auto answer = (*model)->make_sequence(64);
        std::vector<float> logits(rows * vocabulary);
        REQUIRE((*model)->decode(ids, text, *answer, pool, logits).has_value());
        return logits;
      };
      for (auto const& [reference, near] : references(entry, false, true)) {
        array_file const want(golden.folder, entry.at(reference));
        for (auto const* prompt : {"p1", "p17", "p96"}) {
          CAPTURE(to_string(set), variant, reference, prompt);
          auto const ids = golden.prompts().at(prompt).get<std::vector<token_id>>();
          auto const text = (*model)->encode(ids, pool);
          REQUIRE(text.has_value());
          CHECK(max_difference(text->vectors, want[std::string(prompt) + ".encoder"]) <= near.max_abs);
          auto const d =
              compare(logits_after(*text, {start}, 1), want[std::string(prompt) + ".decoder_start_logits"], vocabulary);
          CHECK(d.max_abs <= near.max_abs);
          CHECK(d.kl <= near.kl);
        }
        auto const ids = golden.prompts().at("p17").get<std::vector<token_id>>();
        auto const forced = golden.prompts().at("decoder8").get<std::vector<token_id>>();
        auto const text = (*model)->encode(ids, pool);
        CHECK(compare(logits_after(*text, forced, 8), want["p17.decoder8_logits"], vocabulary).max_abs <= near.max_abs);
        if (!entry.at(reference).contains("greedy_ids")) continue;
        auto const& record = entry.at(reference);
        auto const expected = record.at("greedy_ids").get<std::vector<token_id>>();
        auto answer = (*model)->make_sequence(64);
        std::vector<float> logits(vocabulary);
        token_id next = start;
        for (std::size_t i = 0; i < expected.size(); ++i) {
          REQUIRE((*model)->decode(std::span(&next, 1), *text, *answer, pool, logits).has_value());
          next = static_cast<token_id>(std::max_element(logits.begin(), logits.end()) - logits.begin());
          if (record.contains("greedy_gap") && record.at("greedy_gap")[i] < 10 * near.max_abs) break;
          CHECK(next == expected[i]);
        }
      }
    }
  }
}
