// The commands around models that are not asked: explain, embed, rerank, model list.

#include "process.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/random_model.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "shared_data.hpp"
#include "temp_dir.hpp"

#include <filesystem>
#include <fstream>

using namespace wherry_test;
using Catch::Matchers::ContainsSubstring;

namespace {

wherry::json json_of(std::string const& text) {
  INFO(text);
  auto parsed = wherry::parse_json(text);
  REQUIRE(parsed);
  return *parsed;
}

}  // namespace

TEST_CASE("explain shows pieces, attention and what comes next, as text, data and page", "[unit]") {
  temp_dir const folder;
  auto const page = (folder.path() / "page.html").string();
  auto const shown = wherry_test::wherry({"explain", "once there was", "--layer", "1"});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, ContainsSubstring("decoder: 2 layers, 6 heads"));
  CHECK_THAT(shown.out, ContainsSubstring("Attention, layer 1, head 0"));
  CHECK_THAT(shown.out, ContainsSubstring("Next token"));
  auto const data = wherry_test::wherry({"explain", "once there was </script>", "--json", "--html", page});
  REQUIRE(data.code == 0);
  auto const seen = json_of(data.out);
  CHECK(seen["text"]["attention"].size() == 12);
  CHECK(seen["text"]["attention"][0]["shares"].size() == seen["text"]["tokens"].size());
  auto const html = read_file(page);
  auto const script = html.find("<script type=\"application/json\"");
  REQUIRE(script != std::string::npos);
  CHECK(html.find("</script>", script) > html.find("next_by_layer", script));  // text does not end the data
  CHECK(wherry_test::wherry({"explain", "once", "--layer", "9"}).code == 1);
}

TEST_CASE("models of other programs are listed and found by name, encoders do what they are for", "[unit]") {
  auto const golden = shared("models/golden");
  temp_dir const home;
  namespace fs = std::filesystem;
  auto const link = [&](fs::path const& from, fs::path const& to) {
    fs::create_directories((home.path() / to).parent_path());
    fs::create_symlink(fs::absolute(from), home.path() / to);
  };
  link(golden / "bert-mean/bert-mean-q8_0.gguf",
       ".cache/huggingface/hub/models--acme--reader/snapshots/abc/reader-q8_0.gguf");
  link(golden / "bert-rank/bert-rank-q8_0.gguf", ".lmstudio/models/acme/ranker/ranker.gguf");
  link(golden / "llama/llama-q8_0.gguf", ".ollama/models/blobs/sha256-1234");
  fs::create_directories(home.path() / ".ollama/models/manifests/host/library/tiny");
  std::ofstream(home.path() / ".ollama/models/manifests/host/library/tiny/1b")
      << R"({"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:1234"}]})";
  environment const moved{{"HOME", home.path().string()}};

  auto const list = json_of(wherry_test::wherry({"model", "list", "--json"}, "", moved).out);
  REQUIRE(list.size() == 3);
  CHECK(list[0]["name"] == "acme/reader/reader-q8_0.gguf");
  CHECK(list[1]["name"] == "acme/ranker/ranker.gguf");
  CHECK(list[2]["name"] == "tiny:1b");

  auto const vectors = wherry_test::wherry({"embed", "the boat", "the man", "--model", "reader", "--json"}, "", moved);
  REQUIRE(vectors.code == 0);
  CHECK(json_of(vectors.out)["embeddings"].size() == 2);
  auto const ranked = wherry_test::wherry(
      {"rerank", "the boat", "the river", "the man", "--model", "acme/ranker", "--json"}, "", moved);
  REQUIRE(ranked.code == 0);
  auto const order = json_of(ranked.out);
  CHECK(order[0]["score"].get<double>() >= order[1]["score"].get<double>());
  auto const store = (home / "store").string(), note = (home / "note.md").string();
  std::ofstream(note) << "# Boat\n\nThe boat is on the river.\n\n# Shore\n\nThe boat is on the shore.\n";
  REQUIRE(wherry_test::wherry({"memory", "ingest", note, "--store", store}, "", moved).code == 0);
  auto const read = wherry_test::wherry(
      {"memory", "search", "boat", "--reranker", "acme/ranker", "--store", store, "--json"}, "", moved);
  REQUIRE(read.code == 0);
  REQUIRE(json_of(read.out).size() == 2);
  CHECK_THAT(json_of(read.out)[0]["why"].get<std::string>(), ContainsSubstring("re-ranker "));
  CHECK_THAT(wherry_test::wherry({"memory", "search", "boat", "--reranker", "reader", "--store", store}, "", moved).err,
             ContainsSubstring("rank"));
  CHECK(wherry_test::wherry({"model", "info", "tiny:1b"}, "", moved).code == 0);
  CHECK_THAT(wherry_test::wherry({"model", "info", "reader"}, "", moved).out,
             ContainsSubstring("embeddings: wherry embed"));

  auto const unsure = wherry_test::wherry({"embed", "x", "--model", "acme"}, "", moved);
  CHECK(unsure.code == 1);
  CHECK_THAT(unsure.err, ContainsSubstring("could be any of"));
  CHECK_THAT(wherry_test::wherry({"embed", "x", "--model", "tiny:1b"}, "", moved).err,
             ContainsSubstring("declares no pooling"));
  CHECK_THAT(wherry_test::wherry({"embed", "x"}, "", moved).err, ContainsSubstring("needs a model"));
}

TEST_CASE("an adapter is applied by name and merged into a file", "[unit]") {
  temp_dir const folder;
  auto const model = wherry::make_random_model().value();
  auto const write = [&](wherry::gguf_file const& file, std::string const& name) {
    wherry::gguf_writer writer;
    for (auto const key : file.keys()) {
      if (auto const text = file.find_string(key))
        writer.add(std::string(key), std::string(*text));
      else if (auto const flag = file.find_bool(key))
        writer.add(std::string(key), *flag);
      else if (auto const texts = file.find_strings(key))
        writer.add(std::string(key), std::vector<std::string>(texts->begin(), texts->end()));
      else if (auto const whole = file.find_uint(key))
        writer.add(std::string(key), static_cast<std::uint32_t>(*whole));
      else if (auto const number = file.find_float(key))
        writer.add(std::string(key), static_cast<float>(*number));
      else if (auto const ints = file.find_ints(key))
        writer.add(std::string(key), std::vector<std::int32_t>(ints->begin(), ints->end()));
      else if (auto const numbers = file.find_floats(key))
        writer.add(std::string(key), *numbers);
    }
    for (auto const& tensor : file.tensors()) writer.add_tensor(tensor.name, tensor.type, tensor.shape, tensor.data);
    auto const path = (folder.path() / name).string();
    REQUIRE(writer.write(path).has_value());
    return path;
  };
  auto const base = write(model, "base.gguf");
  auto const adapter = write(wherry::make_random_adapter(model).value(), "tone.gguf");
  auto const ask = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"ask", "how is the river?", "--temperature", "0", "--max-tokens", "16"};
    words.insert(words.end(), more.begin(), more.end());
    auto const r = wherry_test::wherry(words);
    INFO(r.err);
    CHECK((r.code == 0 || r.code == 4));
    return r.out;
  };
  auto const plain = ask({"--model", base}), toned = ask({"--model", base, "--adapter", adapter});
  CHECK(toned != plain);
  CHECK(ask({"--model", base, "--adapter", adapter + "=0"}) == plain);
  auto const merged = (folder.path() / "merged.gguf").string();
  CHECK(wherry_test::wherry({"model", "merge", base, adapter, merged}).code == 0);
  CHECK(ask({"--model", merged}) == toned);
  CHECK(wherry_test::wherry({"ask", "x", "--model", base, "--adapter", "none.gguf"}).code == 1);
}
