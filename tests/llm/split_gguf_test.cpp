// Models split into several files: they open as one, and what is wrong with a set is said.

#include <wherry/core/random.hpp>
#include <wherry/llm/gguf.hpp>

#include "shared_data.hpp"
#include "temp_dir.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using namespace wherry;
using Catch::Matchers::ContainsSubstring;
using wherry_test::temp_dir;

namespace {

constexpr std::uint32_t parts = 3, tensors_each = 2;

struct part_options {
  std::uint32_t index, count = parts;
  std::int32_t tensors = parts * tensors_each;
  std::string first_tensor = {};
};

std::string part_name(std::uint32_t index) { return "boat-0000" + std::to_string(index + 1) + "-of-00003.gguf"; }

std::vector<std::uint8_t> part_bytes(part_options const& o) {
  gguf_writer writer;
  if (o.index == 0) writer.add("general.architecture", "llama");
  writer.add("split.no", o.index);
  writer.add("split.count", o.count);
  writer.add("split.tensors.count", static_cast<std::uint32_t>(o.tensors));
  for (std::uint32_t t = 0; t < tensors_each; ++t) {
    std::vector<std::uint8_t> const data(128, static_cast<std::uint8_t>(10 * o.index + t));
    auto const name = "part" + std::to_string(o.index) + ".tensor" + std::to_string(t);
    writer.add_tensor(t == 0 && !o.first_tensor.empty() ? o.first_tensor : name, tensor_type::f32, {8, 4}, data);
  }
  return writer.bytes();
}

void write(std::filesystem::path const& path, std::vector<std::uint8_t> const& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

void write_set(temp_dir const& folder) {
  for (std::uint32_t i = 0; i < parts; ++i) write(folder.path() / part_name(i), part_bytes({i}));
}

void check_refused(temp_dir const& folder, std::string const& name, errc code, std::string const& said) {
  auto const file = gguf_file::open(folder.path() / name);
  REQUIRE(file.has_error());
  CHECK(file.error().is(code));
  CHECK_THAT(file.error().message, ContainsSubstring(said));
}

}  // namespace

TEST_CASE("the first file of a split model opens all of it", "[unit][gguf]") {
  temp_dir const folder;
  write_set(folder);
  auto const file = gguf_file::open(folder.path() / part_name(0));
  REQUIRE(file.has_value());
  CHECK(file->find_string("general.architecture") == "llama");
  REQUIRE(file->tensors().size() == parts * tensors_each);
  std::uint64_t bytes = 0;
  for (std::uint32_t i = 0; i < parts; ++i) {
    bytes += part_bytes({i}).size();
    for (std::uint32_t t = 0; t < tensors_each; ++t) {
      auto const* tensor = file->find_tensor("part" + std::to_string(i) + ".tensor" + std::to_string(t));
      REQUIRE(tensor);
      CHECK(tensor == &file->tensors()[i * tensors_each + t]);
      CHECK(tensor->data.size() == 128);
      CHECK(tensor->data[77] == 10 * i + t);
    }
  }
  CHECK(file->size_bytes() == bytes);
}

TEST_CASE("the mappings of all parts live as long as a copy of the handle", "[unit][gguf]") {
  temp_dir const folder;
  write_set(folder);
  std::optional<gguf_file> copy;
  {
    auto const file = gguf_file::open(folder.path() / part_name(0));
    copy = *file;
  }
  for (std::uint32_t i = 0; i < parts; ++i) std::filesystem::remove(folder.path() / part_name(i));
  CHECK(copy->find_tensor("part2.tensor1")->data.back() == 21);
}

TEST_CASE("a split model with a part missing, misplaced or misnamed says which", "[unit][gguf]") {
  temp_dir const folder;
  write_set(folder);
  check_refused(folder, part_name(1), errc::corrupt_file, "part 2 of 3; open the first one, boat-00001-of-00003.gguf");

  std::filesystem::rename(folder.path() / part_name(0), folder.path() / "ship.gguf");
  check_refused(folder, "ship.gguf", errc::corrupt_file, "NAME-00001-of-00003.gguf");
  std::filesystem::rename(folder.path() / "ship.gguf", folder.path() / part_name(0));

  std::filesystem::remove(folder.path() / part_name(2));
  check_refused(folder, part_name(0), errc::not_found, "part 3 of 3 is missing");
  check_refused(folder, part_name(0), errc::not_found, part_name(2));

  write(folder.path() / part_name(2), part_bytes({1}));
  check_refused(folder, part_name(0), errc::corrupt_file, "by its name it is part 3 of 3");
  write(folder.path() / part_name(2), part_bytes({.index = 2, .count = 4}));
  check_refused(folder, part_name(0), errc::corrupt_file, "part 3 of 4");

  write(folder.path() / part_name(2), part_bytes({.index = 2, .first_tensor = "part0.tensor0"}));
  check_refused(folder, part_name(0), errc::corrupt_file, "'part0.tensor0' stands in two parts");
  write(folder.path() / part_name(2), part_bytes({2}));
  write(folder.path() / part_name(0), part_bytes({.index = 0, .tensors = 7}));
  check_refused(folder, part_name(0), errc::corrupt_file, "hold 6 tensors together, but it says 7");

  write(folder.path() / part_name(0), part_bytes({.index = 0, .count = 1000000}));
  check_refused(folder, part_name(0), errc::corrupt_file, "1000000 parts");
}

TEST_CASE("a part of a split model is refused as a file image in memory", "[unit][gguf]") {
  CHECK_THAT(gguf_file::from_bytes(part_bytes({0})).error().message, ContainsSubstring("one of 3 parts"));
  CHECK(gguf_file::from_bytes(part_bytes({.index = 0, .count = 1, .tensors = 2})).has_value());
}

TEST_CASE("a broken part of a split model is refused, or works", "[robustness][gguf]") {
  temp_dir const folder;
  write_set(folder);
  auto const whole = part_bytes({1});
  auto const opens = [&](std::vector<std::uint8_t> const& bytes) {
    write(folder.path() / part_name(1), bytes);
    auto const file = gguf_file::open(folder.path() / part_name(0));
    if (!file) {
      CHECK(!file.error().message.empty());
      return false;
    }
    for (auto const& tensor : file->tensors()) CHECK(tensor.data.size() <= 1024);
    return true;
  };
  for (std::size_t size = 0; size < whole.size(); size += 7)
    CHECK(!opens({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}));
  int refused = 0;
  for (std::uint32_t i = 0; i < 400; ++i) {
    auto bytes = whole;
    auto const bits = philox(5, {i, 0, 0, 0});
    bytes[bits[0] % 300] ^= static_cast<std::uint8_t>(1u << bits[1] % 8);
    refused += !opens(bytes);
  }
  CHECK(refused > 200);
}
