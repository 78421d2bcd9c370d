// wherry memory: what it prints, and how it ends.

#include "process.hpp"
#include "shared_data.hpp"
#include "temp_dir.hpp"

#include <wherry/core/json.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry_test;

TEST_CASE("what is read in is found, exported, imported, verified and erased") {
  temp_dir folder;
  auto const store = (folder / "store").string(), other = (folder / "other").string();
  auto const manual = (folder / "manual.md").string(), lines = (folder / "records.jsonl").string();
  std::ofstream(manual) << "# Engine\n\nThe engine takes 5W-30 oil.\n\n# Sails\n\nReef early.\n";
  auto const memory = [&](std::vector<std::string> arguments, std::string const& where) {
    arguments.insert(arguments.begin(), "memory");
    arguments.insert(arguments.end(), {"--store", where, "--json"});
    auto const r = wherry_test::wherry(arguments);
    INFO(r.out << r.err);
    auto parsed = wherry::parse_json(r.out.empty() ? "null" : r.out.substr(0, r.out.find('\n')));
    REQUIRE(parsed);
    return std::pair(r.code, *parsed);
  };

  CHECK(memory({"ingest", manual}, store).second[0]["chunks"] == 2);
  auto const [code, found] = memory({"search", "which oil for the engine?"}, store);
  CHECK(code == 0);
  REQUIRE_FALSE(found.empty());
  CHECK(found[0]["title"] == "Engine");
  CHECK(found[0]["why"].get<std::string>().starts_with("text 1 ("));
  auto const id = found[0]["id"].get<std::string>();
  CHECK(memory({"show", id}, store).second["text"] == found[0]["text"]);
  CHECK(memory({"stats"}, store).second["records"] == 2);

  CHECK(memory({"export", "--output", lines}, store).first == 0);
  CHECK(memory({"import", lines}, other).second["records"] == 2);
  CHECK(memory({"show", id}, other).second == memory({"show", id}, store).second);
  CHECK(memory({"verify"}, other).second["problems"].empty());

  CHECK(memory({"erase"}, other).first == 1);
  CHECK(memory({"erase", "--record", id}, other).second["records"] == 1);
  CHECK(memory({"erase", "--document", manual}, other).second["records"] == 1);
  CHECK(memory({"show", id}, other).first == 1);
  CHECK(memory({"stats"}, other).second["records"] == 0);
}

TEST_CASE("what cannot be imported or shown says why") {
  temp_dir folder;
  auto const store = (folder / "store").string(), lines = (folder / "lines").string();
  std::ofstream(lines) << "{\"text\":\"fine\"}\n{\"text\":1}\n";
  auto const bad = wherry_test::wherry({"memory", "import", lines, "--store", store});
  CHECK(bad.code == 1);
  CHECK(bad.err.find("line 2") != std::string::npos);
  CHECK(wherry_test::wherry({"memory", "import", (folder / "none").string(), "--store", store}).code == 1);
  CHECK(wherry_test::wherry({"memory", "search", "x", "--store", (folder / "none").string()}).code == 1);
  CHECK(wherry_test::wherry({"memory"}).code == 2);
}
