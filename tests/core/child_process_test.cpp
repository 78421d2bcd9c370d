#include <wherry/core/child_process.hpp>
#include <wherry/core/runtime.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace wherry;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using steady = std::chrono::steady_clock;

child_options shell(std::string script) { return {.command = {"/bin/sh", "-c", std::move(script)}}; }

// Runs the child to the end of its output. Returns: the output, then how it ended.
task<result<std::string>> all_of(child_options options) {
  auto const executor = co_await asio::this_coro::executor;
  auto started = child_process::start(executor, std::move(options));
  if (!started) co_return started.error();
  auto child = std::move(*started);
  child.close_input();
  std::string seen;
  for (;;) {
    auto piece = co_await child.async_read();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    seen += *piece;
  }
  auto const end = co_await child.async_wait(steady::now() + 5s);
  if (!end) co_return end.error();
  co_return seen + "|" + to_string(*end) + "|" + child.error_text();
}

result<std::string> run(child_options options) { return run_blocking(all_of(std::move(options)), "f", "async_f"); }

std::size_t open_descriptors() {
  std::size_t n = 0;
  auto* const dir = ::opendir("/proc/self/fd");
  while (::readdir(dir)) ++n;
  ::closedir(dir);
  return n;
}

bool alive(int pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_CASE("a program runs without a shell, with its own arguments, place and environment", "[unit]") {
  CHECK(run({.command = {"printf", "%s.", "a b", "$HOME;`x`", ""}}).value() == "a b.$HOME;`x`..|exited with status 0|");
  auto place = shell("pwd; echo $WHERRY_X$WHERRY_Y; echo to-stderr >&2; exit 3");
  place.directory = "/";
  place.environment = {{"WHERRY_X", "x"}};
  ::setenv("WHERRY_Y", "y", 1);
  CHECK(run(place).value() == "/\nxy\n|exited with status 3|to-stderr\n");
  place.inherit_environment = false;
  CHECK(run(place).value() == "/\nx\n|exited with status 3|to-stderr\n");
  ::unsetenv("WHERRY_Y");
}

TEST_CASE("a program that cannot be started is an error that names it", "[unit]") {
  auto const missing = run({.command = {"/no/such/program"}});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == std::errc::no_such_file_or_directory);
  CHECK(missing.error().path == "/no/such/program");
  CHECK(run({.command = {"/etc/passwd"}}).error().code == std::errc::permission_denied);
  CHECK(run({}).error().is(errc::invalid_argument));
  CHECK(run({.command = {std::string("a\0b", 3)}}).error().is(errc::invalid_argument));
  CHECK(run({.command = {"true"}, .environment = {{"A=B", "c"}}}).error().is(errc::invalid_argument));
}

TEST_CASE("a thousand messages go there and back", "[unit]") {
  auto body = []() -> task<result<int>> {
    child_options options{.command = {"cat"}};
    auto const executor = co_await asio::this_coro::executor;
    auto started = child_process::start(executor, std::move(options));
    if (!started) co_return started.error();
    auto child = std::move(*started);
    int whole = 0;
    for (int i = 0; i < 1000; ++i) {
      std::string const text = "message " + std::to_string(i) + "\n";
      auto sent = co_await child.async_write(text);
      if (!sent) co_return sent.error();
      std::string back;
      while (back.size() < text.size()) {
        auto piece = co_await child.async_read();
        if (!piece || piece->empty()) co_return whole;
        back += *piece;
      }
      whole += back == text;
    }
    auto const end = co_await child.async_stop();  // cat ends when its input does
    co_return end.clean() ? whole : -1;
  };
  CHECK(run_blocking(body(), "f", "async_f").value() == 1000);
}

TEST_CASE("a program that does not read is a deadline, one that is gone an error without a signal", "[unit]") {
  auto body = [](child_options options) -> task<result<void>> {
    auto const executor = co_await asio::this_coro::executor;
    auto started = child_process::start(executor, std::move(options));
    if (!started) co_return started.error();
    auto child = std::move(*started);
    std::string const much(1u << 20, 'x');
    auto const from = steady::now();
    auto sent = co_await child.async_write(much, from + 100ms);
    if (steady::now() - from > 150ms) co_return error{errc::internal, "too late"};
    co_return sent;
  };
  CHECK(run_blocking(body(shell("sleep 30")), "f", "async_f").error().is(errc::deadline_exceeded));
  CHECK(run_blocking(body(shell("exec <&-; sleep 30")), "f", "async_f").error().is(errc::io_failed));
  CHECK(run_blocking(body({.command = {"true"}}), "f", "async_f").error().is(errc::io_failed));
}

TEST_CASE("stopping asks first, and then does not ask", "[unit]") {
  auto stop = [](child_options options) -> task<result<std::string>> {
    options.grace = 100ms;
    auto const executor = co_await asio::this_coro::executor;
    auto started = child_process::start(executor, std::move(options));
    if (!started) co_return started.error();
    auto child = std::move(*started);
    auto ready = co_await child.async_read();
    if (!ready) co_return ready.error();
    auto const from = steady::now();
    auto const end = co_await child.async_stop();
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - from).count();
    auto const again = co_await child.async_stop();
    if (again != end || child.exit() != end) co_return error{errc::internal, "the end is not the end"};
    co_return to_string(end) + " after " + (ms < 90 ? "0" : ms < 190 ? "1" : ms < 290 ? "2" : "more");
  };
  auto const how = [&](std::string script) {
    return run_blocking(stop(shell(std::move(script))), "f", "async_f").value();
  };
  CHECK(how("echo; cat; exit 7") == "exited with status 7 after 0");
  CHECK(how("echo; sleep 30") == "ended by signal 15 (Terminated) after 1");
  CHECK(how("trap '' TERM; echo; while :; do sleep 1; done") == "ended by signal 9 (Killed) after 2");
}

TEST_CASE("what a program started dies with it", "[unit]") {
  auto body = [](bool ends_by_itself) -> task<result<int>> {
    auto options = shell(ends_by_itself ? "sleep 1000 & echo $!" : "sleep 1000 & echo $!; wait");
    auto const executor = co_await asio::this_coro::executor;
    auto started = child_process::start(executor, std::move(options));
    if (!started) co_return started.error();
    auto child = std::move(*started);
    auto piece = co_await child.async_read();
    if (!piece) co_return piece.error();
    int const grandchild = std::atoi(std::string(*piece).c_str());
    if (ends_by_itself) {
      auto const end = co_await child.async_wait(steady::now() + 5s);
      if (!end) co_return end.error();
    }
    co_return grandchild;
  };
  for (bool const by_itself : {true, false}) {
    auto const grandchild = run_blocking(body(by_itself), "f", "async_f");
    REQUIRE(grandchild);
    REQUIRE(*grandchild > 1);
    auto const until = steady::now() + 2s;
    while (alive(*grandchild) && steady::now() < until) {
      // It was handed to a reaper; a zombie nobody collects counts as dead.
      std::error_code ignored;
      if (!std::filesystem::exists("/proc/" + std::to_string(*grandchild) + "/exe", ignored)) break;
    }
    CHECK_FALSE(std::filesystem::exists("/proc/" + std::to_string(*grandchild) + "/exe"));
  }
}

TEST_CASE("a program that is let go of is killed and reaped", "[unit]") {
  int pid = 0;
  {
    asio::io_context loop;
    auto child = child_process::start(loop.get_executor(), shell("sleep 1000"));
    REQUIRE(child);
    pid = child->pid();
    CHECK(alive(pid));
  }
  CHECK_FALSE(alive(pid));
  CHECK(::waitpid(pid, nullptr, WNOHANG) == -1);
}

TEST_CASE("a child gets no descriptor of ours but its pipes, and the default signals", "[unit]") {
  int const ours = ::open("/dev/null", O_RDONLY);  // without close-on-exec, as other libraries open things
  std::signal(SIGTERM, SIG_IGN);
  auto const seen = run(shell("ls /proc/$$/fd | tr '\\n' ' '; grep SigIgn /proc/$$/status")).value();
  std::signal(SIGTERM, SIG_DFL);
  ::close(ours);
  CHECK(seen.starts_with("0 1 2 "));
  auto const ignored = seen.find("SigIgn:\t");
  REQUIRE(ignored != std::string::npos);
  // Above 31 are those that the C library keeps for itself.
  CHECK((std::stoull(seen.substr(ignored + 8, 16), nullptr, 16) & 0x7FFFFFFF) == 0);
}

TEST_CASE("standard error is kept to its bound, the last bytes, and is always read", "[unit]") {
  auto loud = shell(
      "i=0; while [ $i -lt 20000 ]; do echo \"line $i\" >&2; i=$((i+1)); done; printf '\\355\\225\\234' >&2; echo "
      "done");
  loud.error_bytes_max = 10;
  std::size_t heard = 0;
  loud.on_error_output = [&](std::string_view piece) { heard += piece.size(); };
  auto body = [](child_options options) -> task<result<std::string>> {
    auto const executor = co_await asio::this_coro::executor;
    auto started = child_process::start(executor, std::move(options));
    if (!started) co_return started.error();
    auto child = std::move(*started);
    auto const end = co_await child.async_wait(steady::now() + 10s);
    if (!end) co_return end.error();
    for (int i = 0; i < 100 && child.error_text().find("\xED\x95\x9C") == std::string::npos; ++i) {
      auto nothing = co_await child.async_read();  // lets the loop turn
      if (nothing && nothing->empty()) break;
    }
    co_return child.error_text() + "|" + std::to_string(child.error_bytes_dropped());
  };
  auto const seen = run_blocking(body(std::move(loud)), "f", "async_f");
  REQUIRE(seen);
  CHECK(*seen == " 19999\n\xED\x95\x9C|" + std::to_string(heard - 10));
  CHECK(heard > 200'000);
}

TEST_CASE("waiting for an end has a deadline", "[unit]") {
  auto body = []() -> task<result<child_exit>> {
    auto options = shell("sleep 1000");
    auto const executor = co_await asio::this_coro::executor;
    auto started = child_process::start(executor, std::move(options));
    if (!started) co_return started.error();
    auto child = std::move(*started);
    co_return co_await child.async_wait(steady::now() + 50ms);
  };
  CHECK(run_blocking(body(), "f", "async_f").error().is(errc::deadline_exceeded));
}

TEST_CASE("children come and go without leaving a descriptor or a zombie", "[unit]") {
  REQUIRE(run({.command = {"true"}}));
  auto const before = open_descriptors();
  for (int i = 0; i < 50; ++i) {
    REQUIRE(run({.command = {"true"}}));
    CHECK_FALSE(run({.command = {"/no/such/program"}}));
  }
  CHECK(open_descriptors() <= before);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("restarts come slower and slower, and end", "[unit]") {
  restart_schedule schedule({.restarts_max = 4, .window = 10s, .first_delay = 100ms, .delay_max = 500ms});
  auto now = steady::time_point{} + 1h;
  CHECK(schedule.ended(now) == 100ms);
  CHECK(schedule.ended(now) == 200ms);
  CHECK(schedule.ended(now) == 400ms);
  CHECK(schedule.ended(now) == 500ms);
  CHECK_FALSE(schedule.ended(now));
  CHECK(schedule.ended(now + 11s) == 100ms);
  CHECK(schedule.restarts_in_window() == 1);
  CHECK_FALSE(restart_schedule({.restarts_max = 0}).ended(now));
}
