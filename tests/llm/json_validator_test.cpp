// The validator against the official test suite, and what its errors say.

#include "../support/shared_data.hpp"

#include <wherry/core/json.hpp>
#include <wherry/llm/json_validator.hpp>

#include <catch2/catch_test_macros.hpp>

#include <cstdio>

using namespace wherry;
namespace fs = std::filesystem;

namespace {

struct score {
  int passed = 0, total = 0;
  std::string failures = {};
};

score run_folder(fs::path const& folder, fs::path const& remotes, std::string const& dialect, bool formats) {
  score all;
  json_validator_options options;
  options.dialect = dialect;
  options.assert_formats = formats;
  options.documents = [&remotes](std::string const& uri) -> std::optional<std::string> {
    std::string const host = "http://localhost:1234/";
    if (!uri.starts_with(host) || !fs::is_regular_file(remotes / uri.substr(host.size()))) return std::nullopt;
    return wherry_test::read_file(remotes / uri.substr(host.size()));
  };
  std::vector<fs::path> files;
  for (auto const& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (auto const& file : files) {
    auto const groups = parse_json(wherry_test::read_file(file)).value();
    for (auto const& group : groups) {
      auto const validator = json_validator::make(raw_json{to_text(group["schema"])}, options);
      for (auto const& test : group["tests"]) {
        ++all.total;
        auto const found = validator ? validator->validate_value(test["data"])
                                     : result<std::vector<json_violation>>(validator.error());
        if (found && found->empty() == test["valid"].get<bool>()) {
          ++all.passed;
        } else {
          all.failures += file.filename().string() + ": " + group["description"].get<std::string>() + ": " +
                          test["description"].get<std::string>() + (found ? "" : ": " + found.error().message) + "\n";
        }
      }
    }
  }
  return all;
}

}  // namespace

TEST_CASE("the validator passes every required test of the official suite", "[jsonschema]") {
  auto const suite = wherry_test::shared("data/json-schema-test-suite");
  struct row {
    char const* folder;
    char const* dialect;
    int total;
  };
  for (auto const& [folder, dialect, total] :
       {row{"draft7", "http://json-schema.org/draft-07/schema#", 927},
        row{"draft2019-09", "https://json-schema.org/draft/2019-09/schema", 1259},
        row{"draft2020-12", "https://json-schema.org/draft/2020-12/schema", 1299},
        row{"draft6", "http://json-schema.org/draft-06/schema#", 839},
        row{"draft4", "http://json-schema.org/draft-04/schema#", 618}}) {
    auto const required = run_folder(suite / "tests" / folder, suite / "remotes", dialect, false);
    INFO(folder << "\n" << required.failures);
    CHECK(required.total == total);
    CHECK(required.passed == total);
    auto const formats = run_folder(suite / "tests" / folder / "optional" / "format", suite / "remotes", dialect, true);
    auto const optional = run_folder(suite / "tests" / folder / "optional", suite / "remotes", dialect, false);
    std::printf("%s: required %d of %d, optional %d of %d, optional formats %d of %d\n", folder, required.passed,
                required.total, optional.passed, optional.total, formats.passed, formats.total);
    if (std::getenv("WHERRY_SHOW_OPTIONAL")) std::printf("%s%s", optional.failures.c_str(), formats.failures.c_str());
  }
}

TEST_CASE("a violation tells where, what was expected and what was found", "[unit]") {
  auto const validator = json_validator::make({R"({"type":"object","properties":{"city":{"type":"string"},
    "days":{"type":"integer","maximum":7},"by":{"anyOf":[{"type":"object","properties":{"train":{"type":"string"}},"required":["train"]},{"type":"null"}]}},
    "required":["city"],"additionalProperties":false})"});
  REQUIRE(validator);
  auto const found = validator->validate(R"({"days":9,"by":{"train":1},"x/y":0})");
  REQUIRE(found);
  std::vector<std::string> told;
  for (auto const& violation : *found) told.push_back(to_string(violation));
  CHECK(told == std::vector<std::string>{R"(the value: expected the member "city", found no such member)",
                                         "/days: expected a number at most 7, found 9",
                                         "/by/train: expected a string, found 1",
                                         R"(the value: expected no member beyond those declared, found "x/y")"});
  CHECK((*found)[1] == json_violation{"/days", "maximum", "/properties/days", "a number at most 7", "9"});
  auto const checked = validator->check(R"({"city":"Oslo","days":8.5})");
  REQUIRE_FALSE(checked);
  CHECK(checked.error().code == errc::output_invalid);
  CHECK(checked.error().path == "/days");
  CHECK(validator->check(R"({"city":"Oslo","days":3.0})"));
  CHECK_FALSE(validator->check(R"({"city":)"));
}

TEST_CASE("a schema that cannot be used is refused with its place", "[unit]") {
  CHECK(json_validator::make({"[1]"}).error().code == errc::schema_unsupported);
  CHECK(json_validator::make({"{"}).error().code == errc::parse_error);
  auto const nowhere =
      json_validator::make({R"({"properties":{"a":{"$ref":"#/$defs/b"}}})"}).value().check(R"({"a":1})");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == errc::schema_unsupported);
  CHECK(nowhere.error().path == "/properties/a");
  auto const remote = json_validator::make({R"({"$ref":"http://example.com/x.json"})"}).value().check("1");
  CHECK(remote.error().message.find("nothing is fetched") != std::string::npos);
  auto const look_behind = json_validator::make({R"({"pattern":"(?<=a)b"})"}).value().check("\"ab\"");
  CHECK(look_behind.error().code == errc::schema_unsupported);
  auto const loop = json_validator::make({R"({"$ref":"#"})"}).value().check("1");
  CHECK(loop.error().code == errc::limit_reached);
}
