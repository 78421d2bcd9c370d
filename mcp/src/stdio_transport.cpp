// A server as a child process.

#include <wherry/mcp/transport.hpp>

#include "line_splitter.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <deque>
#include <optional>

namespace wherry::inline v0::mcp {

namespace asio = boost::asio;
using namespace detail;

namespace {

constexpr std::size_t queued_bytes_max = std::size_t{64} << 20;

/// What the loops share; it lives until the last of them has ended.
struct child_link : std::enable_shared_from_this<child_link> {
  explicit child_link(stdio_server s, asio::any_io_executor e) : to(std::move(s)), bell(e) {}

  stdio_server to;
  transport_events events;
  std::optional<child_process> child;
  std::deque<std::string> queue;
  std::size_t queued_bytes = 0;
  asio::steady_timer bell;
  bool over = false;
  bool given_up = false;  ///< By us: it is over, though the child may live.

  void end(error why) {
    if (std::exchange(over, true)) return;
    given_up = why.is(errc::limit_reached) || why.is(errc::deadline_exceeded);
    bell.cancel();
    auto const tail = child->error_text();
    if (!tail.empty()) {
      constexpr std::size_t shown = 600;
      auto const from = tail.size() > shown ? tail.size() - shown : 0;
      why.message += "; it last wrote to standard error: " + tail.substr(from);
    }
    if (events.closed) events.closed(std::move(why));
  }

  task<void> read_loop(std::shared_ptr<child_link> /*kept alive*/) {
    line_splitter lines(to.message_bytes_max);
    for (;;) {
      auto const bytes = co_await child->async_read();
      if (!bytes || bytes->empty()) break;
      lines.feed(
          *bytes,
          [&](std::string_view line) {
            if (events.message) events.message(std::string(line));
          },
          [&] {
            end({errc::limit_reached,
                 "the server sent a message beyond " + std::to_string(to.message_bytes_max) + " bytes", "mcp.stdio"});
          });
      if (over) break;
    }
    if (over) co_return;
    // Its end is known a moment after its output has ended.
    auto const ended = co_await child->async_wait(std::chrono::steady_clock::now() + std::chrono::milliseconds(200));
    std::string const what = ended ? "the server ended (" + to_string(*ended) + ")" : "the server closed its output";
    end({errc::io_failed, what, "mcp.stdio", to.command.front()});
  }

  task<void> write_loop(std::shared_ptr<child_link> /*kept alive*/) {
    while (!over) {
      if (queue.empty()) {
        boost::system::error_code ec;
        bell.expires_at(asio::steady_timer::time_point::max());
        co_await bell.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        continue;
      }
      // Everything that waits goes down together.
      std::string batch;
      while (!queue.empty() && batch.size() < 256 * 1024) {
        batch += queue.front();
        batch += '\n';
        queued_bytes -= queue.front().size();
        queue.pop_front();
      }
      auto const written = co_await child->async_write(batch, std::chrono::steady_clock::now() + to.write_time);
      if (written) continue;
      auto why = written.error();
      why.message = "the server does not take what it is sent: " + why.message;
      end(std::move(why));
    }
  }

  /// Nobody listens any more.
  task<void> stop(std::shared_ptr<child_link> /*kept alive*/) {
    events = {};
    over = true;
    bell.cancel();
    co_await child->async_stop();
  }
};

class stdio_transport final : public transport {
 public:
  explicit stdio_transport(stdio_server to) : to_(std::move(to)), schedule_(to_.restart) {}
  ~stdio_transport() override {
    if (!link_) return;
    link_->events = {};
    link_->over = true;
    link_->bell.cancel();
  }

  task<result<void>> async_open(transport_events events) override {
    auto const executor = co_await asio::this_coro::executor;
    if (link_) co_await link_->stop(link_);
    if (closed_) co_return error(errc::cancelled, "the connection was closed", "mcp.stdio", to_.command.front());
    child_options options;
    options.command = to_.command;
    options.directory = to_.directory;
    options.environment = to_.environment;
    options.on_error_output = to_.on_error_output;
    auto started = child_process::start(executor, std::move(options));
    if (!started) co_return std::move(started).error();
    link_ = std::make_shared<child_link>(to_, executor);
    link_->events = std::move(events);
    link_->child.emplace(std::move(*started));
    asio::co_spawn(executor, link_->read_loop(link_), [](std::exception_ptr) {});
    asio::co_spawn(executor, link_->write_loop(link_), [](std::exception_ptr) {});
    co_return result<void>{};
  }

  void send(outgoing message) override {
    if (!link_ || link_->over) return;
    link_->queued_bytes += message.text.size();
    if (link_->queued_bytes > queued_bytes_max)
      return link_->end(
          {errc::limit_reached, "the server does not take what it is sent", "mcp.stdio", to_.command.front()});
    link_->queue.push_back(std::move(message.text));
    link_->bell.cancel();
  }

  bool forget(std::string const&) override { return false; }

  std::optional<std::chrono::milliseconds> reopens(error& why) override {
    if (!link_ || link_->given_up) return std::nullopt;
    auto const pause = schedule_.ended(std::chrono::steady_clock::now());
    if (!pause && to_.restart.restarts_max > 0)
      why.message += "; it was started again " + std::to_string(schedule_.restarts_in_window()) + " times within " +
                     std::to_string(to_.restart.window.count()) + " ms and is given up";
    return pause;
  }

  task<void> async_close() override {
    closed_ = true;
    if (link_) co_await link_->stop(link_);
  }

 private:
  stdio_server to_;
  restart_schedule schedule_;
  bool closed_ = false;
  std::shared_ptr<child_link> link_;
};

}  // namespace

std::unique_ptr<transport> make_stdio_transport(stdio_server to) {
  return std::make_unique<stdio_transport>(std::move(to));
}

}  // namespace wherry::inline v0::mcp
