#include <wherry/mcp/token_store.hpp>

#include <catch2/catch_test_macros.hpp>

#include "temp_dir.hpp"

#include <fstream>
#include <thread>

#include <sys/stat.h>

using namespace wherry;
using namespace wherry::mcp;
namespace fs = std::filesystem;

namespace {

oauth_tokens token(std::string text, std::string issuer) {
  oauth_tokens t;
  t.access_token = std::move(text);
  t.issuer = std::move(issuer);
  t.scopes = {"a", "b"};
  t.expires = 1'800'000'000'123;
  t.dpop = true;
  t.dpop_key = "key\n";
  return t;
}

mode_t mode_of(fs::path const& p) {
  struct stat s{};
  REQUIRE(::stat(p.c_str(), &s) == 0);
  return s.st_mode & 0777;
}

}  // namespace

TEST_CASE("what one issuer gave is never given to another", "[unit]") {
  wherry_test::temp_dir const place;
  auto const on_disk = open_file_token_store(place.path() / "tokens");
  REQUIRE(on_disk);
  for (auto const& store : {make_memory_token_store(), *on_disk}) {
    oauth_client c;
    c.client_id = "id";
    c.client_secret = "s\"ecret\xED\x95\x9C";
    c.auth = client_auth::secret_post;
    REQUIRE(store->keep_client("https://a", c));
    CHECK(store->client("https://a").value()->client_secret == c.client_secret);
    CHECK(store->client("https://a").value()->auth == client_auth::secret_post);
    CHECK_FALSE(store->client("https://b").value());
    CHECK_FALSE(store->client("https://a/").value());
    REQUIRE(store->keep_client("https://a", std::nullopt));
    CHECK_FALSE(store->client("https://a").value());

    CHECK_FALSE(store->tokens("https://h/mcp").value());
    REQUIRE(store->keep_tokens("https://h/mcp", token("one", "https://a")));
    REQUIRE(store->keep_tokens("https://h/mcp", token("two", "https://b")));
    REQUIRE(store->keep_tokens("https://other", token("three", "https://a")));
    auto const last = store->tokens("https://h/mcp").value();
    REQUIRE(last);
    CHECK(last->access_token == "two");
    CHECK(last->issuer == "https://b");
    CHECK(last->scopes == std::vector<std::string>{"a", "b"});
    CHECK(last->expires == 1'800'000'000'123);
    CHECK(last->dpop_key == "key\n");
    REQUIRE(store->keep_tokens("https://h/mcp", token("four", "https://a")));
    CHECK(store->tokens("https://h/mcp").value()->access_token == "four");
    REQUIRE(store->keep_tokens("https://h/mcp", std::nullopt));
    CHECK_FALSE(store->tokens("https://h/mcp").value());
    CHECK(store->tokens("https://other").value());
  }
}

TEST_CASE("tokens on disk are for their owner alone, and survive", "[unit]") {
  wherry_test::temp_dir const place;
  auto const directory = place.path() / "deep" / "tokens";
  {
    auto const store = open_file_token_store(directory);
    REQUIRE(store);
    REQUIRE((*store)->keep_tokens("https://h", token("t", "https://a")));
  }
  CHECK(mode_of(directory) == 0700);
  CHECK(mode_of(directory / "tokens.json") == 0600);
  CHECK(open_file_token_store(directory).value()->tokens("https://h").value()->access_token == "t");

  fs::permissions(directory / "tokens.json", fs::perms::group_read, fs::perm_options::add);
  auto const open_to_group = open_file_token_store(directory);
  REQUIRE_FALSE(open_to_group);
  CHECK(open_to_group.error().is(errc::denied));
  fs::permissions(directory / "tokens.json", fs::perms::owner_read | fs::perms::owner_write);
  fs::permissions(directory, fs::perms::others_exec, fs::perm_options::add);
  CHECK(open_file_token_store(directory).error().is(errc::denied));
  fs::permissions(directory, fs::perms::owner_all);

  auto const elsewhere = place.path() / "stolen";
  std::ofstream(elsewhere) << "{}";
  fs::remove(directory / "tokens.json");
  fs::create_symlink(elsewhere, directory / "tokens.json");
  CHECK_FALSE(open_file_token_store(directory));
}

TEST_CASE("a token file that is none is an error that says what to do", "[unit]") {
  wherry_test::temp_dir const place;
  auto const store = open_file_token_store(place.path() / "t");
  REQUIRE(store);
  for (auto const* text : {"{", "[]", R"({"version":99,"issuers":{}})", R"({"version":1})"}) {
    std::ofstream(place.path() / "t" / "tokens.json") << text;
    fs::permissions(place.path() / "t" / "tokens.json", fs::perms::owner_read | fs::perms::owner_write);
    auto const seen = (*store)->tokens("https://h");
    REQUIRE_FALSE(seen);
    CHECK(seen.error().is(errc::corrupt_file));
  }
}

TEST_CASE("two that write at the same time lose nothing", "[unit]") {
  wherry_test::temp_dir const place;
  auto const write = [&](std::string who) {
    auto const store = open_file_token_store(place.path() / "t").value();
    for (int i = 0; i < 20; ++i) CHECK(store->keep_tokens(who + std::to_string(i), token("t", "https://a")));
  };
  std::thread other(write, "x");
  write("y");
  other.join();
  auto const store = open_file_token_store(place.path() / "t").value();
  for (int i = 0; i < 20; ++i) {
    CHECK(store->tokens("x" + std::to_string(i)).value());
    CHECK(store->tokens("y" + std::to_string(i)).value());
  }
}
