#include "temp_dir.hpp"

#include <wherry/core/json.hpp>
#include <wherry/mcp/client.hpp>
#include <wherry/mcp/memory_server.hpp>
#include <wherry/memory/transaction.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace wherry;

namespace {

/// A client that speaks to the memory of one user.
struct remembering {
  wherry_test::temp_dir dir;
  store db{dir.path(), {.commit_durability = durability::os}};

  mcp::client user(std::string name, std::string const& revision) const {
    mcp::server s{"memory", "1.0"};
    mcp::add_memory(s, db.scope({.tenant = "local", .user = std::move(name)}));
    mcp::client_options options;
    options.revision = revision;
    auto c = mcp::client::connect(mcp::make_loopback_transport(s), options);
    REQUIRE(c.has_value());
    return *c;
  }
};

json answer(mcp::client const& c, std::string const& tool, std::string const& arguments) {
  auto const done = c.call(tool, arguments);
  REQUIRE(done.has_value());
  INFO(done->text());
  REQUIRE_FALSE(done->failed);
  auto parsed = parse_json(done->text());
  return parsed ? std::move(*parsed) : json(done->text());
}

std::string failure(mcp::client const& c, std::string const& tool, std::string const& arguments) {
  auto const done = c.call(tool, arguments);
  REQUIRE(done.has_value());
  CHECK(done->failed);
  return done->text();
}

}  // namespace

TEST_CASE_METHOD(remembering, "memory is served: facts and files of one user, in both eras", "[mcp]") {
  for (auto const* revision : {"2025-11-25", "2026-07-28"}) {
    INFO(revision);
    auto const ann = user(std::string("ann") + revision, revision), bob = user("bob", revision);
    std::vector<std::string> names;
    auto const listed = ann.tools();
    REQUIRE(listed.has_value());
    for (auto const& t : *listed) names.push_back(t.name);
    std::ranges::sort(names);
    CHECK(names == std::vector<std::string>{"forget", "list_sessions", "memory", "read_session", "recall", "remember"});

    auto const kept = answer(ann, "remember", R"({"text":"Ann lives in Seoul.","subject":"ann","attribute":"home"})");
    CHECK(kept["outcome"] == "created");
    CHECK(answer(ann, "remember", R"({"text":"Ann lives in Seoul","subject":"ann","attribute":"home"})")["outcome"] ==
          "merged");
    auto const moved = answer(ann, "remember", R"({"text":"Ann lives in Busan.","subject":"ann","attribute":"home"})");
    CHECK(moved["outcome"] == "superseded");
    CHECK(moved["ended"] == kept["id"]);
    auto const found = answer(ann, "recall", R"({"query":"where does Ann live"})");
    REQUIRE(found["memories"].size() == 1);
    CHECK(found["memories"][0]["text"] == "Ann lives in Busan.");
    CHECK(answer(bob, "recall", R"({"query":"where does Ann live"})")["memories"].empty());
    auto const id = found["memories"][0]["id"].get<std::string>();
    CHECK_FALSE(failure(bob, "forget", "{\"id\":\"" + id + "\"}").empty());
    answer(ann, "forget", "{\"id\":\"" + id + "\"}");
    CHECK(answer(ann, "recall", R"({"query":"Busan"})")["memories"].empty());

    auto const file = [](char const* more) { return "{\"path\":\"/memories/a.md\"," + std::string(more) + "}"; };
    answer(ann, "memory", file(R"("command":"create","file_text":"tea\n")"));
    answer(ann, "memory", file(R"("command":"insert","insert_line":1,"insert_text":"rice")"));
    answer(ann, "memory", file(R"("command":"str_replace","old_str":"tea","new_str":"oolong")"));
    CHECK(answer(ann, "memory", file(R"("command":"view")")) == "     1\toolong\n     2\trice\n");
    CHECK_FALSE(failure(bob, "memory", file(R"("command":"view")")).empty());
    answer(ann, "memory", R"({"command":"rename","old_path":"/memories/a.md","new_path":"/memories/b/a.md"})");
    CHECK(answer(ann, "memory", R"({"command":"view","path":"/memories"})") ==
          "/memories: 1 file\n12\t/memories/b/a.md\n");
    answer(ann, "memory", R"({"command":"delete","path":"/memories/b"})");
    CHECK(failure(ann, "memory", R"({"command":"view","path":"/memories/../../etc/passwd"})").find("\"..\"") !=
          std::string::npos);
    CHECK(failure(ann, "memory", R"({"command":"shred","path":"/memories/a.md"})").find("no command") !=
          std::string::npos);
    ann.close();
    bob.close();
  }
}
