// Files that declare the impossible, or more than the engine computes, are refused by name; a damaged file is an error
// or a model that works.

#include "engine/sampler.hpp"
#include "engine/transformer.hpp"

#include <wherry/core/random.hpp>
#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <variant>

using namespace wherry;
using namespace wherry::engine;

namespace {

struct tensor_recipe {
  std::vector<std::uint64_t> shape;
  tensor_type type = tensor_type::f32;
  float value = 0.1f;  // of every element, where the type is F32
};

// What a file is made of; a test changes one thing of it.
struct recipe {
  std::map<std::string, std::variant<std::uint32_t, float, bool, std::string, std::vector<std::int32_t>>> metadata;
  std::map<std::string, tensor_recipe> tensors;
  bool varied = false;  // no two neighbouring weights alike

  result<std::shared_ptr<transformer const>> load() const {
    gguf_writer writer;
    for (auto const& [key, value] : metadata)
      std::visit([&, &name = key](auto const& v) { writer.add(name, v); }, value);
    for (auto const& [name, tensor] : tensors) {
      std::size_t elements = 1;
      for (auto extent : tensor.shape) elements *= extent;
      auto const layout = layout_of(tensor.type);
      std::vector<std::uint8_t> data(elements / layout.elements * layout.bytes);
      if (tensor.type == tensor_type::f32)
        for (std::size_t i = 0; i < elements; ++i) {
          float const v = varied ? tensor.value * static_cast<float>(i * 2654435761u % 199) / 50 - 0.2f : tensor.value;
          std::memcpy(data.data() + 4 * i, &v, 4);
        }
      writer.add_tensor(name, tensor.type, tensor.shape, data);
    }
    auto file = gguf_file::from_bytes(writer.bytes(), "recipe");
    REQUIRE(file.has_value());
    return transformer::load(*file, kernel_set::scalar);
  }
};

recipe small_model() {
  recipe r;
  r.metadata = {{"general.architecture", "llama"},     {"llama.context_length", 64u},
                {"llama.embedding_length", 32u},       {"llama.block_count", 1u},
                {"llama.feed_forward_length", 24u},    {"llama.attention.head_count", 4u},
                {"llama.attention.head_count_kv", 2u}, {"llama.attention.layer_norm_rms_epsilon", 1e-5f}};
  r.tensors = {{"token_embd.weight", {{32, 10}}},        {"output_norm.weight", {{32}}},
               {"blk.0.attn_norm.weight", {{32}}},       {"blk.0.attn_q.weight", {{32, 32}}},
               {"blk.0.attn_k.weight", {{32, 16}}},      {"blk.0.attn_v.weight", {{32, 16}}},
               {"blk.0.attn_output.weight", {{32, 32}}}, {"blk.0.ffn_norm.weight", {{32}}},
               {"blk.0.ffn_gate.weight", {{32, 24}}},    {"blk.0.ffn_up.weight", {{32, 24}}},
               {"blk.0.ffn_down.weight", {{24, 32}}}};
  return r;
}

void check_refused(recipe const& r, errc code, std::string const& named) {
  auto const model = r.load();
  REQUIRE(model.has_error());
  CAPTURE(to_string(model.error()), named);
  CHECK(model.error().is(code));
  CHECK(model.error().message.find(named) != std::string::npos);
}

void check_refused_key(std::string const& key, decltype(recipe::metadata)::mapped_type value, errc code) {
  auto r = small_model();
  r.metadata[key] = std::move(value);
  check_refused(r, code, key);
}

// The file with one bit flipped in one of its numbers, and one in every tensor.
result<std::shared_ptr<transformer const>> load_damaged(gguf_file const& file, std::uint32_t round) {
  constexpr std::array integers{"llama.context_length",       "llama.embedding_length",
                                "llama.block_count",          "llama.feed_forward_length",
                                "llama.attention.head_count", "llama.attention.head_count_kv",
                                "llama.rope.dimension_count"};
  constexpr std::array floats{"llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"};
  std::size_t const victim = round % (integers.size() + floats.size() + 3);  // at times none
  auto const flip = random_bits({11, 0, round});
  std::uint32_t const bit = 1u << flip % 32;
  gguf_writer writer;
  writer.add("general.architecture", "llama");
  for (std::size_t i = 0; i < integers.size(); ++i)
    writer.add(integers[i], static_cast<std::uint32_t>(*file.find_uint(integers[i])) ^ (i == victim ? bit : 0));
  for (std::size_t i = 0; i < floats.size(); ++i) {
    auto const bits = std::bit_cast<std::uint32_t>(static_cast<float>(*file.find_float(floats[i])));
    writer.add(floats[i], std::bit_cast<float>(bits ^ (integers.size() + i == victim ? bit : 0)));
  }
  for (auto const& tensor : file.tensors()) {
    std::vector<std::uint8_t> data(tensor.data.begin(), tensor.data.end());
    data[(flip >> 24) % data.size()] ^= static_cast<std::uint8_t>(1u << (flip >> 5) % 8);
    writer.add_tensor(tensor.name, tensor.type, tensor.shape, data);
  }
  auto const damaged = gguf_file::from_bytes(writer.bytes());
  REQUIRE(damaged.has_value());
  return transformer::load(*damaged, kernel_set::scalar);
}

}  // namespace

TEST_CASE("a minimal file loads, with defaults for what it may leave out", "[robustness][engine]") {
  auto const model = small_model().load();
  REQUIRE(model.has_value());
  auto const& c = (*model)->configuration();
  CHECK(c.head_width == 8);
  CHECK(c.rope_width == 8);
  CHECK(c.rope_base == 10000);
  CHECK(c.vocabulary == 10);
  auto own_head = small_model();
  own_head.metadata.erase("llama.attention.head_count_kv");
  own_head.tensors["blk.0.attn_k.weight"] = own_head.tensors["blk.0.attn_v.weight"] = {{32, 32}};
  CHECK(own_head.load().has_value());
}

TEST_CASE("missing hyperparameters are named", "[robustness][engine]") {
  for (auto const* key :
       {"general.architecture", "llama.context_length", "llama.embedding_length", "llama.block_count",
        "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon"}) {
    auto r = small_model();
    r.metadata.erase(key);
    check_refused(r, errc::corrupt_file, key);
  }
}

TEST_CASE("absurd hyperparameters are refused", "[robustness][engine]") {
  constexpr std::uint32_t huge = 0xFFFFFFFF;
  for (std::uint32_t value : {0u, huge}) {
    check_refused_key("llama.context_length", value, errc::corrupt_file);
    check_refused_key("llama.embedding_length", value, errc::corrupt_file);
    check_refused_key("llama.block_count", value, errc::corrupt_file);
    check_refused_key("llama.feed_forward_length", value, errc::corrupt_file);
    check_refused_key("llama.attention.head_count", value, errc::corrupt_file);
    check_refused_key("llama.attention.head_count_kv", value, errc::corrupt_file);
    check_refused_key("llama.attention.key_length", value, errc::corrupt_file);
    check_refused_key("llama.rope.dimension_count", value, errc::corrupt_file);
  }
  check_refused_key("llama.rope.dimension_count", 7u, errc::corrupt_file);
  check_refused_key("llama.rope.dimension_count", 10u, errc::corrupt_file);
  check_refused_key("llama.embedding_length", 33u, errc::corrupt_file);
  check_refused_key("llama.block_count", "one", errc::corrupt_file);
  check_refused_key("llama.attention.head_count", std::vector<std::int32_t>{4}, errc::corrupt_file);
  for (float value : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    check_refused_key("llama.attention.layer_norm_rms_epsilon", value, errc::corrupt_file);
    check_refused_key("llama.rope.freq_base", value, errc::corrupt_file);
  }
  auto uneven = small_model();
  uneven.metadata["llama.attention.head_count_kv"] = 3u;
  check_refused(uneven, errc::corrupt_file, "evenly");
  auto unlike = small_model();
  unlike.metadata["llama.attention.value_length"] = 16u;
  check_refused(unlike, errc::corrupt_file, "differ in width");
}

TEST_CASE("hyperparameters that contradict the tensors are refused", "[robustness][engine]") {
  auto r = small_model();
  r.metadata["llama.feed_forward_length"] = 25u;
  check_refused(r, errc::corrupt_file, "blk.0.ffn_gate.weight");
  r = small_model();
  r.metadata["llama.attention.head_count_kv"] = 4u;
  check_refused(r, errc::corrupt_file, "blk.0.attn_k.weight");
  r = small_model();
  r.metadata["llama.block_count"] = 2u;
  check_refused(r, errc::corrupt_file, "blk.1.attn_norm.weight");
}

TEST_CASE("what the engine does not compute is refused by name, never left out", "[robustness][engine]") {
  for (auto const* type : {"longrope", "something"}) {
    auto r = small_model();
    r.metadata["llama.rope.scaling.type"] = type;
    check_refused(r, errc::unsupported, type);
  }
  check_refused_key("llama.attention.max_alibi_bias", 8.0f, errc::unsupported);
  check_refused_key("llama.attention.clamp_kqv", 30.0f, errc::unsupported);
  check_refused_key("llama.expert_shared_count", 1u, errc::unsupported);
  auto neutral = small_model();
  neutral.metadata["llama.attention.max_alibi_bias"] = 0.0f;
  neutral.metadata["llama.expert_count"] = 0u;
  neutral.metadata["llama.rope.scaling.type"] = "none";
  CHECK(neutral.load().has_value());
  neutral.metadata["llama.attention.causal"] = false;
  check_refused(neutral, errc::unsupported, "causal");

  auto experts = small_model();
  experts.metadata["llama.expert_count"] = 8u;
  experts.metadata["llama.expert_used_count"] = 2u;
  check_refused(experts, errc::corrupt_file, "blk.0.ffn_gate_inp.weight");
  auto other = small_model();
  other.metadata["general.architecture"] = "mamba";
  check_refused(other, errc::unsupported, "supported are llama");
  auto reader = small_model();
  reader.metadata["general.architecture"] = "bert";
  check_refused(reader, errc::corrupt_file, "bert.");
  auto scaled = small_model();
  scaled.tensors["blk.0.attn_q.scale"] = {{1}};
  check_refused(scaled, errc::unsupported, "blk.0.attn_q.scale");
}

TEST_CASE("scalings, caps, windows and biases that a file declares change what it computes", "[robustness][engine]") {
  auto plain = small_model();
  plain.varied = true;
  auto const logits_of = [](recipe const& r) {
    auto const model = r.load();
    if (!model) FAIL(to_string(model.error()));
    worker_pool pool(1);
    auto sequence = (*model)->make_sequence();
    std::vector<float> logits(10);
    std::vector<token_id> const ids{1, 2, 3, 4, 5, 6, 7, 8};
    REQUIRE((*model)->forward(ids, *sequence, pool, logits).has_value());
    return logits;
  };
  auto const expected = logits_of(plain);
  auto const changed_by = [&](std::string const& key, decltype(recipe::metadata)::mapped_type value) {
    auto r = plain;
    r.metadata[key] = std::move(value);
    return logits_of(r) != expected;
  };
  CHECK(changed_by("llama.rope.scale_linear", 4.0f));
  CHECK(changed_by("llama.rope.scaling.factor", 2.0f));
  CHECK(changed_by("llama.attn_logit_softcapping", 0.5f));
  CHECK(changed_by("llama.final_logit_softcapping", 0.5f));
  CHECK(changed_by("llama.logit_scale", 0.5f));
  CHECK(changed_by("llama.embedding_scale", 0.5f));
  CHECK(changed_by("llama.residual_scale", 0.5f));
  CHECK(changed_by("llama.attention.scale", 0.5f));
  CHECK(changed_by("llama.attention.sliding_window", 3u));
  CHECK(!changed_by("llama.attention.sliding_window", 64u));  // as long as the context: no window at all
  CHECK(!changed_by("llama.logit_scale", 1.0f));
}

TEST_CASE("missing and mis-shaped tensors and types without kernels are named", "[robustness][engine]") {
  for (auto const& [name, unused] : small_model().tensors) {
    auto r = small_model();
    r.tensors.erase(name);
    check_refused(r, errc::corrupt_file, name);
    r = small_model();
    r.tensors[name].shape.back() += 1;
    CHECK(r.load().has_error() == (name != "token_embd.weight"));  // its rows are the vocabulary
    if (r.tensors[name].shape.size() == 1) {
      r = small_model();
      r.tensors[name].type = tensor_type::f16;
      check_refused(r, errc::unsupported, name);
    }
  }
  auto r = small_model();
  r.tensors["blk.0.attn_q.weight"].type = tensor_type::q4_0;
  CHECK(r.load().has_value());
}

TEST_CASE("frequency factors are checked", "[robustness][engine]") {
  auto r = small_model();
  for (float value :
       {0.0f, -1.0f, 1e-30f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    r.tensors["rope_freqs.weight"] = {{4}, tensor_type::f32, value};
    check_refused(r, errc::corrupt_file, "rope_freqs.weight");
  }
  r.tensors["rope_freqs.weight"] = {{5}, tensor_type::f32, 1.0f};
  check_refused(r, errc::corrupt_file, "rope_freqs.weight");
  r.tensors["rope_freqs.weight"] = {{4}, tensor_type::f32, 8.0f};
  CHECK(r.load().has_value());
}

TEST_CASE("a file with flipped bits is an error or a model that computes", "[robustness][engine]") {
  auto const file = make_random_model({.width = 32, .feed_forward = 32, .layers = 1, .heads = 2, .kv_heads = 1});
  REQUIRE(file.has_value());
  constexpr std::uint32_t rounds = 360;
  std::uint32_t loaded = 0;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    auto const model = load_damaged(*file, round);
    if (!model) continue;
    ++loaded;
    worker_pool pool(1);
    auto sequence = (*model)->make_sequence();
    REQUIRE(sequence.has_value());
    std::vector<float> logits((*model)->configuration().vocabulary);
    std::vector<token_id> const ids{1, 20, 300};
    bool const fits = sequence->positions_max() >= ids.size();
    CHECK((*model)->forward(ids, *sequence, pool, logits).has_value() == fits);
    auto const chosen = sampler::make({}, logits.size())->sample(logits, {}, {}, {});
    CHECK((chosen.has_value() || chosen.error().is(errc::model_failed)));
  }
  CHECK(loaded > rounds / 4);
  CHECK(loaded < rounds);
}
