// Broken model files: cut short, or with bytes changed. Each must be refused, or be a file that works.

#include <wherry/core/random.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/tokenizer.hpp>

#include "shared_data.hpp"
#include "tokenizer_samples.hpp"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace wherry;
using byte_vector = std::vector<std::uint8_t>;

namespace {

constexpr int cuts = 300;
constexpr int flips = 2000;
constexpr std::size_t read_stride = 61;  // of a tensor's data every so many bytes are read, and the last

byte_vector written_model(std::string const& kind) {
  auto const special = token_kind::control;
  auto writer = kind == "spm" ? wherry_test::spm_model({{"ab", token_kind::normal, -1}, {"<|im_end|>", special}})
                              : wherry_test::bpe_model("llama-bpe", {"a b", "ab c", "Ġ a"}, {{"<|im_end|>", special}});
  writer.add("wherry.flags", true);
  writer.add("wherry.list", std::vector<std::int32_t>{1, 2, 3});
  writer.add_tensor("token_embd.weight", tensor_type::f32, {8, 4}, byte_vector(128, 1));
  writer.add_tensor("output.weight", tensor_type::q4_k, {256, 2}, byte_vector(288, 2));
  return writer.bytes();
}

byte_vector model_bytes(std::string const& name) {
  if (name == "spm" || name == "bpe") return written_model(name);
  auto const text = wherry_test::read_file(wherry_test::shared(name));
  return {text.begin(), text.end()};
}

// Touches everything a file offers, and uses its tokenizer if it has one. The result keeps the reads alive.
std::size_t exercise(gguf_file const& file) {
  std::size_t sum = file.version();
  for (auto const key : file.keys()) {
    sum += file.describe(key).size() + file.find_int(key).has_value() + file.find_float(key).has_value();
    sum += file.find_strings(key).value_or(std::vector<std::string_view>{}).size();
    sum += file.find_floats(key).value_or(std::vector<float>{}).size();
    sum += file.find_ints(key).value_or(std::vector<std::int64_t>{}).size();
  }
  for (auto const& tensor : file.tensors()) {
    REQUIRE(file.find_tensor(tensor.name) == &tensor);
    auto const layout = layout_of(tensor.type);
    REQUIRE(tensor.data.size() == tensor.element_count() / layout.elements * layout.bytes);
    for (std::size_t at = 0; at < tensor.data.size(); at += read_stride) sum += tensor.data[at];
    sum += tensor.data.back();
  }
  auto const t = tokenizer::from(file);
  if (!t) {
    CHECK(!t.error().message.empty());
    return sum;
  }
  auto const ids = t->encode("Once upon\n<|im_end|> a\xCC\x81\xFF abc", {.add_special = true, .parse_special = true});
  for (auto const id : ids) REQUIRE(static_cast<std::size_t>(id) < t->size());
  return sum + t->decode(ids, {.show_special = true}).size() + t->end_of_generation().size();
}

// True when the file opened.
bool opens_or_explains(byte_vector bytes) {
  auto const file = gguf_file::from_bytes(std::move(bytes), "broken");
  if (file)
    exercise(*file);
  else
    CHECK(!file.error().message.empty());
  return file.has_value();
}

// Where the tensors' data begins.
std::size_t header_bytes(byte_vector const& bytes) {
  auto const file = gguf_file::from_bytes(bytes).value();
  std::size_t data = 0;
  for (auto const& tensor : file.tensors()) data += tensor.data.size();
  return bytes.size() - data;
}

}  // namespace

TEST_CASE("a damaged model file is refused or works", "[robustness]") {
  auto const name = GENERATE(std::string("spm"), "bpe", "models/stories260K/stories260Ktok512.gguf",
                             "models/golden/llama3/llama3-q8_0.gguf");
  CAPTURE(name, Catch::getSeed());
  auto const bytes = model_bytes(name);
  auto const header = header_bytes(bytes);
  std::uint32_t drawn = 0;
  auto const below = [&](std::size_t bound) {
    return random_bits({.run = Catch::getSeed(), .position = drawn++}) % bound;
  };
  REQUIRE(opens_or_explains(bytes));

  SECTION("cut short anywhere") {
    for (int i = 0; i < cuts; ++i) {
      auto const length = i % 2 ? below(bytes.size()) : below(header);
      CAPTURE(length);
      // Every byte of these files is needed: the last one belongs to a tensor.
      CHECK(!opens_or_explains({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)}));
    }
  }
  SECTION("with a byte of header or metadata changed") {
    int opened = 0;
    for (int i = 0; i < flips; ++i) {
      auto broken = bytes;
      auto const at = below(header);
      broken[at] = static_cast<std::uint8_t>(i % 2 ? below(256) : broken[at] ^ (1u << below(8)));
      CAPTURE(at);
      opened += opens_or_explains(std::move(broken));
    }
    CHECK(opened > 0);
    CHECK(opened < flips);
  }
}
