#include "events.hpp"
#include "shared_data.hpp"
#include "temp_dir.hpp"
#include "vector_set.hpp"

#include <wherry/core/hash.hpp>
#include <wherry/core/random.hpp>
#include <wherry/memory/transaction.hpp>

#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <thread>

using namespace wherry;
using namespace wherry_test;
using namespace wherry::memory_detail;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t dims = 48;

/// Vectors around a few centres, as embeddings of texts are.
std::vector<float> drawn(std::uint64_t number, std::size_t dimensions = dims) {
  std::vector<float> out(dimensions);
  for (std::size_t i = 0; i < dimensions; ++i) {
    auto const centre = uniform({.run = 1 + number % 7}, i) - 0.5, own = uniform({.run = 1000 + number}, i) - 0.5;
    out[i] = static_cast<float>(centre + own);
  }
  return out;
}

float cosine(std::vector<float> const& a, std::vector<float> const& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return static_cast<float>(ab / std::sqrt(aa * bb));
}

struct vectors {
  temp_dir dir;
  store_options options{.commit_durability = durability::os, .vectors_exact_max = 200};
  std::optional<store> db{store{dir.path(), options}};
  std::optional<scope_handle> scope{db->scope({.tenant = "acme"})};
  std::vector<ulid> ids;

  void add(std::size_t count) {
    transaction tx{*scope};
    for (std::size_t i = 0; i < count; ++i) {
      auto const number = ids.size();
      ids.push_back(tx.put({.kind = number % 3 ? "fact" : "episode", .text = "record " + std::to_string(number)}));
      tx.embed(ids.back(), {"model-a", drawn(number)});
    }
    tx.commit().value();
  }
  void reopen() {
    scope.reset();
    db.reset();
    db.emplace(dir.path(), options);
    scope = db->scope({.tenant = "acme"});
  }
  std::vector<std::string> nearest(std::vector<float> to, std::size_t limit,
                                   std::vector<std::string> kinds = {}) const {
    recall_query q{.vectors = {{"model-a", std::move(to)}}, .limit = limit, .kinds = std::move(kinds)};
    q.boosts.recency = 0;  // the order of distance alone
    std::vector<std::string> out;
    for (auto const& hit : scope->recall(q).value().hits) out.push_back(hit.record.text);
    return out;
  }
  /// What looking at every vector finds.
  std::vector<std::string> truth(std::vector<float> const& to, std::size_t limit,
                                 std::function<bool(std::size_t)> const& admitted = {}) const {
    std::vector<std::pair<float, std::size_t>> all;
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (!admitted || admitted(i)) all.emplace_back(-cosine(to, drawn(i)), i);
    std::sort(all.begin(), all.end());
    std::vector<std::string> out;
    for (std::size_t i = 0; i < std::min(limit, all.size()); ++i)
      out.push_back("record " + std::to_string(all[i].second));
    return out;
  }
  fs::path image() const {
    for (auto const& entry : fs::directory_iterator(dir / "vectors"))
      if (entry.path().extension() == ".graph") return entry.path();
    return {};
  }
};

std::size_t shared_count(std::vector<std::string> const& a, std::vector<std::string> const& b) {
  std::set<std::string> const known(a.begin(), a.end());
  std::size_t out = 0;
  for (auto const& one : b) out += known.count(one);
  return out;
}

}  // namespace

TEST_CASE("dot products agree with plain sums at every length", "[memory]") {
  for (std::size_t count = 1; count <= 100; ++count) {
    auto const a = drawn(1, count), b = drawn(2, count);
    double expected = 0;
    std::vector<std::int8_t> x(count), y(count);
    std::int32_t whole = 0;
    for (std::size_t i = 0; i < count; ++i) {
      expected += static_cast<double>(a[i]) * b[i];
      x[i] = static_cast<std::int8_t>(a[i] * 127);
      y[i] = i % 2 ? std::int8_t{-127} : std::int8_t{127};
      whole += x[i] * y[i];
    }
    CHECK(std::abs(dot_f32(a.data(), b.data(), count) - expected) < 1e-4);
    CHECK(dot_int8(x.data(), y.data(), count) == whole);
  }
}

TEST_CASE("a packed vector has length one, or is refused", "[memory]") {
  auto const v = drawn(5);
  for (auto const form : {vector_form::f32, vector_form::int8}) {
    auto const packed = pack(form, v);
    CHECK(std::abs(packed_dot(form, dims, packed.data(), packed.data()) - 1) < 0.01);
    CHECK(std::abs(packed_dot(form, dims, packed.data(), pack(form, drawn(6)).data()) - cosine(v, drawn(6))) < 0.01);
  }
  CHECK(pack(vector_form::f32, std::vector<float>(8, 0.0F)).empty());
  CHECK(pack(vector_form::f32, std::vector<float>{std::numeric_limits<float>::quiet_NaN()}).empty());
  CHECK(pack(vector_form::int8, std::vector<float>{std::numeric_limits<float>::infinity()}).empty());
}

TEST_CASE_METHOD(vectors, "the vector arm finds what looking at every vector finds", "[memory]") {
  add(150);
  for (std::size_t i = 0; i < 20; ++i) CHECK(nearest(drawn(10'000 + i), 10) == truth(drawn(10'000 + i), 10));
  CHECK(nearest(drawn(3), 5, {"episode"}) == truth(drawn(3), 5, [](std::size_t n) { return n % 3 == 0; }));
  reopen();
  CHECK(nearest(drawn(10'000), 10) == truth(drawn(10'000), 10));
}

TEST_CASE_METHOD(vectors, "a record's vector goes with its text", "[memory]") {
  add(20);
  CHECK(nearest(drawn(7), 1) == std::vector<std::string>{"record 7"});
  {
    transaction tx{*scope};
    tx.put({.id = ids[7], .kind = "fact", .text = "changed"});
    tx.forget(ids[8]).commit().value();
  }
  for (int round = 0; round < 2; ++round) {
    auto const found = nearest(drawn(7), 20);
    CHECK(found.size() == 18);
    CHECK(std::count(found.begin(), found.end(), "changed") == 0);
    CHECK(scope->records_without_vector("model-a").value() == std::vector<ulid>{ids[7]});
    reopen();
  }
  transaction again{*scope};
  again.embed(ids[7], {"model-a", drawn(7)}).commit().value();
  CHECK(nearest(drawn(7), 1) == std::vector<std::string>{"changed"});
}

TEST_CASE_METHOD(vectors, "words and vectors are fused, and the result says what each arm thought", "[memory]") {
  add(60);
  auto const found = scope->recall({.text = "record 33", .vectors = {{"model-a", drawn(33)}}, .limit = 5}).value();
  REQUIRE(found.hits.size() == 5);
  CHECK(found.hits[0].record.text == "record 33");
  CHECK(found.hits[0].arms.size() == 2);
  CHECK(found.degraded.empty());
  CHECK(explain(found.hits[0]).find("vector 1 (1") != std::string::npos);
}

TEST_CASE_METHOD(vectors, "a new embedder lives beside the old one until it has everything", "[memory]") {
  add(10);
  transaction tx{*scope};
  tx.embed(ids[0], {"model-b", {1, 0, 0}}).embed(ids[1], {"model-b", {0, 1, 0}}).commit().value();
  auto const both = scope->recall({.vectors = {{"model-a", drawn(4)}, {"model-b", {0, 1, 0}}}, .limit = 10}).value();
  CHECK(both.hits.size() == 10);
  REQUIRE(both.degraded.size() == 1);
  CHECK(both.degraded[0].find("8 of 10") != std::string::npos);
  CHECK(scope->records_without_vector("model-b").value().size() == 8);
  CHECK(scope->records_without_vector("model-c", 3).value().size() == 3);
  auto const none = scope->recall({.text = "record", .vectors = {{"model-c", {1}}}}).value();
  CHECK(none.hits.size() == 10);
  CHECK(none.degraded.size() == 1);
}

TEST_CASE_METHOD(vectors, "a vector that cannot be kept or asked with is refused", "[memory]") {
  add(2);
  auto const refusal = [&](embedding e, ulid const& id) {
    transaction tx{*scope};
    return tx.embed(id, std::move(e)).commit().error();
  };
  CHECK(refusal({"model-a", {1, 2}}, ids[0]).is(errc::invalid_argument));
  CHECK(refusal({"model-z", {}}, ids[0]).is(errc::invalid_argument));
  CHECK(refusal({"model-z", {0, 0}}, ids[0]).is(errc::invalid_argument));
  CHECK(refusal({"model-z", {1}}, ulid::fresh()).is(errc::not_found));
  CHECK(scope->recall({.vectors = {{"model-a", {1, 2}}}}).error().is(errc::invalid_argument));
  CHECK(scope->recall({.vectors = {{"model-a", std::vector<float>(dims)}}}).error().is(errc::invalid_argument));
}

TEST_CASE_METHOD(vectors, "many vectors get a graph that finds nearly all, follows changes and survives", "[memory]") {
  add(600);
  CHECK(scope->maintain().value() == maintenance_report{.graphs_built = 1, .images_written = 1});
  CHECK(scope->maintain().value() == maintenance_report{});
  add(40);  // into the graph
  transaction(*scope).forget(ids[5]).commit().value();
  auto const quality = [&] {
    std::size_t found = 0;
    for (std::size_t i = 0; i < 30; ++i)
      found += shared_count(truth(drawn(20'000 + i), 10, [](std::size_t n) { return n != 5; }),
                            nearest(drawn(20'000 + i), 10));
    return static_cast<double>(found) / 300;
  };
  CHECK(quality() >= 0.98);
  CHECK(shared_count(nearest(drawn(5), 600), {"record 5"}) == 0);
  CHECK(nearest(drawn(620), 1) == std::vector<std::string>{"record 620"});
  auto const episodes = nearest(drawn(1), 10, {"episode"});
  CHECK(shared_count(episodes, truth(drawn(1), 10, [](std::size_t n) { return n % 3 == 0 && n != 5; })) >= 9);
  reopen();  // the image lacks what came after it
  CHECK(quality() >= 0.98);
  CHECK(shared_count(nearest(drawn(5), 600), {"record 5"}) == 0);
  CHECK(nearest(drawn(620), 1) == std::vector<std::string>{"record 620"});
}

TEST_CASE_METHOD(vectors, "a damaged image of a graph is never used, and nothing is missing without it", "[recovery]") {
  add(250);
  scope->maintain().value();
  auto const path = image();
  auto const whole = read_file(path);
  auto const expected = truth(drawn(30'000), 10);
  auto const check = [&](std::string const& bytes) {
    scope.reset();
    db.reset();
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    reopen();
    CHECK(nearest(drawn(30'000), 10) == expected);
  };
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / 12) {
    auto flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    check(flipped);
  }
  check(whole.substr(0, whole.size() / 2));
  check("");
  fs::remove(path);
  reopen();
  CHECK(nearest(drawn(30'000), 10) == expected);
}

TEST_CASE("a file of an image is read in any steps, checked to its last byte", "[recovery]") {
  temp_dir dir;
  auto const path = dir.path() / "image";
  std::string bytes;
  for (std::uint64_t i = 0; bytes.size() < (std::size_t{5} << 19); ++i)
    for (int k = 0; k < 16; ++k) bytes += static_cast<char>(random_bits({.run = i}, 0) >> k);
  auto const checksum = write_image_file(path, bytes).value();
  CHECK(read_image_file(path, checksum) == bytes);
  CHECK_FALSE(read_image_file(path, checksum + 1));
  CHECK(checksum == crc32(read_file(path)));
  for (std::size_t const step : {std::size_t{1000}, std::size_t{1} << 20, std::size_t{1'500'000}}) {
    auto file = image_file::open(path);
    REQUIRE(file);
    std::string read(bytes.size(), '\0');
    for (std::size_t at = 0; at < read.size(); at += step) {
      CHECK_FALSE(file->checksum());
      REQUIRE(file->read(std::span(read).subspan(at, std::min(step, read.size() - at))));
    }
    CHECK(file->checksum() == checksum);
    CHECK(read == bytes);
    char more = 0;
    CHECK_FALSE(file->read({&more, 1}));
    CHECK_FALSE(file->checksum());
  }
  auto const whole = read_file(path);
  for (std::size_t at = 0; at < whole.size(); at += 99'991) {
    auto flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << flipped;
    CHECK_FALSE(read_image_file(path, checksum));
    CHECK_FALSE(read_image_file(path, crc32(flipped)));
  }
  for (auto const& other : {whole + "x", whole.substr(0, whole.size() - 1), std::string("wherryVG"), std::string()}) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << other;
    CHECK_FALSE(image_file::open(path));
  }
  auto const nowhere = write_image_file(dir.path() / "no such directory" / "image", bytes);
  CHECK_FALSE(nowhere);
}

TEST_CASE("an image that a graph cannot have is refused without being followed", "[recovery]") {
  vector_graph graph(vector_form::f32, dims, 100);
  for (std::uint32_t i = 0; i < 100; ++i) graph.add(i, pack(vector_form::f32, drawn(i)).data());
  auto const image = graph.image();
  auto const read = [](std::string_view bytes, std::size_t dimensions = dims) {
    image_bytes source(bytes);
    return vector_graph::from_image(vector_form::f32, dimensions, source);
  };
  REQUIRE(read(image));
  CHECK_FALSE(read(image, dims + 1));
  CHECK_FALSE(read(image + "x"));
  for (std::size_t cut = 0; cut < image.size(); cut += 97) CHECK_FALSE(read(std::string_view(image).substr(0, cut)));
  // Anything may be flipped; what is accepted must be safe to search.
  for (std::size_t at = 0; at < image.size(); at += 41) {
    auto flipped = image;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x80);
    auto const loaded = read(flipped);
    if (loaded) loaded->search(pack(vector_form::f32, drawn(1)).data(), 5, {});
  }
}

TEST_CASE("a graph takes over what came, went and changed while it was built", "[memory]") {
  vector_set set({.number = 1, .dimensions = dims, .form = vector_form::f32, .fingerprint = "m"});
  auto const packed = [](std::uint64_t n) { return pack(vector_form::f32, drawn(n)); };
  std::vector<known_record> records(60);
  for (std::uint32_t i = 0; i < 60; ++i) records[i].id = ulid::draw(1, {.run = i});
  for (std::uint32_t i = 0; i < 50; ++i) set.add(i, packed(i));
  auto const [numbers, copied] = set.copy();
  vector_graph graph(vector_form::f32, dims, 50);
  for (std::size_t i = 0; i < numbers.size(); ++i)
    graph.add(numbers[i], copied.data() + i * packed_bytes(vector_form::f32, dims));
  set.remove(7);
  set.add(55, packed(55));
  set.remove(9);
  set.add(9, packed(900));
  set.take(std::move(graph));
  CHECK(set.has_graph());
  CHECK(set.size() == 50);
  auto const nearest = [&](std::uint64_t n) { return set.search(packed(n), 1, {}, records).at(0); };
  CHECK(nearest(55).number == 55);
  CHECK(nearest(900).number == 9);
  CHECK(nearest(900).score > 0.999F);
  CHECK(nearest(7).number != 7);
  CHECK((nearest(9).number != 9 || nearest(9).score < 0.999F));
}

TEST_CASE("vectors as bytes find nearly what floats find", "[memory]") {
  temp_dir dir;
  store const db{dir.path(), {.commit_durability = durability::os, .vectors_as_int8 = true}};
  auto const scope = db.scope({});
  transaction tx{scope};
  for (std::size_t i = 0; i < 300; ++i) tx.embed(tx.put({.kind = "fact", .text = std::to_string(i)}), {"m", drawn(i)});
  tx.commit().value();
  std::size_t found = 0;
  for (std::size_t q = 0; q < 20; ++q) {
    std::vector<std::pair<float, std::string>> all;
    for (std::size_t i = 0; i < 300; ++i) all.emplace_back(-cosine(drawn(50'000 + q), drawn(i)), std::to_string(i));
    std::sort(all.begin(), all.end());
    for (auto const& hit : scope.recall({.vectors = {{"m", drawn(50'000 + q)}}, .limit = 10}).value().hits)
      for (std::size_t i = 0; i < 10; ++i) found += all[i].second == hit.record.text;
  }
  CHECK(found >= 190);
}

TEST_CASE("a record's vectors come back as they are kept, and can be kept again elsewhere unchanged", "[memory]") {
  bool const int8 = GENERATE(false, true);
  temp_dir dir;
  store_options const options{.commit_durability = durability::os, .vectors_as_int8 = int8};
  store const db{dir.path(), options};
  auto const here = db.scope({.user = "here"}), there = db.scope({.user = "there"});
  record const known{.id = ulid::fresh(), .kind = "fact", .text = "known"};
  CHECK(here.embeddings(known.id).value().empty());
  transaction tx{here};
  tx.put(known);
  tx.embed(known.id, {"a", drawn(1)}).embed(known.id, {"b", drawn(2, 7)});
  auto const bare = tx.put({.kind = "fact", .text = "bare"});
  tx.commit().value();
  CHECK(here.embeddings(bare).value().empty());
  auto const kept = here.embeddings(known.id).value();
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].fingerprint == "a");
  CHECK(kept[1].fingerprint == "b");
  CHECK(kept[1].values.size() == 7);
  CHECK(std::abs(cosine(kept[0].values, drawn(1)) - 1) < 0.001F);
  double squares = 0;
  for (float const v : kept[0].values) squares += static_cast<double>(v) * v;
  CHECK(std::abs(squares - 1) < 1e-5);
  transaction again{there};
  again.put(known);
  for (auto const& v : kept) again.embed(known.id, v);
  again.commit().value();
  auto const moved = there.embeddings(known.id).value();
  REQUIRE(moved.size() == 2);
  for (std::size_t g = 0; g < kept.size(); ++g) {
    REQUIRE(moved[g].values.size() == kept[g].values.size());
    // As bytes it is the same bytes; what they stand for may be rounded otherwise in the last place.
    for (std::size_t i = 0; i < kept[g].values.size(); ++i)
      CHECK(std::abs(moved[g].values[i] - kept[g].values[i]) <= (int8 ? 1e-6F : 0));
  }
  CHECK(there.recall({.vectors = {{"a", drawn(1)}}}).value().hits.size() == 1);
}

TEST_CASE("expired records are taken away by maintenance", "[memory]") {
  temp_dir dir;
  auto const time = std::make_shared<manual_clock>(1'700'000'000'000);
  store const db{dir.path(), {.commit_durability = durability::os, .time_source = time}};
  auto const scope = db.scope({});
  transaction tx{scope};
  for (int i = 0; i < 300; ++i) tx.put({.kind = "fact", .text = "t " + std::to_string(i), .expires = time->now() + i});
  auto const kept = tx.put({.kind = "fact", .text = "kept"});
  tx.commit().value();
  time->advance(std::chrono::seconds(1));
  CHECK(scope.maintain().value().expired == 300);
  auto const left = scope.records().value();
  REQUIRE(left.size() == 1);
  CHECK(left[0].id == kept);
}

TEST_CASE("real embeddings: the graph finds what looking at every one finds", "[golden]") {
  auto const folder = shared("data/vectors/data/embeddings");
  auto const bytes = read_file(folder / "embeddings.bin");
  constexpr std::size_t width = 384;
  auto const count = bytes.size() / (width * sizeof(float));
  std::vector<std::vector<float>> all(count, std::vector<float>(width));
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(all[i].data(), bytes.data() + i * width * sizeof(float), width * sizeof(float));
  vector_graph graph(vector_form::f32, width, count);
  for (std::size_t i = 0; i < count; ++i)
    graph.add(static_cast<std::uint32_t>(i), pack(vector_form::f32, all[i]).data());
  std::size_t found = 0, asked = 0;
  for (std::size_t q = 0; q < count; q += 8, ++asked) {
    std::vector<std::pair<float, std::uint32_t>> near;
    for (std::size_t i = 0; i < count; ++i) near.emplace_back(-cosine(all[q], all[i]), static_cast<std::uint32_t>(i));
    std::sort(near.begin(), near.end());
    std::set<std::uint32_t> wanted;
    for (std::size_t i = 0; i < 10; ++i) wanted.insert(near[i].second);
    for (auto const& hit : graph.search(pack(vector_form::f32, all[q]).data(), 10, {}))
      found += wanted.count(hit.number);
  }
  CHECK(static_cast<double>(found) >= 0.98 * 10 * static_cast<double>(asked));
}

TEST_CASE("adding, finding, forgetting and maintaining go on at once", "[memory]") {
  temp_dir dir;
  store const db{dir.path(), {.commit_durability = durability::os, .vectors_exact_max = 50}};
  auto const scope = db.scope({});
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  auto const round = [&](auto work) {
    return std::thread([&, work] {
      for (int i = 0; !stop; ++i)
        if (!work(i)) ++failures;
    });
  };
  std::vector<std::thread> threads;
  threads.push_back(round([&](int i) {
    recall_query q{.text = "record " + std::to_string(i % 50), .limit = 5};
    if (i % 2) q.vectors = {{"m", drawn(static_cast<std::uint64_t>(i))}};
    return scope.recall(q).has_value();
  }));
  threads.push_back(round([&](int) { return scope.maintain({.changes_before_image = 20}).has_value(); }));
  std::vector<ulid> ids;
  for (std::size_t i = 0; i < 200; ++i) {
    transaction tx{scope};
    ids.push_back(tx.put({.kind = "fact", .text = "record " + std::to_string(i)}));
    tx.embed(ids.back(), {"m", drawn(i)});
    if (i % 5 == 4) tx.forget(ids[i - 4]);
    if (!tx.commit()) ++failures;
  }
  stop = true;
  for (auto& t : threads) t.join();
  CHECK(failures == 0);
  CHECK(scope.recall({.vectors = {{"m", drawn(3)}}, .limit = 500}).value().hits.size() == 160);
}
