#include <wherry/core/clock.hpp>
#include <wherry/core/id.hpp>

#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <array>

using namespace wherry;

TEST_CASE("ids sort by time and survive their text form", "[unit]") {
  auto const a = ulid::draw(1'000, {.run = 1}), b = ulid::draw(2'000, {.run = 1});
  CHECK(a < b);
  CHECK(a.text() < b.text());
  CHECK(a.text().size() == 26);
  CHECK(ulid::parse(a.text()) == a);
  CHECK(ulid::draw(1'000, {.run = 1}) == a);
  CHECK(ulid::draw(1'000, {.run = 2}) != a);
  CHECK(ulid::fresh() != ulid::fresh());
}

TEST_CASE("a forked process does not draw the ids its parent draws", "[unit]") {
  (void)ulid::fresh();  // the thread has its key before the fork
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  auto const child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto const id = ulid::fresh();
    auto const written = ::write(ends[1], id.bytes.data() + 6, 10);  // without the time
    ::_exit(written == 10 ? 0 : 1);
  }
  auto const own = ulid::fresh();
  std::array<std::uint8_t, 10> other{};
  CHECK(::read(ends[0], other.data(), other.size()) == 10);
  int status = 1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK_FALSE(std::equal(other.begin(), other.end(), own.bytes.begin() + 6));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("the text of an id is the ULID specification's", "[unit]") {
  auto const id = ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  REQUIRE(id);
  CHECK(id->text() == "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  CHECK_FALSE(ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FA"));
  CHECK_FALSE(ulid::parse("81ARZ3NDEKTSV4RRFFQ69G5FAV"));
  CHECK_FALSE(ulid::parse("01ARZ3NDEKTSV4RRFFQ69G5FAU"));
}

TEST_CASE("times are written as RFC 3339 in UTC", "[unit]") {
  CHECK(to_rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339(1'700'000'000'123) == "2023-11-14T22:13:20.123Z");
  CHECK(to_rfc3339(-1) == "1969-12-31T23:59:59.999Z");
}
