// wherry model quantize, as a process.

#include "process.hpp"
#include "temp_dir.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/gguf.hpp>
#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

using Catch::Matchers::ContainsSubstring;
using wherry_test::temp_dir;

namespace {

// A random model written to a file, with all that is needed to run it.
std::string write_model(temp_dir const& folder, wherry::tensor_type type) {
  auto const model = wherry::make_random_model({.type = type, .width = 256, .feed_forward = 512, .heads = 4}).value();
  wherry::gguf_writer writer;
  for (auto const key : model.keys()) {
    std::string const name(key);
    if (auto const strings = model.find_strings(key))
      writer.add(name, std::vector<std::string>(strings->begin(), strings->end()));
    else if (auto const text = model.find_string(key))
      writer.add(name, std::string(*text));
    else if (auto const flag = model.find_bool(key))
      writer.add(name, *flag);
    else if (auto const number = model.find_uint(key))
      writer.add(name, static_cast<std::uint32_t>(*number));
    else if (auto const real = model.find_float(key))
      writer.add(name, static_cast<float>(*real));
    else if (auto const reals = model.find_floats(key))
      writer.add(name, *reals);
    else if (auto const integers = model.find_ints(key))
      writer.add(name, std::vector<std::int32_t>(integers->begin(), integers->end()));
  }
  for (auto const& tensor : model.tensors()) writer.add_tensor(tensor.name, tensor.type, tensor.shape, tensor.data);
  auto const path = folder / "model.gguf";
  REQUIRE(writer.write(path).has_value());
  return path.string();
}

}  // namespace

TEST_CASE("model quantize writes a model that runs", "[unit]") {
  temp_dir const folder;
  auto const from = write_model(folder, wherry::tensor_type::f16);
  auto const to = (folder / "small.gguf").string();
  auto const r = wherry_test::wherry({"model", "quantize", from, to, "q4_k_m"});
  INFO(r.err);
  CHECK(r.code == 0);
  CHECK(r.err.empty());  // two seconds are not over
  CHECK_THAT(r.out, ContainsSubstring("became") && ContainsSubstring("Q4_K") && ContainsSubstring("Q6_K"));
  CHECK(std::filesystem::file_size(to) < std::filesystem::file_size(from) / 2);
  auto const asked = wherry_test::wherry({"ask", "A boat", "--model", to, "--max-tokens", "4", "--seed", "1"});
  INFO(asked.err);
  CHECK(asked.code == 0);
  CHECK(!asked.out.empty());
}

TEST_CASE("model quantize reports as JSON too, and says what is wrong", "[unit]") {
  temp_dir const folder;
  auto const from = write_model(folder, wherry::tensor_type::q8_0);
  auto const to = (folder / "small.gguf").string();
  auto const refused = wherry_test::wherry({"model", "quantize", from, to, "Q4_0"});
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, ContainsSubstring("Q8_0 already"));
  CHECK(!std::filesystem::exists(to));

  auto const r =
      wherry_test::wherry({"model", "quantize", from, to, "Q4_0", "--requantize", "--threads", "1", "--json"});
  CHECK(r.code == 0);
  auto const j = wherry::parse_json(r.out);
  REQUIRE(j);
  CHECK((*j)["file"] == to);
  CHECK((*j)["tensors"]["Q4_0"].get<int>() == 16);
  CHECK((*j)["bits_per_weight"].get<double>() < 4.7);

  CHECK_THAT(wherry_test::wherry({"model", "quantize", from, to, "Q9"}).err,
             ContainsSubstring("the types are F32, F16"));
  CHECK(wherry_test::wherry({"model", "quantize", from, to}).code == 2);
  CHECK_THAT(wherry_test::wherry({"model", "quantize", "--help"}).out, ContainsSubstring("Q4_K_M"));
}
