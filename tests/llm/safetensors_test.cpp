// Safetensors files: what is read, what is refused, and files that are broken.

#include "gguf/safetensors_file.hpp"
#include "temp_dir.hpp"

#include <wherry/core/random.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <cstring>
#include <fstream>

using namespace wherry;
using Catch::Matchers::ContainsSubstring;
using detail::safetensors_file;
using byte_vector = std::vector<std::uint8_t>;

namespace {

byte_vector image_of(std::string const& header, std::size_t data_bytes) {
  std::uint64_t const length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes += header;
  for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(i);
  return {bytes.begin(), bytes.end()};
}

constexpr char const* adapter_header =
    R"({"__metadata__":{"format":"pt"},)"
    R"("q.lora_B.weight":{"dtype":"F16","shape":[4,2],"data_offsets":[24,40]},)"
    R"("q.lora_A.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("scale":{"dtype":"BF16","shape":[],"data_offsets":[40,42]},"none":{"dtype":"F32","shape":[0,5],"data_offsets":[42,42]}}   )";
constexpr std::size_t adapter_bytes = 42;

std::string one(std::string const& tensor) { return "{\"x\":" + tensor + "}"; }

void check_refused(byte_vector const& bytes, errc code, std::string const& said) {
  auto const file = safetensors_file::from_bytes(bytes, "adapter");
  CAPTURE(said);
  REQUIRE(file.has_error());
  CHECK(file.error().is(code));
  CHECK_THAT(file.error().message, ContainsSubstring(said));
}

}  // namespace

TEST_CASE("a safetensors file gives its tensors by name", "[unit][safetensors]") {
  wherry_test::temp_dir const folder;
  auto const bytes = image_of(adapter_header, adapter_bytes);
  std::ofstream(folder / "adapter.safetensors", std::ios::binary)
      .write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  auto const opened = safetensors_file::open(folder / "adapter.safetensors");
  REQUIRE(opened.has_value());
  safetensors_file const file = *opened;
  REQUIRE(file.tensors().size() == 4);
  CHECK(file.tensors()[0].name == "none");
  auto const* a = file.find("q.lora_A.weight");
  REQUIRE(a);
  CHECK(a->type == tensor_type::f32);
  CHECK(a->shape == std::vector<std::uint64_t>{2, 3});
  CHECK(a->element_count() == 6);
  CHECK(a->data.size() == 24);
  CHECK(a->data[23] == 23);
  auto const* b = file.find("q.lora_B.weight");
  REQUIRE(b);
  CHECK(b->type == tensor_type::f16);
  CHECK(b->data.front() == 24);
  CHECK(b->data.size() == 16);
  auto const* scale = file.find("scale");
  REQUIRE(scale);
  CHECK(scale->shape.empty());
  CHECK(scale->element_count() == 1);
  CHECK(file.find("none")->element_count() == 0);
  CHECK(!file.find("q.lora"));
  CHECK(file.find_metadata("format") == "pt");
  CHECK(!file.find_metadata("rank"));
  CHECK(safetensors_file::open(folder / "no.safetensors").error().is(errc::not_found));
}

TEST_CASE("what is wrong with a safetensors file is said", "[unit][safetensors]") {
  constexpr auto corrupt = errc::corrupt_file;
  check_refused({}, corrupt, "too short");
  check_refused(byte_vector(7), corrupt, "too short");
  check_refused({'G', 'G', 'U', 'F', 3, 0, 0, 1, 0}, corrupt, "no safetensors file");
  check_refused({100, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, corrupt, "but only 2 follow");
  check_refused(image_of("{", 0), corrupt, "no JSON");
  check_refused(image_of("[]", 0), corrupt, "no JSON object");
  check_refused(image_of(R"({"__metadata__":{"a":1}})", 0), corrupt, "'a' is no text");
  check_refused(image_of(R"({"__metadata__":3})", 0), corrupt, "no object");
  check_refused(image_of(one("3"), 0), corrupt, "lacks dtype");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[1]})"), 4), corrupt, "lacks dtype, shape or data_offsets");
  check_refused(image_of(one(R"({"dtype":"I64","shape":[1],"data_offsets":[0,8]})"), 8), errc::unsupported,
                "'x' has 'I64'; supported are F32, F16, BF16");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), 4), corrupt, "shape");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})"), 4), corrupt, "shape");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})"), 4), corrupt,
                "too large");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]})"), 4), corrupt,
                "9 dimensions");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), 4), corrupt, "asks for 8");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})"), 4), corrupt, "cut short");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[1],"data_offsets":[8,4]})"), 8), corrupt, "not within");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]})"), 8), corrupt,
                "not within");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), 8), corrupt, "hole");
  check_refused(image_of(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})"), 8), corrupt,
                "belongs to no tensor");
  std::string const twice = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  check_refused(image_of("{\"x\":" + twice + ",\"y\":" + twice + "}", 4), corrupt, "overlaps");
  check_refused(image_of("{\"x\":" + twice + ",\"x\":" + twice + "}", 4), corrupt, "no JSON");
}

TEST_CASE("broken safetensors files are refused, or work", "[robustness][safetensors]") {
  auto const whole = image_of(adapter_header, adapter_bytes);
  REQUIRE(safetensors_file::from_bytes(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK(safetensors_file::from_bytes({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}).has_error());
  std::size_t refused = 0, sum = 0;
  for (std::uint32_t i = 0; i < 3000; ++i) {
    auto bytes = whole;
    auto const bits = philox(6, {i, 0, 0, 0});
    for (std::uint32_t flip = 0; flip <= bits[0] % 3; ++flip)
      bytes[(bits[1] + flip * bits[2]) % (whole.size() - adapter_bytes)] ^=
          static_cast<std::uint8_t>(1u << (bits[3] + flip) % 8);
    auto const file = safetensors_file::from_bytes(bytes);
    if (!file) {
      CHECK(!file.error().message.empty());
      ++refused;
      continue;
    }
    for (auto const& tensor : file->tensors()) {
      REQUIRE(file->find(tensor.name) == &tensor);
      for (auto byte : tensor.data) sum += byte;
    }
  }
  CHECK(refused > 1500);
  CHECK(refused < 3000);
  CHECK(sum > 0);
}
