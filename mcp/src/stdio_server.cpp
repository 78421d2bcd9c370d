// A server on a pair of descriptors: lines in, lines out. Everything that one read brought is handled before anything
// is written, so that many small messages cost few system calls.

#include <wherry/mcp/serve.hpp>

#include "line_splitter.hpp"
#include "server_state.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>

namespace wherry::inline v0::mcp {

using namespace detail;
using boost::system::error_code;

namespace {

constexpr std::size_t read_bytes = 64 * 1024;
constexpr std::size_t taken_bytes_max = 256 * 1024;  // of what was written, kept before what was not

/// A descriptor of somebody else's, made non-blocking for as long as this lives.
class borrowed_descriptor {
 public:
  borrowed_descriptor(asio::any_io_executor const& where, int fd)
      : stream_(where), flags_(::fcntl(fd, F_GETFL)), fd_(fd) {
    error_code ec;
    // A copy, so that closing ours does not close theirs. Regular files cannot be waited for: they never block either.
    int const copy = ::dup(fd);
    if (copy < 0) return;
    ::fcntl(copy, F_SETFD, FD_CLOEXEC);
    stream_.assign(copy, ec);
    if (ec) {
      ::close(copy);
      plain_file_ = true;
      return;
    }
    stream_.non_blocking(true, ec);
  }
  borrowed_descriptor(borrowed_descriptor const&) = delete;
  borrowed_descriptor& operator=(borrowed_descriptor const&) = delete;
  ~borrowed_descriptor() {
    error_code ec;
    stream_.close(ec);
    if (flags_ >= 0) ::fcntl(fd_, F_SETFL, flags_);
  }
  asio::posix::stream_descriptor& stream() noexcept { return stream_; }
  int fd() const noexcept { return fd_; }
  bool plain_file() const noexcept { return plain_file_; }
  bool usable() const noexcept { return plain_file_ || stream_.is_open(); }

 private:
  asio::posix::stream_descriptor stream_;
  int flags_;
  int fd_;
  bool plain_file_ = false;
};

class stdio_connection final : public reply, public std::enable_shared_from_this<stdio_connection> {
 public:
  stdio_connection(asio::any_io_executor where, std::shared_ptr<server_state> s, stdio_options options)
      : executor_(where),
        server_(std::move(s)),
        options_(options),
        in_(where, options.input),
        out_(where, options.output),
        wake_(where),
        splitter_(server_->options.message_bytes_max),
        session_(std::make_shared<session_state>()) {}

  task<result<void>> run() {
    session_->general = weak_from_this();
    co_await asio::this_coro::throw_if_cancelled(false);
    if (!in_.usable() || !out_.usable())
      co_return error(errc::io_failed, "standard input or output is closed", "mcp.serve_stdio");
    auto const self = shared_from_this();
    asio::co_spawn(executor_, write_loop(self), [](std::exception_ptr) {});
    std::string buffer(read_bytes, '\0');
    while (!failure_) {
      // More is read only once the peer has taken what it was sent.
      while (pending_bytes() > options_.outbound_high && !failure_) co_await sleep();
      auto const count = co_await read_some(buffer);
      if (count == 0) break;
      take({buffer.data(), count});
    }
    ended_ = true;
    co_await drain();
    close();
    if (failure_) co_return *failure_;
    co_return result<void>{};
  }

  void begins() override { ++under_way_; }
  void notify(std::string_view message) override { put(message); }
  void finish(std::string_view message, int) override {
    if (under_way_ > 0) --under_way_;
    if (!message.empty()) put(message);
    if (ended_ && under_way_ == 0) wake_.cancel();
  }

 private:
  std::size_t pending_bytes() const noexcept { return outgoing_.size() - sent_; }

  task<void> sleep() {
    error_code ec;
    wake_.expires_at(asio::steady_timer::time_point::max());
    co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    bool const cancelled = (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
    if (cancelled) fail({errc::cancelled, "serving was cancelled", "mcp.serve_stdio"});
  }

  task<std::size_t> read_some(std::string& buffer) {
    for (;;) {
      auto const n = ::read(in_.plain_file() ? in_.fd() : in_.stream().native_handle(), buffer.data(), buffer.size());
      if (n >= 0) co_return static_cast<std::size_t>(n);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        fail({std::error_code(errno, std::generic_category()), "reading standard input failed", "mcp.serve_stdio"});
        co_return 0;
      }
      error_code ec;
      co_await in_.stream().async_wait(asio::posix::stream_descriptor::wait_read,
                                       asio::redirect_error(asio::use_awaitable, ec));
      if (ec) {
        fail({errc::cancelled, "serving was cancelled", "mcp.serve_stdio"});
        co_return 0;
      }
      if (failure_) co_return 0;
    }
  }

  void take(std::string_view bytes) {
    batching_ = true;
    static carriage const by;
    auto const self = shared_from_this();
    splitter_.feed(
        bytes, [&](std::string_view line) { server_->receive(std::string(line), self, session_, executor_, by); },
        [&] {
          put(rpc_error({}, rpc_code::invalid_request,
                        "the message is longer than " + std::to_string(server_->options.message_bytes_max) + " bytes"));
        });
    batching_ = false;
    flush();
  }

  void put(std::string_view message) {
    if (failure_) return;
    if (pending_bytes() + message.size() > options_.outbound_max)
      return fail({errc::limit_reached, "the peer does not take what it is sent", "mcp.serve_stdio"});
    auto const at = outgoing_.size();
    outgoing_.append(message);
    // A line end within JSON is white space between its tokens: a schema that somebody laid out nicely, say.
    if (message.find('\n') != std::string_view::npos)
      std::replace(outgoing_.begin() + static_cast<std::ptrdiff_t>(at), outgoing_.end(), '\n', ' ');
    outgoing_ += '\n';
    if (!batching_) flush();
  }

  /// Writes what the peer takes at once; the rest is the write loop's.
  void flush() {
    if (writing_) return;
    write_now();
    if (pending_bytes() > 0 && !failure_) {
      writing_ = true;
      more_to_write_ = true;
      if (writer_wake_) writer_wake_->cancel();
    }
  }

  void write_now() {
    while (pending_bytes() > 0) {
      auto const n = ::write(out_.plain_file() ? out_.fd() : out_.stream().native_handle(), outgoing_.data() + sent_,
                             pending_bytes());
      if (n > 0) {
        sent_ += static_cast<std::size_t>(n);
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      return fail(
          {std::error_code(errno, std::generic_category()), "writing standard output failed", "mcp.serve_stdio"});
    }
    if (pending_bytes() == 0) {
      outgoing_.clear();
      if (outgoing_.capacity() > 1024 * 1024) outgoing_.shrink_to_fit();
      sent_ = 0;
    } else if (sent_ >= taken_bytes_max && sent_ >= pending_bytes()) {
      outgoing_.erase(0, sent_);  // a peer that is always a little behind never empties it
      sent_ = 0;
    }
  }

  /// Waits until the peer takes more. Runs only while something is left that it did not take at once.
  task<void> write_loop(std::shared_ptr<stdio_connection> /*kept alive*/) {
    writer_wake_.emplace(executor_);
    error_code ec;
    for (;;) {
      while (!more_to_write_ && !closed_) {
        writer_wake_->expires_at(asio::steady_timer::time_point::max());
        co_await writer_wake_->async_wait(asio::redirect_error(asio::use_awaitable, ec));
      }
      if (closed_) co_return;
      more_to_write_ = false;
      while (pending_bytes() > 0 && !failure_ && !closed_) {
        auto const before = pending_bytes();
        // The deadline closes the wait; whoever takes a byte in time gets another.
        asio::steady_timer late(executor_, options_.write_time);
        late.async_wait([weak = weak_from_this()](error_code cancelled) {
          auto const c = cancelled ? nullptr : weak.lock();
          if (!c) return;
          c->fail({errc::deadline_exceeded, "the peer stopped reading", "mcp.serve_stdio"});
        });
        co_await out_.stream().async_wait(asio::posix::stream_descriptor::wait_write,
                                          asio::redirect_error(asio::use_awaitable, ec));
        late.cancel();
        if (failure_ || closed_) break;
        write_now();
        if (pending_bytes() < before) wake_.cancel();
      }
      writing_ = false;
      wake_.cancel();
    }
  }

  /// After the end of input: answers to what is under way, as far as they come in time.
  task<void> drain() {
    stop_listeners();
    auto const until = std::chrono::steady_clock::now() + options_.drain_time;
    error_code ec;
    while (!failure_ && (under_way_ > 0 || pending_bytes() > 0) && std::chrono::steady_clock::now() < until) {
      wake_.expires_at(until);
      co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
      bool const cancelled =
          (co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none;
      if (cancelled) break;
    }
  }

  /// Streams that only wait for changes, and calls that wait for this client, have nothing more to wait for.
  void stop_listeners() {
    std::vector<std::shared_ptr<call_state>> idle;
    {
      std::lock_guard const lock(server_->mutex);
      for (auto const& l : server_->listeners)
        if (l.call->session == session_) idle.push_back(l.call);
      for (auto const& [_, waiting] : server_->waiting)
        if (auto call = waiting.lock(); call && call->session == session_) idle.push_back(std::move(call));
    }
    for (auto const& [_, question] : session_->questions)
      if (auto call = question.call.lock()) idle.push_back(std::move(call));
    for (auto const& call : idle) call->abandon();
  }

  void fail(error e) {
    if (!failure_) failure_ = std::move(e);
    error_code ec;
    in_.stream().cancel(ec);
    out_.stream().cancel(ec);
    wake_.cancel();
  }

  void close() {
    closed_ = true;
    std::vector<std::shared_ptr<call_state>> open;
    for (auto const& [_, weak] : session_->calls)
      if (auto call = weak.lock()) open.push_back(std::move(call));
    for (auto const& call : open) call->abandon();
    if (writer_wake_) writer_wake_->cancel();
    error_code ec;
    out_.stream().cancel(ec);
  }

  asio::any_io_executor executor_;
  std::shared_ptr<server_state> server_;
  stdio_options options_;
  borrowed_descriptor in_, out_;
  asio::steady_timer wake_;
  std::optional<asio::steady_timer> writer_wake_;
  line_splitter splitter_;
  std::shared_ptr<session_state> session_;
  std::string outgoing_;
  std::size_t sent_ = 0;
  std::size_t under_way_ = 0;
  bool batching_ = false, writing_ = false, more_to_write_ = false, ended_ = false, closed_ = false;
  std::optional<error> failure_;
};

}  // namespace

task<result<void>> async_serve_stdio(server s, stdio_options options) {
  auto const executor = co_await asio::this_coro::executor;
  auto const connection = std::make_shared<stdio_connection>(executor, s.state(), options);
  auto done = co_await connection->run();
  co_return done;
}

int serve_stdio(server const& s, stdio_options options) {
  std::signal(SIGPIPE, SIG_IGN);  // a peer that went away is an error of write()
  asio::io_context loop(1);
  std::optional<result<void>> outcome;
  auto work = [](server served, stdio_options how, std::optional<result<void>>* into) -> task<void> {
    auto done = co_await async_serve_stdio(std::move(served), how);
    into->emplace(std::move(done));
  };
  asio::co_spawn(loop, work(s, options, &outcome), [&](std::exception_ptr) { loop.stop(); });
  loop.run();
  if (outcome && *outcome) return 0;
  if (outcome) std::cerr << outcome->error() << '\n';
  return 1;
}

}  // namespace wherry::inline v0::mcp
