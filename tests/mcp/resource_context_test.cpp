#include <wherry/core/runtime.hpp>
#include <wherry/mcp/resource_context.hpp>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace wherry;

namespace {

mcp::server library() {
  mcp::server s{"library", "1"};
  s.add(mcp::resource("doc://a", "a", "", "text/markdown", [] { return "# A"; }).inline_run());
  s.add(
      mcp::resource("doc://b", "b", "", "text/plain", [] { return std::string(1000, 'b') + "\xC3\xA9"; }).inline_run());
  s.add(mcp::resource("doc://c", "c", "", "image/png", [] {
          return mcp::resource_contents{.uri = {}, .data = "\x89PNG", .binary = true};
        }).inline_run());
  return s;
}

context_answer gather(mcp::resource_context_options options, std::size_t bytes_max = 100'000) {
  auto const c = mcp::client::connect(mcp::make_loopback_transport(library()));
  REQUIRE(c);
  auto const source = mcp::resource_context(*c, std::move(options));
  context_question question{.text = "?", .bytes_max = bytes_max};
  auto const got = run_blocking(source->async_gather(std::move(question)), "gather", "async_gather");
  REQUIRE(got);
  return *got;
}

}  // namespace

TEST_CASE("the resources of a server are context, in order, with their URIs", "[mcp]") {
  auto const all = gather({});
  REQUIRE(all.blocks.size() == 2);
  CHECK(all.blocks[0] == context_block{.source = {}, .id = "doc://a", .text = "# A", .note = "text/markdown"});
  CHECK(all.blocks[1].id == "doc://b");
  REQUIRE(all.degraded.size() == 1);
  CHECK(all.degraded[0] == "doc://c is no text");
}

TEST_CASE("resources that are named are read in that order; what cannot be read is told", "[mcp]") {
  auto const some = gather({.uris = {"doc://b", "doc://nothing", "doc://a"}});
  REQUIRE(some.blocks.size() == 2);
  CHECK(some.blocks[0].id == "doc://b");
  CHECK(some.blocks[1].id == "doc://a");
  REQUIRE(some.degraded.size() == 1);
  CHECK(some.degraded[0].find("doc://nothing could not be read: ") == 0);
}

TEST_CASE("a resource that is too long is cut between characters, and its note says so", "[mcp]") {
  auto const cut = gather({.uris = {"doc://b"}, .resource_bytes_max = 1001});
  REQUIRE(cut.blocks.size() == 1);
  CHECK(cut.blocks[0].text == std::string(1000, 'b'));
  CHECK(cut.blocks[0].note == "text/plain, the beginning; it has 1002 bytes");
  auto const tight = gather({.uris = {"doc://b", "doc://a"}}, 10);
  REQUIRE(tight.blocks.size() == 1);
  CHECK(tight.blocks[0].text.size() == 10);
  CHECK(tight.degraded.size() == 1);
  CHECK(gather({.resources_max = 1}).degraded.size() == 1);
}
