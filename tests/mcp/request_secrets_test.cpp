#include "temp_dir.hpp"

#include <wherry/mcp/request_secrets.hpp>

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace wherry;
using namespace std::chrono_literals;

TEST_CASE("the secret of a directory is drawn once, for its owner alone", "[mcp]") {
  wherry_test::temp_dir const dir;
  auto const place = dir.path() / "new" / "store";
  auto const first = mcp::kept_request_secrets(place);
  REQUIRE(first);
  CHECK(first->current.size() == 32);
  CHECK(first->previous.empty());
  CHECK(mcp::kept_request_secrets(place)->current == first->current);
  struct stat about{};
  REQUIRE(::stat((place / "mcp.secret").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);

  auto const renewed = mcp::renewed_request_secrets(place);
  REQUIRE(renewed);
  CHECK(renewed->current != first->current);
  CHECK(renewed->previous == first->current);
  auto const kept = mcp::kept_request_secrets(place);
  CHECK(kept->current == renewed->current);
  CHECK(kept->previous == first->current);
}

TEST_CASE("a file of secrets that others may read, or that holds none, is refused", "[mcp]") {
  wherry_test::temp_dir const dir;
  auto const file = dir.path() / "mcp.secret";
  REQUIRE(mcp::kept_request_secrets(dir.path()));
  ::chmod(file.c_str(), 0644);
  auto const open = mcp::kept_request_secrets(dir.path());
  REQUIRE_FALSE(open);
  CHECK(open.error().is(errc::denied));
  ::chmod(file.c_str(), 0600);
  std::ofstream(file) << "something else\n";
  auto const broken = mcp::kept_request_secrets(dir.path());
  REQUIRE_FALSE(broken);
  CHECK(broken.error().is(errc::parse_error));
}

TEST_CASE("a secret whose file another process keeps locked is waited for, but not without end", "[mcp]") {
  wherry_test::temp_dir const dir;
  auto const first = mcp::kept_request_secrets(dir.path());
  REQUIRE(first);
  int const other = ::open((dir.path() / "mcp.secret").c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(other >= 0);
  REQUIRE(::flock(other, LOCK_EX) == 0);
  auto const late = mcp::kept_request_secrets(dir.path(), 20ms);
  REQUIRE_FALSE(late);
  CHECK(late.error().is(errc::deadline_exceeded));
  CHECK_FALSE(mcp::renewed_request_secrets(dir.path(), 20ms));
  std::thread lets_go([other] {
    std::this_thread::sleep_for(50ms);
    ::close(other);
  });
  auto const kept = mcp::kept_request_secrets(dir.path());
  lets_go.join();
  REQUIRE(kept);
  CHECK(kept->current == first->current);
}
