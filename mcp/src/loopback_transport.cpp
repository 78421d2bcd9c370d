// A server in the same process.

#include <wherry/mcp/transport.hpp>

#include "server_state.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace wherry::inline v0::mcp {

using namespace detail;

namespace {

class loopback_end final : public reply {
 public:
  loopback_end(asio::any_io_executor where, transport_events events)
      : where_(std::move(where)), events_(std::move(events)) {}
  void notify(std::string_view message) override { put(message); }
  void finish(std::string_view message, int) override {
    if (!message.empty()) put(message);
  }
  void close() { events_ = {}; }

 private:
  void put(std::string_view message) {
    asio::post(where_, [events = events_.message, text = std::string(message)] {
      if (events) events(text);
    });
  }
  asio::any_io_executor where_;
  transport_events events_;
};

class loopback_transport final : public transport {
 public:
  explicit loopback_transport(std::shared_ptr<server_state> to) : to_(std::move(to)) {}
  ~loopback_transport() override { end(); }

  task<result<void>> async_open(transport_events events) override {
    where_ = co_await asio::this_coro::executor;
    end_ = std::make_shared<loopback_end>(where_, std::move(events));
    session_ = std::make_shared<session_state>();
    session_->general = end_;
    co_return result<void>{};
  }
  void send(outgoing message) override {
    static carriage const by;
    asio::post(where_, [to = to_, text = std::move(message.text), end = end_, session = session_,
                        where = where_]() mutable { to->receive(std::move(text), end, session, where, by); });
  }
  bool forget(std::string const&) override { return false; }
  task<void> async_close() override {
    end();
    co_return;
  }

 private:
  void end() {
    if (!end_) return;
    end_->close();
    std::vector<std::shared_ptr<call_state>> open;
    for (auto const& [_, weak] : session_->calls)
      if (auto call = weak.lock()) open.push_back(std::move(call));
    for (auto const& call : open) call->abandon();
  }
  std::shared_ptr<server_state> to_;
  asio::any_io_executor where_;
  std::shared_ptr<loopback_end> end_;
  std::shared_ptr<session_state> session_;
};

}  // namespace

std::unique_ptr<transport> make_loopback_transport(server const& to) {
  return std::make_unique<loopback_transport>(to.state());
}

}  // namespace wherry::inline v0::mcp
