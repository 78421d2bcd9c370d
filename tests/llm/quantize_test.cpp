// Quantising whole files: types, bytes, metadata, and what is refused.

#include "engine/tensor_rows.hpp"
#include "shared_data.hpp"
#include "temp_dir.hpp"

#include <wherry/llm/gguf.hpp>
#include <wherry/llm/quantize.hpp>
#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>

using namespace wherry;
using Catch::Matchers::ContainsSubstring;
using wherry_test::temp_dir;

namespace {

std::vector<std::uint8_t> bytes_of(std::vector<float> const& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// Values that differ from one another, all below 1.
std::vector<float> some_values(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * 2654435761u % 1000) / 500.0f - 1.0f;
  return values;
}

void add_f32(gguf_writer& writer, std::string name, std::vector<std::uint64_t> shape) {
  std::size_t count = 1;
  for (auto extent : shape) count *= extent;
  writer.add_tensor(std::move(name), tensor_type::f32, std::move(shape), bytes_of(some_values(count)));
}

// A file with one matrix of each sort.
std::filesystem::path write_model(temp_dir const& folder, std::uint64_t width = 256, std::uint32_t layers = 8) {
  gguf_writer writer;
  writer.add("general.architecture", "llama");
  writer.add("general.file_type", std::uint32_t{0});
  writer.add("general.alignment", std::uint32_t{32});
  writer.add("a.text", "with \"quotes\"");
  writer.add("a.list", std::vector<std::string>{"one", "", "three"});
  writer.add("a.floats", std::vector<float>{1.5f, -2});
  writer.add("a.flag", true);
  add_f32(writer, "token_embd.weight", {width, 3});
  add_f32(writer, "position_embd.weight", {width, 2});
  add_f32(writer, "token_types.weight", {width, 2});
  add_f32(writer, "output_norm.weight", {width});
  add_f32(writer, "output.weight", {width, 3});
  for (std::uint32_t i = 0; i < layers; ++i) {
    auto const block = "blk." + std::to_string(i) + ".";
    for (auto const* name : {"attn_q", "attn_v", "attn_qkv", "ffn_up", "ffn_down", "ffn_gate_inp"})
      add_f32(writer, block + name + ".weight", {width, 2});
    add_f32(writer, block + "ffn_down_exps.weight", {width, 2, 2});
    add_f32(writer, block + "attn_q.bias", {7});
    add_f32(writer, block + "attn_norm.weight", {width});
  }
  auto const path = folder / "model.gguf";
  REQUIRE(writer.write(path).has_value());
  return path;
}

gguf_file quantized(std::filesystem::path const& from, std::filesystem::path const& to, std::string_view type,
                    quantize_options const& options = {}) {
  auto const report = quantize_model(from, to, type, options);
  if (!report) FAIL(to_string(report.error()));
  CHECK(!std::filesystem::exists(to.string() + ".part"));
  auto file = gguf_file::open(to);
  REQUIRE(file.has_value());
  return *file;
}

tensor_type type_in(gguf_file const& file, std::string_view name) {
  auto const* tensor = file.find_tensor(name);
  REQUIRE(tensor);
  return tensor->type;
}

std::map<std::string, std::string> metadata(gguf_file const& file) {
  std::map<std::string, std::string> all;
  for (auto const key : file.keys())
    if (!key.starts_with("general.file_type") && key != "general.alignment" && key != "general.quantization_version")
      all.emplace(key, file.describe(key, 1000));
  return all;
}

}  // namespace

TEST_CASE("matrices of weights get the type, all else stays as it is", "[unit][quantize]") {
  temp_dir const folder;
  auto const from = write_model(folder);
  auto const source = gguf_file::open(from).value();
  for (auto const& [name, type, number] : {std::tuple{"q8_0", tensor_type::q8_0, 7u},
                                           {"Q4_K", tensor_type::q4_k, 14u},
                                           {"F16", tensor_type::f16, 1u},
                                           {"bf16", tensor_type::bf16, 32u},
                                           {"Q6_K", tensor_type::q6_k, 18u},
                                           {"Q5_K", tensor_type::q5_k, 16u},
                                           {"Q5_0", tensor_type::q5_0, 8u},
                                           {"Q4_0", tensor_type::q4_0, 2u},
                                           {"F32", tensor_type::f32, 0u}}) {
    CAPTURE(name);
    auto const file = quantized(from, folder / "out.gguf", name);
    CHECK(file.find_uint("general.file_type") == number);
    CHECK(file.find_uint("general.quantization_version") == 2);
    CHECK(metadata(file) == metadata(source));
    CHECK(file.find_strings("a.list") == source.find_strings("a.list"));
    CHECK(file.find_floats("a.floats") == source.find_floats("a.floats"));
    REQUIRE(file.tensors().size() == source.tensors().size());
    for (std::size_t i = 0; i < file.tensors().size(); ++i) {
      auto const &made = file.tensors()[i], &given = source.tensors()[i];
      CHECK(made.name == given.name);
      CHECK(made.shape == given.shape);
      bool const kept = given.shape.size() == 1 || given.name.starts_with("position") ||
                        given.name.starts_with("token_types") || given.name.ends_with("gate_inp.weight");
      CAPTURE(given.name);
      CHECK(made.type == (kept ? tensor_type::f32 : type));
      if (kept) CHECK(std::equal(made.data.begin(), made.data.end(), given.data.begin(), given.data.end()));
    }
    // The bytes are those of packed rows.
    auto const *made = file.find_tensor("blk.3.attn_q.weight"), *given = source.find_tensor("blk.3.attn_q.weight");
    std::vector<float> row(512);
    std::memcpy(row.data(), given->data.data(), given->data.size());
    std::vector<std::uint8_t> want(made->data.size());
    engine::pack_row(type, row, want);
    CHECK(std::equal(want.begin(), want.end(), made->data.begin(), made->data.end()));
  }
}

TEST_CASE("Q4_K_M gives finer types to the head, and to values and down projections of some layers",
          "[unit][quantize]") {
  temp_dir const folder;
  auto const file = quantized(write_model(folder, 256, 16), folder / "out.gguf", "q4_k_m");
  CHECK(file.find_uint("general.file_type") == 15);
  CHECK(type_in(file, "output.weight") == tensor_type::q6_k);
  CHECK(type_in(file, "token_embd.weight") == tensor_type::q4_k);
  // Of 16 layers the first two, the last two, and each third between: 4, 7, 10, 13.
  for (std::uint32_t i : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}) {
    bool const finer = i < 2 || i >= 14 || i == 4 || i == 7 || i == 10 || i == 13;
    auto const block = "blk." + std::to_string(i) + ".";
    CAPTURE(i);
    for (auto const* name : {"attn_v.weight", "ffn_down.weight", "ffn_down_exps.weight"})
      CHECK(type_in(file, block + name) == (finer ? tensor_type::q6_k : tensor_type::q4_k));
    CHECK(type_in(file, block + "attn_q.weight") == tensor_type::q4_k);
    CHECK(type_in(file, block + "ffn_up.weight") == tensor_type::q4_k);
    CHECK(type_in(file, block + "attn_qkv.weight") == tensor_type::q5_k);
  }
  // Without a head of its own the embedding is the head.
  auto const tied = make_random_model({.width = 256, .feed_forward = 256, .heads = 4, .tied_output = true}).value();
  gguf_writer writer;
  for (auto const& tensor : tied.tensors()) writer.add_tensor(tensor.name, tensor.type, tensor.shape, tensor.data);
  REQUIRE(writer.write(folder / "tied.gguf").has_value());
  CHECK(type_in(quantized(folder / "tied.gguf", folder / "out.gguf", "Q4_K_M"), "token_embd.weight") ==
        tensor_type::q6_k);
}

TEST_CASE("rows too narrow for a block take the next type that fits", "[unit][quantize]") {
  temp_dir const folder;
  auto const from = write_model(folder, 96);
  for (auto const& [name, type] : {std::pair{"Q4_K", tensor_type::q5_0},
                                   {"Q5_K", tensor_type::q5_1},
                                   {"Q6_K", tensor_type::q8_0},
                                   {"Q4_0", tensor_type::q4_0}})
    CHECK(type_in(quantized(from, folder / "out.gguf", name), "blk.0.attn_q.weight") == type);
  auto const mixed = quantized(from, folder / "out.gguf", "Q4_K_M");
  CHECK(type_in(mixed, "output.weight") == tensor_type::q8_0);
  CHECK(type_in(mixed, "blk.0.attn_q.weight") == tensor_type::q5_0);
  CHECK(type_in(mixed, "blk.7.attn_v.weight") == tensor_type::q8_0);
  auto const report = quantize_model(from, folder / "out.gguf", "Q4_K").value();
  CHECK(report.narrow == 2 + 8 * 6);
  CHECK(report.tensors.at("Q5_0") == 2 + 8 * 6);

  auto const odd = write_model(folder, 40);
  CHECK(type_in(quantized(odd, folder / "out.gguf", "Q4_0"), "blk.0.attn_q.weight") == tensor_type::f16);
  CHECK(type_in(quantized(odd, folder / "out.gguf", "Q6_K"), "blk.0.attn_q.weight") == tensor_type::f16);
}

TEST_CASE("the written bytes do not depend on the number of threads", "[unit][quantize]") {
  temp_dir const folder;
  auto const from = write_model(folder, 1024);
  std::string first;
  for (unsigned threads : {1u, 2u, 3u}) {
    quantized(from, folder / "out.gguf", "Q4_K_M", {.threads = threads});
    auto const bytes = wherry_test::read_file(folder / "out.gguf");
    if (first.empty()) first = bytes;
    CHECK(bytes == first);
  }
}

TEST_CASE("a model can be quantised in its own place, and further once it is asked for", "[unit][quantize]") {
  temp_dir const folder;
  auto const path = write_model(folder);
  CHECK(type_in(quantized(path, path, "Q8_0"), "output.weight") == tensor_type::q8_0);
  auto const again = quantize_model(path, path, "Q4_K");
  REQUIRE(again.has_error());
  CHECK(again.error().is(errc::invalid_argument));
  CHECK_THAT(again.error().message, ContainsSubstring("'token_embd.weight' is Q8_0 already"));
  CHECK(type_in(quantized(path, path, "Q4_K", {.requantize = true}), "output.weight") == tensor_type::q4_k);
  CHECK(type_in(quantized(path, path, "F16"), "output.weight") == tensor_type::f16);  // nothing more is lost
}

TEST_CASE("weights that do not fit are named by tensor and row", "[unit][quantize]") {
  temp_dir const folder;
  for (float value : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), -70000.0f}) {
    auto values = some_values(5 * 256);
    values[3 * 256 + 9] = value;
    values[4 * 256] = value;
    gguf_writer writer;
    writer.add_tensor("blk.0.attn_q.weight", tensor_type::f32, {256, 5}, bytes_of(values));
    REQUIRE(writer.write(folder / "model.gguf").has_value());
    for (auto const* type : {"Q4_K", "Q8_0", "F16"}) {
      auto const report = quantize_model(folder / "model.gguf", folder / "out.gguf", type);
      REQUIRE(report.has_error());
      CHECK(report.error().is(errc::invalid_argument));
      CHECK_THAT(report.error().message, ContainsSubstring("row 3 of its tensor 'blk.0.attn_q.weight'"));
      CHECK(!std::filesystem::exists(folder / "out.gguf"));
      CHECK(!std::filesystem::exists(folder / "out.gguf.part"));
    }
    CHECK(quantize_model(folder / "model.gguf", folder / "out.gguf", "BF16").has_value() == (value == -70000.0f));
    std::filesystem::remove(folder / "out.gguf");
  }
}

TEST_CASE("quantising tells how far it is and stops when told, leaving nothing", "[unit][quantize]") {
  temp_dir const folder;
  auto const from = write_model(folder);
  std::vector<std::uint64_t> done;
  quantize_options options;
  options.progress = [&](quantize_progress const& p) {
    CHECK(p.weights_done <= p.weights_total);
    CHECK(!p.tensor.empty());
    done.push_back(p.weights_done);
    return true;
  };
  auto const report = quantize_model(from, folder / "out.gguf", "Q8_0", options).value();
  CHECK(std::is_sorted(done.begin(), done.end()));
  CHECK(done.back() == report.weights);
  CHECK(report.bytes_after < report.bytes_before / 2);
  std::filesystem::remove(folder / "out.gguf");

  options.progress = [](quantize_progress const& p) { return p.weights_done < 3000; };
  auto const stopped = quantize_model(from, folder / "out.gguf", "Q8_0", options);
  REQUIRE(stopped.has_error());
  CHECK(stopped.error().is(errc::cancelled));
  CHECK(!std::filesystem::exists(folder / "out.gguf"));
  CHECK(!std::filesystem::exists(folder / "out.gguf.part"));
}

TEST_CASE("an unknown type is refused with the ones there are, a missing folder by its name", "[unit][quantize]") {
  temp_dir const folder;
  auto const from = write_model(folder);
  auto const unknown = quantize_model(from, folder / "out.gguf", "Q3_K");
  REQUIRE(unknown.has_error());
  CHECK(unknown.error().is(errc::invalid_argument));
  CHECK_THAT(unknown.error().message,
             ContainsSubstring("'Q3_K'") && ContainsSubstring("Q4_K_M") && ContainsSubstring("BF16"));
  CHECK(quantize_model(folder / "none.gguf", folder / "out.gguf", "Q8_0").error().is(errc::not_found));
  CHECK(quantize_model(from, folder / "no/such/folder/out.gguf", "Q8_0").error().is(errc::io_failed));
}

TEST_CASE("random models can be made of every type that can be packed", "[unit][quantize]") {
  for (auto type : engine::packable_types) {
    random_model_options options{.type = type, .width = 256, .feed_forward = 256, .layers = 1, .heads = 4};
    auto const model = make_random_model(options);
    REQUIRE(model.has_value());
    CHECK(type_in(*model, "blk.0.ffn_up.weight") == type);
    options.width = 40;
    if (layout_of(type).elements > 1)
      CHECK_THAT(make_random_model(options).error().message, ContainsSubstring(to_string(type)));
  }
  CHECK_THAT(make_random_model({.type = tensor_type::q2_k}).error().message, ContainsSubstring("one of F32, F16"));
}

TEST_CASE("a quantised golden model has the types, the bytes and the metadata of the golden file",
          "[golden][quantize]") {
  auto const root = wherry_test::shared("models/golden");
  temp_dir const folder;
  std::size_t files = 0, equal_tensors = 0;
  for (auto const& entry : std::filesystem::directory_iterator(root))
    for (auto const* variant : {"q8_0", "q4_0", "bf16", "q4_k", "q5_k", "q6_k", "q4_k_m"}) {
      auto const stem = (entry.path() / entry.path().filename()).string();
      auto const golden = gguf_file::open(stem + "-" + variant + ".gguf");
      if (!golden || !std::filesystem::exists(stem + "-f16.gguf")) continue;
      CAPTURE(stem, variant);
      auto const source = gguf_file::open(stem + "-f16.gguf").value();
      auto const made = quantized(stem + "-f16.gguf", folder / "out.gguf", variant);
      ++files;
      CHECK(made.find_uint("general.file_type") == golden->find_uint("general.file_type"));
      CHECK(metadata(made) == metadata(*golden));
      REQUIRE(made.tensors().size() == golden->tensors().size());
      bool const exact = std::string_view(variant).ends_with("_0") || std::string_view(variant) == "bf16";
      for (auto const& tensor : golden->tensors()) {
        auto const* own = made.find_tensor(tensor.name);
        REQUIRE(own);
        CAPTURE(tensor.name, to_string(own->type), to_string(tensor.type));
        // The golden files were made from F32; what stays as it is is F16 in a few places here.
        bool const kept = own->type == source.find_tensor(tensor.name)->type;
        CHECK((own->type == tensor.type || (kept && tensor.type == tensor_type::f32)));
        if (!exact || own->type != tensor.type) continue;
        CHECK(std::equal(own->data.begin(), own->data.end(), tensor.data.begin(), tensor.data.end()));
        ++equal_tensors;
      }
    }
  CHECK(files >= 25);
  CHECK(equal_tensors > 500);
}
