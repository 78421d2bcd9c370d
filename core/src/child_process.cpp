#include <wherry/core/child_process.hpp>
#include <wherry/core/detail/owned_fd.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/core/text.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {  // glibc 2.36 forgets to say so itself
#include <sys/pidfd.h>
}

extern char** environ;

namespace wherry::inline v0 {

namespace asio = boost::asio;
using boost::system::error_code;
using detail::owned_fd;
using descriptor = asio::posix::stream_descriptor;

namespace {

constexpr std::size_t read_bytes = 64u << 10;
constexpr int reap_ms_max = 100;  // for a killed child to leave when no loop waits for it any more

error broken(int code, std::string what, std::string path) {
  return {std::error_code(code, std::system_category()), std::move(what) + ": " + std::strerror(code), "child_process",
          std::move(path)};
}

struct pipe_ends {
  owned_fd read, write;
};

// Both ends close on exec, and lie above the standard three, so that none is overwritten while the child sets up its
// own.
bool open_pipe(pipe_ends& out) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  out.read = owned_fd(ends[0]);
  out.write = owned_fd(ends[1]);
  for (auto* const end : {&out.read, &out.write}) {
    if (end->get() > STDERR_FILENO) continue;
    int const higher = ::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (higher < 0) return false;
    *end = owned_fd(higher);
  }
  return true;
}

struct spawn_setup {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  spawn_setup() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  spawn_setup(spawn_setup const&) = delete;
  ~spawn_setup() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

std::vector<std::string> environment_of(child_options const& o) {
  std::vector<std::string> out;
  auto const overridden = [&](std::string_view entry) {
    auto const name = entry.substr(0, entry.find('='));
    return std::any_of(o.environment.begin(), o.environment.end(), [&](auto const& e) { return e.first == name; });
  };
  if (o.inherit_environment)
    for (char** e = environ; e && *e; ++e)
      if (!overridden(*e)) out.emplace_back(*e);
  for (auto const& [name, value] : o.environment) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& t : texts) out.push_back(t.data());
  out.push_back(nullptr);
  return out;
}

result<void> check(child_options const& o) {
  auto const refuse = [](std::string why) {
    return error{errc::invalid_argument, std::move(why), "child_process.start"};
  };
  if (o.command.empty() || o.command.front().empty()) return refuse("child_options::command names no program");
  auto const has_nul = [](std::string const& t) { return t.find('\0') != std::string::npos; };
  if (std::any_of(o.command.begin(), o.command.end(), has_nul) || has_nul(o.directory))
    return refuse("a NUL cannot be passed to a program");
  for (auto const& [name, value] : o.environment)
    if (name.empty() || name.find('=') != std::string::npos || has_nul(name) || has_nul(value))
      return refuse("an environment variable has an empty name, or one with '=' or a NUL");
  return {};
}

}  // namespace

struct child_process::impl : std::enable_shared_from_this<child_process::impl> {
  impl(asio::any_io_executor e, child_options o)
      : options(std::move(o)), input(e), output(e), errors(e), watch(e), ended(e), buffer(read_bytes) {
    ended.expires_at(std::chrono::steady_clock::time_point::max());
  }
  ~impl() {
    if (how || pid <= 0) return;
    ::kill(-pid, SIGKILL);
    pollfd p{.fd = watch.native_handle(), .events = POLLIN, .revents = 0};
    ::poll(&p, 1, reap_ms_max);
    reap();
  }

  result<void> spawn();
  void watch_end();
  void read_errors();
  void keep_errors(std::string_view piece);
  void reap();

  child_options const options;
  descriptor input, output, errors, watch;
  asio::steady_timer ended;  // cancelled when the child has ended
  pid_t pid = -1;
  std::optional<child_exit> how;
  std::vector<char> buffer;
  std::array<char, 4096> error_buffer{};
  std::string error_tail;
  std::size_t error_dropped = 0;
};

result<void> child_process::impl::spawn() {
  pipe_ends in, out, err;
  auto const& program = options.command.front();
  if (!open_pipe(in) || !open_pipe(out) || !open_pipe(err)) return broken(errno, "no pipe could be opened", program);

  spawn_setup setup;
  posix_spawn_file_actions_adddup2(&setup.actions, in.read.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&setup.actions, out.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&setup.actions, err.write.get(), STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&setup.actions, STDERR_FILENO + 1);
  if (!options.directory.empty()) posix_spawn_file_actions_addchdir_np(&setup.actions, options.directory.c_str());
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &all);
  posix_spawnattr_setpgroup(&setup.attributes, 0);
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  auto arguments = options.command;
  auto variables = environment_of(options);
  auto const argv = pointers(arguments), envp = pointers(variables);
  int const failed = ::posix_spawnp(&pid, program.c_str(), &setup.actions, &setup.attributes, argv.data(), envp.data());
  if (failed != 0) {
    pid = -1;
    return broken(failed, "the program could not be started", program);
  }
  owned_fd end(::pidfd_open(pid, 0));
  if (!end) {
    int const why = errno;
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    pid = -1;
    return broken(why, "the program cannot be watched", program);
  }
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  error_code ec;
  auto const hand_over = [&ec](owned_fd& fd, descriptor& to) {
    if (!ec) to.assign(fd.get(), ec);
    if (!ec) fd.release();
  };
  hand_over(end, watch);
  hand_over(in.write, input);
  hand_over(out.read, output);
  hand_over(err.read, errors);
  if (ec)
    return error{std::error_code(ec), "the program's pipes cannot be waited for: " + ec.message(), "child_process",
                 program};
  return {};
}

// ---------------------------------------------------------------- its end

void child_process::impl::watch_end() {
  watch.async_wait(descriptor::wait_read, [self = shared_from_this()](error_code ec) {
    if (!ec) self->reap();
  });
}

void child_process::impl::reap() {
  if (how) return;
  siginfo_t info{};
  int const seen = ::waitid(P_PIDFD, static_cast<id_t>(watch.native_handle()), &info, WEXITED | WNOHANG | WNOWAIT);
  if (seen == 0 && info.si_pid == 0) return;  // not yet
  // Until it is reaped its number cannot belong to another group.
  if (seen == 0) ::kill(-pid, SIGKILL);
  if (seen == 0) ::waitid(P_PIDFD, static_cast<id_t>(watch.native_handle()), &info, WEXITED | WNOHANG);
  how.emplace();  // somebody else may have reaped it: then nobody can know
  if (seen == 0 && info.si_code == CLD_EXITED) how->code = info.si_status;
  if (seen == 0 && info.si_code != CLD_EXITED) how->signal = info.si_status;
  ended.cancel();
}

void child_process::impl::keep_errors(std::string_view piece) {
  if (options.on_error_output) options.on_error_output(piece);
  error_tail += piece;
  if (error_tail.size() <= 2 * options.error_bytes_max) return;
  auto const drop = error_tail.size() - options.error_bytes_max;
  error_tail.erase(0, drop);
  error_dropped += drop;
}

// A child whose standard error nobody reads would stop when the pipe is full.
void child_process::impl::read_errors() {
  errors.async_read_some(asio::buffer(error_buffer), [weak = weak_from_this()](error_code ec, std::size_t size) {
    auto const self = weak.lock();
    if (!self || ec) return;
    self->keep_errors({self->error_buffer.data(), size});
    self->read_errors();
  });
}

// ---------------------------------------------------------------- the handle

result<child_process> child_process::start(asio::any_io_executor executor, child_options options) {
  auto checked = check(options);
  if (!checked) return checked.error();
  auto state = std::make_shared<impl>(std::move(executor), std::move(options));
  auto spawned = state->spawn();
  if (!spawned) return spawned.error();
  state->watch_end();
  state->read_errors();
  return child_process(std::move(state));
}

child_process::child_process(std::shared_ptr<impl> i) noexcept : impl_(std::move(i)) {}
child_process::child_process(child_process&&) noexcept = default;

child_process& child_process::operator=(child_process&& other) noexcept {
  if (this != &other) {
    child_process const old(std::move(*this));
    impl_ = std::move(other.impl_);
  }
  return *this;
}

child_process::~child_process() {
  if (!impl_) return;
  signal(SIGKILL);
  error_code ec;
  impl_->input.close(ec);
  impl_->output.close(ec);
  impl_->errors.close(ec);
}

task<result<std::string_view>> child_process::async_read() {
  auto const state = impl_;
  error_code ec;
  std::size_t const got = co_await state->output.async_read_some(asio::buffer(state->buffer),
                                                                 asio::redirect_error(asio::use_awaitable, ec));
  if (ec == asio::error::eof) co_return std::string_view{};
  if (ec == asio::error::operation_aborted)
    co_return error{errc::cancelled, "cancelled while reading from the program", "child_process.read",
                    state->options.command.front()};
  if (ec)
    co_return error{errc::io_failed, "reading from the program failed: " + ec.message(), "child_process.read",
                    state->options.command.front()};
  co_return std::string_view(state->buffer.data(), got);
}

namespace {

// write() without SIGPIPE: it is held back on this thread, and taken away if it came.
ssize_t quiet_write(int fd, std::string_view text) {
  sigset_t pipe, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  auto const n = ::write(fd, text.data(), text.size());
  int const why = errno;
  if (n < 0 && why == EPIPE && !sigismember(&before, SIGPIPE)) {
    timespec const now{};
    while (sigtimedwait(&pipe, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = why;
  return n;
}

task<result<void>> write_all(std::shared_ptr<child_process::impl> state, std::string_view text) {
  auto const& program = state->options.command.front();
  while (!text.empty()) {
    if (!state->input.is_open())
      co_return error{errc::io_failed, "the program's input has been closed", "child_process.write", program};
    auto const n = quiet_write(state->input.native_handle(), text);
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN)
      co_return error{errc::io_failed,
                      errno == EPIPE ? "the program has closed its input or is gone"
                                     : std::string("writing to the program failed: ") + std::strerror(errno),
                      "child_process.write", program};
    error_code ec;
    co_await state->input.async_wait(descriptor::wait_write, asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return error{errc::cancelled, "cancelled while writing to the program", "child_process.write", program};
  }
  co_return result<void>{};
}

}  // namespace

task<result<void>> child_process::async_write(std::string_view text, deadline until) {
  auto const what = "writing to " + impl_->options.command.front();
  co_return co_await with_deadline(write_all(impl_, text), until, what);
}

void child_process::close_input() {
  error_code ec;
  impl_->input.close(ec);
}

namespace {

task<result<child_exit>> wait_for(std::shared_ptr<child_process::impl> state) {
  error_code ec;
  while (!state->how) {
    co_await state->ended.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (!state->how && (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none)
      co_return error{errc::cancelled, "cancelled while waiting for the program's end", "child_process.wait",
                      state->options.command.front()};
  }
  co_return *state->how;
}

}  // namespace

task<result<child_exit>> child_process::async_wait(deadline until) {
  auto const what = "the end of " + impl_->options.command.front();
  co_return co_await with_deadline(wait_for(impl_), until, what);
}

task<child_exit> child_process::async_stop() {
  auto const state = impl_;
  close_input();
  for (int const number : {SIGTERM, SIGKILL}) {
    auto const until = std::chrono::steady_clock::now() + state->options.grace;
    auto const end = co_await with_deadline(wait_for(state), until, "stopping a program");
    if (end) co_return *end;
    if (!state->how) ::kill(-state->pid, number);
  }
  // Nothing withstands SIGKILL but a process in the kernel's own wait.
  auto const until = std::chrono::steady_clock::now() + state->options.grace;
  auto const end = co_await with_deadline(wait_for(state), until, "stopping a program");
  co_return end ? *end : child_exit{};
}

std::optional<child_exit> child_process::exit() const { return impl_->how; }
int child_process::pid() const noexcept { return impl_->pid; }

void child_process::signal(int number) {
  if (!impl_->how) ::kill(-impl_->pid, number);
}

std::string child_process::error_text() const {
  std::string_view tail = impl_->error_tail;
  if (tail.size() > impl_->options.error_bytes_max) tail.remove_prefix(tail.size() - impl_->options.error_bytes_max);
  if (tail.size() < impl_->error_tail.size() || impl_->error_dropped > 0)
    while (!tail.empty() && (static_cast<unsigned char>(tail.front()) & 0xC0) == 0x80) tail.remove_prefix(1);
  return utf8_repaired(tail);
}

std::size_t child_process::error_bytes_dropped() const {
  auto const kept = std::min(impl_->error_tail.size(), impl_->options.error_bytes_max);
  return impl_->error_dropped + impl_->error_tail.size() - kept;
}

std::string to_string(child_exit const& e) {
  if (e.signal != 0) return "ended by signal " + std::to_string(e.signal) + " (" + ::strsignal(e.signal) + ")";
  if (e.code < 0) return "ended";
  return "exited with status " + std::to_string(e.code);
}

std::optional<std::chrono::milliseconds> restart_schedule::ended(time_point now) {
  while (!recent_.empty() && now - recent_.front() > policy_.window) recent_.pop_front();
  if (static_cast<int>(recent_.size()) >= policy_.restarts_max) return std::nullopt;
  auto delay = policy_.first_delay;
  for (std::size_t i = 0; i < recent_.size() && delay < policy_.delay_max; ++i) delay *= 2;
  recent_.push_back(now);
  return std::min(delay, policy_.delay_max);
}

}  // namespace wherry::inline v0
