#include "engine/adapter.hpp"
#include "engine/peft_adapter.hpp"
#include "engine/transformer.hpp"
#include "temp_dir.hpp"
#include "tiny_models.hpp"

#include <wherry/core/runtime.hpp>
#include <wherry/llm/local_model.hpp>
#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>

using namespace wherry;
using namespace wherry::engine;

namespace {

gguf_file model_file() {
  return make_random_model({.width = 32, .feed_forward = 48, .heads = 2, .kv_heads = 1}).value();
}

struct pair_shape {
  std::string tensor;
  std::size_t rank, rows, columns;
};

// An adapter in GGUF form with random pairs.
gguf_file adapter_file(std::vector<pair_shape> const& pairs, std::uint64_t seed = 5, float alpha = 8,
                       std::string const& architecture = "llama") {
  wherry_test::tiny_model_writer w(seed);
  w.file.add("general.type", "adapter");
  w.file.add("general.architecture", architecture);
  w.file.add("adapter.type", "lora");
  w.file.add("adapter.lora.alpha", alpha);
  for (auto const& p : pairs) {
    w.matrix(p.tensor + ".lora_a", p.rank, p.columns, 0.3);
    w.matrix(p.tensor + ".lora_b", p.rows, p.rank, 0.3);
  }
  return w.open();
}

std::vector<pair_shape> const usual{
    {"blk.0.attn_q.weight", 4, 32, 32}, {"blk.1.attn_v.weight", 2, 16, 32}, {"blk.0.ffn_down.weight", 3, 32, 48}};

// The model with the adapters' products added to its weights, in double precision.
gguf_file merged(gguf_file const& model, std::vector<std::pair<adapter const*, float>> const& adapters) {
  gguf_writer writer;
  writer.add("general.architecture", "llama");
  for (auto const* key :
       {"llama.context_length", "llama.embedding_length", "llama.block_count", "llama.feed_forward_length",
        "llama.attention.head_count", "llama.attention.head_count_kv", "llama.rope.dimension_count"})
    writer.add(key, static_cast<std::uint32_t>(*model.find_uint(key)));
  for (auto const* key : {"llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"})
    writer.add(key, static_cast<float>(*model.find_float(key)));
  for (std::size_t i = 0; i < model.tensors().size(); ++i) {
    auto const& tensor = model.tensors()[i];
    std::vector<std::uint8_t> data(tensor.data.begin(), tensor.data.end());
    for (auto const& [a, strength] : adapters) {
      auto const found = a->pairs.find(i);
      if (found == a->pairs.end()) continue;
      auto const& pair = found->second;
      for (std::size_t r = 0; r < pair.rows; ++r)
        for (std::size_t c = 0; c < pair.columns; ++c) {
          float value;
          std::memcpy(&value, data.data() + (r * pair.columns + c) * 4, 4);
          double sum = value;
          for (std::size_t k = 0; k < pair.rank; ++k)
            sum += double{strength} * pair.scale * pair.up[r * pair.rank + k] * pair.down[k * pair.columns + c];
          value = static_cast<float>(sum);
          std::memcpy(data.data() + (r * pair.columns + c) * 4, &value, 4);
        }
    }
    writer.add_tensor(tensor.name, tensor.type, tensor.shape, data);
  }
  return gguf_file::from_bytes(writer.bytes()).value();
}

std::vector<float> logits_of(gguf_file const& file, std::span<active_adapter const> adapters) {
  auto const model = transformer::load(file, kernel_set::scalar).value();
  worker_pool pool(2);
  auto sequence = model->make_sequence();
  std::vector<token_id> const ids{1, 40, 50, 60, 70, 80};
  std::vector<float> logits(ids.size() * model->configuration().vocabulary);
  REQUIRE(model->forward(ids, *sequence, pool, logits, {.adapters = adapters}).has_value());
  return logits;
}

double difference(std::vector<float> const& a, std::vector<float> const& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
  return most;
}

std::string answer(std::shared_ptr<model> const& to, std::vector<adapter_choice> adapters = {}) {
  model_request request;
  request.messages = {message::user("once")};
  request.max_tokens = 24;
  request.sampling.temperature = 0;
  request.adapters = std::move(adapters);
  auto stream = to->submit(std::move(request));
  if (!stream) FAIL(to_string(stream.error()));
  auto end = run_blocking(async_collect(std::move(*stream)), "collect", "async_collect");
  if (!end) FAIL(to_string(end.error()));
  return end->answer.text();
}

}  // namespace

TEST_CASE("adapters beside frozen weights compute what merged weights compute", "[unit][adapter]") {
  auto const file = model_file();
  auto const first = read_adapter(adapter_file(usual), file, "first").value();
  auto const second = read_adapter(adapter_file({{"blk.0.attn_q.weight", 1, 32, 32}}, 9, 3), file, "second").value();
  auto const plain = logits_of(file, {});
  for (float const strength : {1.0f, -0.5f}) {
    std::vector<active_adapter> const chosen{{&first, strength}, {&second, 1}};
    auto const beside = logits_of(file, chosen);
    CHECK(difference(beside, logits_of(merged(file, {{&first, strength}, {&second, 1}}), {})) < 1e-4);
    CHECK(difference(beside, plain) > 0.05);
  }
  std::vector<active_adapter> const none{{&first, 0}};
  CHECK(difference(logits_of(file, none), plain) == 0);
}

TEST_CASE("an adapter of a fused tensor reaches each of its parts", "[unit][adapter]") {
  // gpt2 keeps query, key and value in one tensor; the pair covers all three.
  constexpr std::size_t width = 32;
  wherry_test::tiny_model_writer w(4);
  w.file.add("general.architecture", "gpt2");
  for (auto const& [key, value] : std::vector<std::pair<char const*, std::uint32_t>>{{"gpt2.block_count", 1},
                                                                                     {"gpt2.context_length", 16},
                                                                                     {"gpt2.embedding_length", width},
                                                                                     {"gpt2.feed_forward_length", 48},
                                                                                     {"gpt2.attention.head_count", 4}})
    w.file.add(key, value);
  w.file.add("gpt2.attention.layer_norm_epsilon", 1e-5f);
  w.matrix("token_embd.weight", 90, width, 0.5);
  w.matrix("position_embd.weight", 16, width, 0.2);
  w.norm("blk.0.attn_norm", width, true);
  w.matrix("blk.0.attn_qkv.weight", 3 * width, width);
  w.bias("blk.0.attn_qkv", 3 * width);
  w.matrix("blk.0.attn_output.weight", width, width);
  w.norm("blk.0.ffn_norm", width, true);
  w.matrix("blk.0.ffn_up.weight", 48, width);
  w.matrix("blk.0.ffn_down.weight", width, 48);
  w.norm("output_norm", width, true);
  auto const file = w.open();
  auto const whole =
      read_adapter(adapter_file({{"blk.0.attn_qkv.weight", 4, 3 * width, width}}, 6, 8, "gpt2"), file, "a").value();
  auto const plain = logits_of(file, {});
  // Taking the rows of one part away from B must change the answer: all three are used.
  auto const index = whole.pairs.begin()->first;
  std::vector<active_adapter> const chosen{{&whole, 1}};
  auto const all = logits_of(file, chosen);
  CHECK(difference(all, plain) > 0.01);
  for (std::size_t part = 0; part < 3; ++part) {
    adapter partial = whole;
    auto& up = partial.pairs.at(index).up;
    std::fill_n(up.begin() + static_cast<std::ptrdiff_t>(part * width * 4), width * 4, 0.0f);
    std::vector<active_adapter> const some{{&partial, 1}};
    CHECK(difference(logits_of(file, some), all) > 1e-4);
  }
}

TEST_CASE("a request chooses its adapters, and answers with others do not share its cache", "[unit][adapter]") {
  auto llm = local_model::from(model_file(), {.kernels = "scalar"}).value();
  REQUIRE(llm.load_adapter("first", adapter_file(usual, 5, 40)).has_value());
  REQUIRE(llm.load_adapter("second", adapter_file(usual, 6, 40)).has_value());
  CHECK(llm.adapters() == std::vector<std::string>{"first", "second"});
  std::shared_ptr<model> const shared = llm;
  CHECK(shared->info().can.adapters);

  auto const plain = answer(shared);
  auto const first = answer(shared, {{"first"}});
  auto const second = answer(shared, {{"second"}});
  CHECK(first != plain);
  CHECK(second != first);
  // Alternating, each as if it were alone.
  CHECK(answer(shared) == plain);
  CHECK(answer(shared, {{"second"}}) == second);
  CHECK(answer(shared, {{"first", 0.0f}}) == plain);
  CHECK(answer(shared, {{"first"}}) == first);

  auto const always = llm.with_adapters({{"first"}}).value();
  CHECK(answer(always) == first);
  CHECK(always->info().fingerprint != shared->info().fingerprint);
  CHECK(llm.with_adapters({{"third"}}).error().is(errc::not_found));

  model_request unknown;
  unknown.messages = {message::user("once")};
  unknown.adapters = {{"third"}};
  auto const refused = shared->submit(std::move(unknown));
  REQUIRE(refused.has_error());
  CHECK(refused.error().message.find("loaded are first, second") != std::string::npos);
  CHECK(llm.load_adapter("first", adapter_file(usual)).error().is(errc::invalid_argument));
}

TEST_CASE("an adapter that does not fit is refused by name", "[unit][adapter]") {
  auto const file = model_file();
  auto const refusal = [&](gguf_file const& adapter) {
    auto const read = read_adapter(adapter, file, "a");
    REQUIRE(read.has_error());
    return read.error().message;
  };
  auto const names = [](std::string const& message, char const* what) {
    return message.find(what) != std::string::npos;
  };
  CHECK(names(refusal(file), "no LoRA adapter"));
  CHECK(names(refusal(adapter_file(usual, 1, 8, "qwen2")), "architecture 'qwen2'"));
  CHECK(names(refusal(adapter_file({{"blk.7.attn_q.weight", 4, 32, 32}})), "blk.7.attn_q.weight"));
  CHECK(names(refusal(adapter_file({{"blk.0.attn_q.weight", 4, 32, 16}})), "maps 16 inputs to 32 outputs"));
  CHECK(names(refusal(adapter_file({{"token_embd.weight", 4, 90, 32}})), "token_embd.weight"));
  CHECK(names(refusal(adapter_file({{"blk.0.attn_norm.weight", 4, 32, 1}})), "not a plain projection"));
  CHECK(names(refusal(adapter_file({})), "adapts nothing"));
  wherry_test::tiny_model_writer half(3);
  half.file.add("general.type", "adapter");
  half.file.add("general.architecture", "llama");
  half.file.add("adapter.type", "lora");
  half.matrix("blk.0.attn_q.weight.lora_a", 4, 32);
  CHECK(names(refusal(half.open()), "lora_b"));
}

namespace {

// A safetensors file with these f32 matrices.
std::vector<std::uint8_t> safetensors(
    std::vector<std::tuple<std::string, std::size_t, std::size_t, std::vector<float>>> const& tensors) {
  std::string header = "{", data;
  for (auto const& [name, rows, columns, values] : tensors) {
    header += (header.size() > 1 ? "," : "") + ("\"" + name + "\"") + ":{\"dtype\":\"F32\",\"shape\":[" +
              std::to_string(rows) + "," + std::to_string(columns) + "],\"data_offsets\":[" +
              std::to_string(data.size()) + "," + std::to_string(data.size() + values.size() * 4) + "]}";
    data.append(reinterpret_cast<char const*>(values.data()), values.size() * 4);
  }
  header += "}";
  std::vector<std::uint8_t> out(8);
  for (int i = 0; i < 8; ++i) out[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(header.size() >> (8 * i));
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

std::vector<float> noise(std::size_t count, std::uint32_t seed) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<float>(random_bits({seed, 0, static_cast<std::uint32_t>(i)}) >> 40) / float(1 << 24) - 0.5f;
  return out;
}

constexpr char const* plain_lora = R"({"peft_type":"LORA","r":4,"lora_alpha":8,"bias":"none","use_dora":false})";

}  // namespace

TEST_CASE("an adapter of PEFT is translated, the rows of turned heads put in the file's order", "[unit][adapter]") {
  auto const file = model_file();  // heads of 16 floats whose neighbours turn together
  auto const model = transformer::load(file, kernel_set::scalar).value();
  auto const a = noise(4 * 32, 1), b = noise(32 * 4, 2), down_a = noise(4 * 48, 3), down_b = noise(32 * 4, 4);
  std::string const layer = "base_model.model.model.layers.1.";
  auto const bytes = safetensors({{layer + "mlp.down_proj.lora_A.weight", 4, 48, down_a},
                                  {layer + "mlp.down_proj.lora_B.weight", 32, 4, down_b},
                                  {layer + "self_attn.q_proj.lora_A.weight", 4, 32, a},
                                  {layer + "self_attn.q_proj.lora_B.weight", 32, 4, b}});
  auto const opened = detail::safetensors_file::from_bytes(bytes).value();
  auto const read = read_peft_adapter(opened, plain_lora, file, model->configuration(), "p");
  if (!read) FAIL(to_string(read.error()));
  REQUIRE(read->pairs.size() == 2);
  for (auto const& [index, pair] : read->pairs) {
    CHECK(pair.scale == 2);
    if (file.tensors()[index].name == "blk.1.ffn_down.weight") {
      CHECK(pair.down == down_a);
      CHECK(pair.up == down_b);
      continue;
    }
    CHECK(file.tensors()[index].name == "blk.1.attn_q.weight");
    CHECK(pair.down == a);
    // Row 2 i + k of a head is row i + 8 k there.
    for (std::size_t row = 0; row < 32; ++row) {
      std::size_t const head = row / 16, within = row % 16, there = head * 16 + within / 2 + within % 2 * 8;
      CHECK(std::equal(pair.up.begin() + static_cast<std::ptrdiff_t>(row * 4),
                       pair.up.begin() + static_cast<std::ptrdiff_t>(row * 4 + 4),
                       b.begin() + static_cast<std::ptrdiff_t>(there * 4)));
    }
  }
  auto const refusal = [&](std::string const& configuration) {
    return read_peft_adapter(opened, configuration, file, model->configuration(), "p").error().message;
  };
  CHECK(refusal("{").find("not a JSON object") != std::string::npos);
  CHECK(refusal(R"({"peft_type":"IA3"})").find("IA3") != std::string::npos);
  CHECK(refusal(R"({"peft_type":"LORA","lora_alpha":8,"use_dora":true})").find("use_dora") != std::string::npos);
  CHECK(refusal(R"({"peft_type":"LORA","lora_alpha":8,"modules_to_save":["lm_head"]})").find("modules_to_save") !=
        std::string::npos);
}

TEST_CASE("an adapter is loaded from PEFT's folder", "[unit][adapter]") {
  wherry_test::temp_dir const folder;
  std::string const layer = "base_model.model.model.layers.0.mlp.up_proj";
  auto const bytes = safetensors(
      {{layer + ".lora_A.weight", 4, 32, noise(4 * 32, 7)}, {layer + ".lora_B.weight", 48, 4, noise(48 * 4, 8)}});
  std::ofstream(folder.path() / "adapter_model.safetensors", std::ios::binary)
      .write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  auto llm = local_model::from(model_file(), {.kernels = "scalar"}).value();
  CHECK(llm.load_adapter("p", folder.path()).error().message.find("adapter_config.json") != std::string::npos);
  std::ofstream(folder.path() / "adapter_config.json") << plain_lora;
  CHECK(llm.load_adapter("p", folder.path()).has_value());
  CHECK(llm.load_adapter("q", folder.path() / "adapter_model.safetensors").has_value());
  CHECK(answer(llm, {{"p"}}) == answer(llm, {{"q"}}));
}

TEST_CASE("merged weights answer as the adapter beside them does", "[unit][adapter]") {
  wherry_test::temp_dir const folder;
  auto const file = model_file();
  auto llm = local_model::from(file, {.kernels = "scalar"}).value();
  REQUIRE(llm.load_adapter("a", adapter_file(usual, 5, 40)).has_value());
  REQUIRE(llm.load_adapter("b", adapter_file({{"blk.0.attn_q.weight", 1, 32, 32}}, 9, 3)).has_value());
  auto const to = folder.path() / "merged.gguf";
  REQUIRE(llm.save_merged(to, {{"a", 0.5f}, {"b"}}).has_value());
  auto const written = gguf_file::open(to);
  REQUIRE(written.has_value());
  auto const a = read_adapter(adapter_file(usual, 5, 40), file, "a").value();
  auto const b = read_adapter(adapter_file({{"blk.0.attn_q.weight", 1, 32, 32}}, 9, 3), file, "b").value();
  std::vector<active_adapter> const chosen{{&a, 0.5f}, {&b, 1}};
  CHECK(difference(logits_of(*written, {}), logits_of(file, chosen)) < 1e-4);
  CHECK(written->keys().size() == file.keys().size());
  CHECK(answer(local_model::from(*written, {.kernels = "scalar"}).value()) == answer(llm, {{"a", 0.5f}, {"b"}}));
  CHECK(llm.save_merged(to, {{"c"}}).error().is(errc::not_found));
}
