#pragma once
// A client's end without any transport: messages go straight into a server, and what it says is kept.

#include <wherry/mcp/server.hpp>

#include "json_view.hpp"
#include "server_state.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch_test_macros.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wherry_test {

namespace mcp = wherry::mcp;
namespace view = wherry::mcp::detail;

/// Everything that came about one request.
struct heard final : mcp::detail::reply {
  std::vector<std::string> messages;  ///< Notifications and questions, then the answer.
  bool finished = false;
  int status = 0;
  std::weak_ptr<mcp::detail::call_state> call;

  void notify(std::string_view message) override { messages.emplace_back(message); }
  void finish(std::string_view message, int code) override {
    finished = true;
    status = code;
    if (!message.empty()) messages.emplace_back(message);
  }
  void serves(std::weak_ptr<mcp::detail::call_state> c) override { call = std::move(c); }

  std::string const& last() const {
    REQUIRE_FALSE(messages.empty());
    return messages.back();
  }
  /// The member of the answer's result.
  std::string result(std::string_view name) const {
    return std::string(view::member(view::member(last(), "result"), name));
  }
  int error_code() const {
    return static_cast<int>(view::integer_member(view::member(last(), "error"), "code").value_or(0));
  }
  std::string error_data(std::string_view name) const {
    return std::string(view::member(view::member(view::member(last(), "error"), "data"), name));
  }
  /// The text of the first block of a tool's result.
  std::string text() const {
    std::string found;
    auto const blocks = view::member(view::member(last(), "result"), "content");
    if (view::is_array(blocks))
      view::each_item(blocks, [&](std::string_view block) {
        return found = view::string_member(block, "text").value_or(""), false;
      });
    return found;
  }
};

class server_peer {
 public:
  explicit server_peer(mcp::server s) : server(std::move(s)) {}

  mcp::server server;
  boost::asio::io_context loop{1};
  std::shared_ptr<mcp::detail::session_state> session = std::make_shared<mcp::detail::session_state>();
  std::shared_ptr<heard> general = std::make_shared<heard>();

  /// Sends a message as it is and runs the loop until nothing is left to do at once.
  std::shared_ptr<heard> send(std::string message, mcp::detail::carriage const& by = {}) {
    session->general = general;
    auto const to = std::make_shared<heard>();
    auto const where = loop.get_executor();
    boost::asio::post(loop, [&] { server.state()->receive(std::move(message), to, session, where, by); });
    turn();
    return to;
  }
  void turn() {
    loop.restart();
    while (loop.poll_one() > 0) {
    }
  }
  /// Runs the loop until the answer is there; a test that waits for ever is ended by ctest.
  void wait(heard const& for_end) {
    loop.restart();
    while (!for_end.finished && loop.run_one() > 0) {
    }
  }

  /// A request of the stateless era; `params` are members without braces.
  std::shared_ptr<heard> ask(std::string_view method, std::string params = {}, std::string_view capabilities = "{}",
                             std::string_view more_meta = {}) {
    return send(stateless(method, std::move(params), capabilities, more_meta));
  }
  std::string stateless(std::string_view method, std::string params = {}, std::string_view capabilities = "{}",
                        std::string_view more_meta = {}) {
    if (!params.empty()) params += ',';
    params +=
        R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":)";
    params.append(capabilities).append(more_meta).append("}");
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(++ids_) + R"(,"method":")" + std::string(method) +
           R"(","params":{)" + params + "}}";
  }
  /// A request of the handshake era.
  std::shared_ptr<heard> old(std::string_view method, std::string params = {}) {
    return send(R"({"jsonrpc":"2.0","id":)" + std::to_string(++ids_) + R"(,"method":")" + std::string(method) +
                R"(","params":{)" + params + "}}");
  }
  std::shared_ptr<heard> initialize(std::string_view capabilities = "{}", std::string_view revision = "2025-11-25") {
    auto const answer =
        old("initialize", R"("protocolVersion":")" + std::string(revision) + R"(","capabilities":)" +
                              std::string(capabilities) + R"(,"clientInfo":{"name":"test","version":"1"})");
    send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
    return answer;
  }
  int last_id() const noexcept { return ids_; }

 private:
  int ids_ = 0;
};

}  // namespace wherry_test
