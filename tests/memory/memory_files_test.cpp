#include "temp_dir.hpp"

#include <wherry/memory/memory_files.hpp>
#include <wherry/memory/store.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace wherry;
using namespace wherry_test;

namespace {

struct desk_drawer {
  temp_dir dir;
  store db{dir.path(), {.commit_durability = durability::os}};
  scope_handle scope = db.scope({.tenant = "acme", .user = "7"});
  memory_files files{scope};

  std::string told(file_command const& what) const {
    auto const done = carry_out(files, what);
    return done ? *done : "error: " + done.error().message;
  }
};

}  // namespace

TEST_CASE_METHOD(desk_drawer, "files are created, viewed, changed, renamed and deleted by what a model writes",
                 "[memory]") {
  CHECK(told({.command = "view", .path = "/memories"}) == "/memories: 0 files\n");
  CHECK(told({.command = "create", .path = "/memories/boat/oil.md", .file_text = "5W-30\nevery 100 hours\n"}) ==
        "created /memories/boat/oil.md");
  CHECK(told({.command = "create", .path = "/memories/a.txt", .file_text = "x"}) == "created /memories/a.txt");
  CHECK(told({.command = "view", .path = "/memories/"}) ==
        "/memories: 2 files\n1\t/memories/a.txt\n22\t/memories/boat/oil.md\n");
  CHECK(told({.command = "view", .path = "/memories/boat/oil.md"}) == "     1\t5W-30\n     2\tevery 100 hours\n");
  CHECK(told({.command = "view", .path = "/memories/boat/oil.md", .view_range = {{2, -1}}}) ==
        "     2\tevery 100 hours\n");
  CHECK(told({.command = "str_replace", .path = "/memories/boat/oil.md", .old_str = "5W-30", .new_str = "5W-40"}) ==
        "changed /memories/boat/oil.md");
  CHECK(told({.command = "insert", .path = "/memories/boat/oil.md", .insert_line = 1, .insert_text = "filter too"}) ==
        "changed /memories/boat/oil.md");
  CHECK(files.read("/memories/boat/oil.md").value() == "5W-40\nfilter too\nevery 100 hours\n");
  CHECK(told({.command = "insert", .path = "/memories/a.txt", .insert_line = 1, .insert_text = "y"}) ==
        "changed /memories/a.txt");
  CHECK(files.read("/memories/a.txt").value() == "x\ny\n");
  CHECK(told({.command = "rename", .old_path = "/memories/boat", .new_path = "/memories/ship/old"}) ==
        "renamed /memories/boat to /memories/ship/old (1 file)");
  CHECK(files.read("/memories/ship/old/oil.md").has_value());
  CHECK(files.read("/memories/boat/oil.md").error().is(errc::not_found));
  CHECK(told({.command = "delete", .path = "/memories/ship"}) == "deleted /memories/ship (1 file)");
  CHECK(told({.command = "view", .path = "/memories"}) == "/memories: 1 file\n4\t/memories/a.txt\n");
  CHECK(db.verify().value().problems.empty());
}

TEST_CASE_METHOD(desk_drawer, "what cannot be done is told, and nothing changes", "[memory]") {
  files.create("/memories/a", "one two one\ntwo\n").value();
  files.create("/memories/d/x", "").value();
  CHECK(files.create("/memories/a", "").error().is(errc::already_exists));
  CHECK(files.create("/memories/d", "").error().is(errc::already_exists));
  CHECK(files.create("/memories/a/b", "").error().is(errc::already_exists));
  CHECK(files.create("/memories/a/b/c", "").error().is(errc::already_exists));
  CHECK(files.create("/memories", "").error().is(errc::invalid_argument));
  CHECK(files.replace("/memories/a", "one", "").error().message.find("2 times (lines 1, 1)") != std::string::npos);
  CHECK(files.replace("/memories/a", "three", "").error().is(errc::not_found));
  CHECK(files.replace("/memories/a", "", "x").error().is(errc::invalid_argument));
  CHECK(files.insert("/memories/a", 3, "x").error().is(errc::invalid_argument));
  CHECK(files.view("/memories/a", 2, 3).error().is(errc::invalid_argument));
  CHECK(files.view("/memories/a", 0, 1).error().is(errc::invalid_argument));
  CHECK(files.view("/memories/none").error().is(errc::not_found));
  CHECK(files.view("/memories/d/x").value() == "the file is empty");
  CHECK(files.remove("/memories").error().is(errc::invalid_argument));
  CHECK(files.remove("/memories/none").error().is(errc::not_found));
  CHECK(files.rename("/memories/d", "/memories/d/e").error().is(errc::invalid_argument));
  CHECK(files.rename("/memories/d", "/memories/a").error().is(errc::already_exists));
  CHECK(files.rename("/memories/a", "/memories/a").error().is(errc::already_exists));
  CHECK(files.rename("/memories/none", "/memories/b").error().is(errc::not_found));
  CHECK(told({.command = "view"}) == "error: the command view needs \"path\"");
  CHECK(told({.command = "rm", .path = "/memories/a"}).find("there is no command \"rm\"") != std::string::npos);
  CHECK(told({.command = "view", .path = "/memories/a", .view_range = {{0, 1}}}).starts_with("error"));
  CHECK(told({.command = "insert", .path = "/memories/a", .insert_line = -1, .insert_text = ""}).starts_with("error"));
  CHECK(files.read("/memories/a").value() == "one two one\ntwo\n");
  CHECK(scope.items("files").list().value().size() == 2);
}

TEST_CASE_METHOD(desk_drawer, "hostile paths are refused by every verb", "[isolation]") {
  files.create("/memories/a", "x").value();
  for (std::string const& path : {std::string(""),
                                  std::string("/"),
                                  std::string("a"),
                                  std::string("/etc/passwd"),
                                  std::string("/memories/../etc"),
                                  std::string("/memories/./a"),
                                  std::string("/memories//a"),
                                  std::string("/memories/a/.."),
                                  std::string("/memories/%2e%2e/a"),
                                  std::string("/memories\\a"),
                                  std::string("/memoriesx/a"),
                                  std::string("/MEMORIES/a"),
                                  std::string("/memories/a\0b", 13),
                                  std::string("/memories/a\nb"),
                                  std::string("/memories/\xff"),
                                  std::string("/memories/\u202Etxt.a"),
                                  std::string("/memories/a\u200B"),
                                  std::string("/memories/ a"),
                                  "/memories/" + std::string(300, 'a'),
                                  std::string("/memories/1/2/3/4/5/6/7/8/9"),
                                  std::string("file:///memories/a"),
                                  std::string("~/memories/a"),
                                  std::string("../memories/a")}) {
    INFO(path);
    CHECK(files.view(path).error().is(errc::invalid_argument));
    CHECK(files.create(path, "x").error().is(errc::invalid_argument));
    CHECK(files.replace(path, "x", "y").error().is(errc::invalid_argument));
    CHECK(files.insert(path, 0, "x").error().is(errc::invalid_argument));
    CHECK(files.remove(path).error().is(errc::invalid_argument));
    CHECK(files.rename(path, "/memories/b").error().is(errc::invalid_argument));
    CHECK(files.rename("/memories/a", path).error().is(errc::invalid_argument));
  }
  CHECK(files.create("/memories/서울/여행.md", "기차").has_value());
  CHECK(scope.items("files").list().value().size() == 2);
  memory_files const others{db.scope({.tenant = "acme", .user = "8"})};
  CHECK(others.view("/memories/a").error().is(errc::not_found));
}

TEST_CASE_METHOD(desk_drawer, "files, their number and what one view shows are bounded", "[memory]") {
  memory_files const small{scope, {.path_parts_max = 2, .file_bytes_max = 100, .files_max = 3, .view_bytes_max = 60}};
  CHECK(small.create("/memories/a", std::string(101, 'x')).error().is(errc::limit_reached));
  CHECK(small.create("/memories/a", std::string("\xff")).error().is(errc::invalid_argument));
  for (auto const* name : {"a", "b", "d/c"}) small.create("/memories/" + std::string(name), "12345678\n").value();
  CHECK(small.create("/memories/e", "").error().is(errc::limit_reached));
  CHECK(small.insert("/memories/a", 0, std::string(99, 'x')).error().is(errc::limit_reached));
  CHECK(small.rename("/memories/d", "/memories/e/f").error().is(errc::invalid_argument));
  small.replace("/memories/a", "12345678", "1\n2\n3\n4\n5\n6\n7\n8").value();
  auto const view = small.view("/memories/a").value();
  CHECK(view.find("     6\t6\n... cut at line 7 of 8\n") != std::string::npos);
  small.replace("/memories/b", "12345678", std::string(90, 'x')).value();
  CHECK(small.view("/memories/b").value().size() < 100);
}
