#include <wherry/llm/gguf.hpp>

#include "shared_data.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <cstring>
#include <limits>
#include <numeric>

#include <unistd.h>

using namespace wherry;
using Catch::Matchers::ContainsSubstring;

namespace {

using byte_vector = std::vector<std::uint8_t>;

// A file image put together field by field, to say things that the writer never would.
struct raw_image {
  byte_vector bytes;

  raw_image(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
    text_bytes("GGUF");
    number(version).number(tensors).number(entries);
  }
  template <class T>
  raw_image& number(T value) {
    auto const at = bytes.size();
    bytes.resize(at + sizeof(T));
    std::memcpy(bytes.data() + at, &value, sizeof(T));
    return *this;
  }
  raw_image& text_bytes(std::string_view text) {
    bytes.insert(bytes.end(), text.begin(), text.end());
    return *this;
  }
  raw_image& text(std::string_view text) { return number(std::uint64_t{text.size()}).text_bytes(text); }
  raw_image& key(std::string_view name, std::uint32_t type) { return text(name).number(type); }
  raw_image& tensor(std::string_view name, std::vector<std::uint64_t> const& shape, std::uint32_t type,
                    std::uint64_t offset) {
    text(name).number(static_cast<std::uint32_t>(shape.size()));
    for (auto const extent : shape) number(extent);
    return number(type).number(offset);
  }
  raw_image& padded(std::size_t alignment, std::size_t extra) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment + extra);
    return *this;
  }
};

std::string refusal(raw_image const& image, errc expected = errc::corrupt_file) {
  auto const file = gguf_file::from_bytes(image.bytes);
  REQUIRE(!file);
  CHECK(file.error().is(expected));
  return file.error().message;
}

byte_vector counting_bytes(std::size_t count) {
  byte_vector bytes(count);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{1});
  return bytes;
}

gguf_writer small_model() {
  gguf_writer writer;
  writer.add("general.architecture", "llama");
  writer.add("llama.block_count", std::uint32_t{5});
  writer.add("llama.epsilon", 1e-5f);
  writer.add("tokenizer.add_bos", true);
  writer.add("names", std::vector<std::string>{"", "one", "\xEC\x84\x9C\xEC\x9A\xB8"});
  writer.add("weights", std::vector<float>{0.5f, -1.0f});
  writer.add("kinds", std::vector<std::int32_t>{1, -2, 3});
  writer.add("nothing", std::vector<std::string>{});
  writer.add_tensor("a.weight", tensor_type::f32, {3, 2}, counting_bytes(24));
  writer.add_tensor("b.weight", tensor_type::q8_0, {64, 2, 3}, counting_bytes(34 * 12));
  return writer;
}

}  // namespace

TEST_CASE("a written model file reads back the same", "[unit]") {
  auto const file = gguf_file::from_bytes(small_model().bytes(), "small").value();
  CHECK(file.name() == "small");
  CHECK(file.version() == 3);
  CHECK(file.keys() == std::vector<std::string_view>{"general.architecture", "llama.block_count", "llama.epsilon",
                                                     "tokenizer.add_bos", "names", "weights", "kinds", "nothing"});
  CHECK(file.find_string("general.architecture") == "llama");
  CHECK(file.find_uint("llama.block_count") == 5);
  CHECK(file.find_int("llama.block_count") == 5);
  CHECK(file.find_float("llama.block_count") == 5.0);
  CHECK(file.find_float("llama.epsilon") == double{1e-5f});
  CHECK(file.find_bool("tokenizer.add_bos") == true);
  CHECK(file.find_strings("names") == std::vector<std::string_view>{"", "one", "\xEC\x84\x9C\xEC\x9A\xB8"});
  CHECK(file.find_floats("weights") == std::vector<float>{0.5f, -1.0f});
  CHECK(file.find_ints("kinds") == std::vector<std::int64_t>{1, -2, 3});
  CHECK(file.find_strings("nothing") == std::vector<std::string_view>{});

  REQUIRE(file.tensors().size() == 2);
  auto const* quantised = file.find_tensor("b.weight");
  REQUIRE(quantised);
  CHECK(quantised->type == tensor_type::q8_0);
  CHECK(quantised->shape == std::vector<std::uint64_t>{64, 2, 3});
  CHECK(quantised->element_count() == 384);
  auto const expected = counting_bytes(34 * 12);
  CHECK(std::equal(quantised->data.begin(), quantised->data.end(), expected.begin(), expected.end()));
  CHECK(file.find_tensor("c.weight") == nullptr);
}

TEST_CASE("metadata of another kind counts as absent", "[unit]") {
  auto const file = gguf_file::from_bytes(small_model().bytes()).value();
  CHECK(!file.find_uint("absent"));
  CHECK(!file.find_uint("general.architecture"));
  CHECK(!file.find_uint("llama.epsilon"));
  CHECK(!file.find_uint("tokenizer.add_bos"));
  CHECK(!file.find_string("names"));
  CHECK(!file.find_strings("general.architecture"));
  CHECK(!file.find_floats("kinds"));
  CHECK(!file.find_ints("names"));
  CHECK(!file.find_bool("llama.block_count"));
}

TEST_CASE("integers of every width convert when they fit", "[unit]") {
  raw_image image(0, 5);
  image.key("i8", 1).number(std::int8_t{-3});
  image.key("u64", 10).number(std::numeric_limits<std::uint64_t>::max());
  image.key("i64", 11).number(std::int64_t{1} << 40);
  image.key("f64", 12).number(0.25);
  image.key("flags", 9)
      .number(std::uint32_t{7})
      .number(std::uint64_t{2})
      .number(std::uint8_t{1})
      .number(std::uint8_t{0});
  auto const file = gguf_file::from_bytes(image.bytes).value();
  CHECK(file.find_int("i8") == -3);
  CHECK(!file.find_uint("i8"));
  CHECK(file.find_uint("u64") == std::numeric_limits<std::uint64_t>::max());
  CHECK(!file.find_int("u64"));
  CHECK(file.find_uint("i64") == std::uint64_t{1} << 40);
  CHECK(file.find_float("f64") == 0.25);
  CHECK(file.find_ints("flags") == std::vector<std::int64_t>{1, 0});
}

TEST_CASE("metadata is described on one line", "[unit]") {
  gguf_writer writer;
  writer.add("text", "say \"hi\"\n\x01");
  writer.add("korean", "\xEC\x84\x9C\xEC\x9A\xB8");
  writer.add("list", std::vector<float>(3));
  writer.add("count", std::uint32_t{7});
  writer.add("flag", false);
  auto const file = gguf_file::from_bytes(writer.bytes()).value();
  CHECK(file.describe("text") == R"("say \"hi\"\n?")");
  CHECK(file.describe("korean", 4) == "\"\xEC\x84\x9C\"...");  // cut between code points
  CHECK(file.describe("list") == "[3 of f32]");
  CHECK(file.describe("count") == "7");
  CHECK(file.describe("flag") == "false");
  CHECK(file.describe("other") == "absent");
}

TEST_CASE("a file that is no GGUF, or of another version, is refused by name", "[unit]") {
  CHECK_THAT(gguf_file::from_bytes({}).error().message, ContainsSubstring("does not begin with 'GGUF'"));
  CHECK_THAT(gguf_file::from_bytes(byte_vector(100, 'x')).error().message, ContainsSubstring("no GGUF file"));
  CHECK_THAT(refusal(raw_image(0, 0, 1), errc::unsupported), ContainsSubstring("version 1"));
  CHECK_THAT(refusal(raw_image(0, 0, 0x03000000), errc::unsupported), ContainsSubstring("big-endian"));
  CHECK(gguf_file::from_bytes(raw_image(0, 0, 2).bytes).has_value());
}

TEST_CASE("declared counts and lengths are checked before use", "[unit]") {
  constexpr auto huge = std::numeric_limits<std::uint64_t>::max();
  CHECK_THAT(refusal(raw_image(huge, 0)), ContainsSubstring("number of tensors"));
  CHECK_THAT(refusal(raw_image(0, huge)), ContainsSubstring("number of metadata entries"));
  CHECK_THAT(refusal(raw_image(0, 60000)), ContainsSubstring("bytes follow"));
  CHECK_THAT(refusal(raw_image(0, 1).number(huge).padded(1, 30)), ContainsSubstring("length of a metadata key"));
  CHECK_THAT(refusal(raw_image(0, 1).key("k", 8).number(huge)), ContainsSubstring("length of a metadata string"));
  CHECK_THAT(refusal(raw_image(0, 1).key("k", 9).number(4u).number(huge)), ContainsSubstring("element count"));
  CHECK_THAT(refusal(raw_image(0, 1).key("k", 9).number(4u).number(std::uint64_t{1} << 20)),
             ContainsSubstring("bytes follow"));
  CHECK_THAT(refusal(raw_image(0, 1).key("k", 9).number(9u).number(std::uint64_t{0})),
             ContainsSubstring("array in an array"));
  CHECK_THAT(refusal(raw_image(0, 1).key("k", 77).number(0u)), ContainsSubstring("type 77"));
  CHECK_THAT(refusal(raw_image(0, 1).key("k", 7).number(std::uint8_t{2})), ContainsSubstring("neither 0 nor 1"));
  CHECK_THAT(refusal(raw_image(0, 1).key("", 0).number(std::uint8_t{2})), ContainsSubstring("key is empty"));
}

TEST_CASE("duplicate keys and tensors are refused", "[unit]") {
  gguf_writer writer;
  writer.add("twice", std::uint32_t{1});
  writer.add("twice", std::uint32_t{2});
  CHECK_THAT(gguf_file::from_bytes(writer.bytes()).error().message, ContainsSubstring("'twice'"));
  gguf_writer tensors;
  tensors.add_tensor("t", tensor_type::f32, {1}, counting_bytes(4));
  tensors.add_tensor("t", tensor_type::f32, {1}, counting_bytes(4));
  CHECK_THAT(gguf_file::from_bytes(tensors.bytes()).error().message, ContainsSubstring("'t'"));
}

TEST_CASE("tensor shapes and places are checked before use", "[unit]") {
  auto const one = [](std::vector<std::uint64_t> const& shape, std::uint32_t type = 0, std::uint64_t offset = 0) {
    return raw_image(1, 0).tensor("t", shape, type, offset).padded(32, 64);
  };
  CHECK(gguf_file::from_bytes(one({16}).bytes).has_value());
  CHECK(gguf_file::from_bytes(one({8}, 0, 32).bytes).has_value());
  CHECK_THAT(refusal(one({17})), ContainsSubstring("beyond the end of the file"));
  CHECK_THAT(refusal(one({9}, 0, 32)), ContainsSubstring("beyond the end of the file"));
  CHECK_THAT(refusal(one({1}, 0, ~std::uint64_t{31})), ContainsSubstring("beyond the end of the file"));
  CHECK_THAT(refusal(one({1}, 0, 4)), ContainsSubstring("not aligned to 32"));
  CHECK_THAT(refusal(one({})), ContainsSubstring("0 dimensions"));
  CHECK_THAT(refusal(one({1, 1, 1, 1, 1})), ContainsSubstring("5 dimensions"));
  CHECK_THAT(refusal(one({0, 4})), ContainsSubstring("shape"));
  CHECK_THAT(refusal(one({33}, 8)), ContainsSubstring("multiple of the 32 elements of a Q8_0 block"));
  constexpr auto half = std::uint64_t{1} << 32;
  CHECK_THAT(refusal(one({half, half})), ContainsSubstring("too large"));
  CHECK_THAT(refusal(one({half, half / 2})), ContainsSubstring("too large"));  // fits only until multiplied by 4 bytes
  auto const message = refusal(one({256}, 16), errc::unsupported);
  CHECK_THAT(message, ContainsSubstring("IQ2_XXS (type 16)") && ContainsSubstring("Q4_K"));
}

TEST_CASE("the declared alignment places the data", "[unit]") {
  auto const with_alignment = [](std::uint32_t alignment) {
    raw_image image(1, 1);
    image.key("general.alignment", 4).number(alignment).tensor("t", {1}, 0, 0);
    return image.padded(64, 0).number(0.75f);
  };
  auto const file = gguf_file::from_bytes(with_alignment(64).bytes).value();
  float value = 0;
  std::memcpy(&value, file.tensors()[0].data.data(), sizeof value);
  CHECK(value == 0.75f);
  for (std::uint32_t const bad : {0u, 4u, 48u, 1u << 17})
    CHECK_THAT(refusal(with_alignment(bad)), ContainsSubstring("general.alignment"));
}

TEST_CASE("block layouts give the bytes per weight of each type", "[unit]") {
  CHECK(layout_of(tensor_type::f32).bytes == 4);
  CHECK(layout_of(tensor_type::q4_0).bytes == 2 + 16);
  CHECK(layout_of(tensor_type::q8_0).bytes == 2 + 32);
  CHECK(layout_of(tensor_type::q4_k).bytes == 4 + 12 + 128);
  CHECK(layout_of(tensor_type::q6_k).bytes == 128 + 64 + 16 + 2);
  CHECK(layout_of(static_cast<tensor_type>(77)).elements == 0);
  CHECK(to_string(tensor_type::q4_k) == "Q4_K");
  CHECK(to_string(static_cast<tensor_type>(77)) == "type 77");
}

TEST_CASE("a model file goes to disk and comes back mapped", "[unit]") {
  auto const path =
      std::filesystem::temp_directory_path() / ("wherry_gguf_test_" + std::to_string(::getpid()) + ".gguf");
  auto const writer = small_model();
  REQUIRE(writer.write(path));
  auto const file = gguf_file::open(path).value();
  CHECK(file.size_bytes() == writer.bytes().size());
  CHECK(file.find_uint("llama.block_count") == 5);
  auto const copy = file;  // copies share the mapping
  CHECK(copy.find_tensor("a.weight")->data.data() == file.find_tensor("a.weight")->data.data());
  std::filesystem::remove(path);
  CHECK(gguf_file::open(path).error().is(errc::not_found));
  CHECK(gguf_file::open(path.parent_path()).error().is(errc::io_failed));
  CHECK(writer.write(path / "inside" / "nothing").error().is(errc::io_failed));
}

TEST_CASE("a published model file is read", "[golden]") {
  auto const file = gguf_file::open(wherry_test::shared("models/stories260K/stories260Ktok512.gguf")).value();
  CHECK(file.version() == 3);
  CHECK(file.find_string("general.architecture") == "llama");
  CHECK(file.find_uint("llama.block_count") == 5);
  CHECK(file.find_uint("llama.embedding_length") == 64);
  CHECK(file.find_strings("tokenizer.ggml.tokens")->size() == 512);
  auto const* embedding = file.find_tensor("token_embd.weight");
  REQUIRE(embedding);
  CHECK(embedding->shape == std::vector<std::uint64_t>{64, 512});
}
