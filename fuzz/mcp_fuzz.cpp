// Messages from anyone: the checker agrees with the JSON parser of the ground, what is read can be split and written
// back, and a server survives whatever it is sent.
#include <wherry/core/json.hpp>
#include <wherry/mcp/json_rpc.hpp>
#include <wherry/mcp/server.hpp>

#include "exchange_reply.hpp"
#include "json_view.hpp"
#include "line_splitter.hpp"
#include "server_state.hpp"

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

namespace mcp = wherry::mcp;

struct ear final : mcp::detail::reply {
  void check(std::string_view message) {
    if (!message.empty() && mcp::detail::check_json(message, 2 * mcp::message_depth_max)) std::abort();
  }
  void notify(std::string_view message) override { check(message); }
  void finish(std::string_view message, int) override { check(message); }
};

mcp::server const& served() {
  static mcp::server const s = [] {
    mcp::server made{"fuzz", "1"};
    made.add(mcp::tool("echo", "", {"message"}, [](std::string m) { return m; }).reads().inline_run());
    made.add(mcp::resource_template("test://{id}/x", "t", "", "text/plain", {"id"}, [](std::string id) {
               return id;
             }).inline_run());
    made.add(mcp::prompt("p", "", {"a"}, [](std::string a) { return a; }).inline_run());
    return made;
  }();
  return s;
}

bool twice(wherry::result<wherry::json> const& read) {
  return !read && read.error().message.find("stands twice") != std::string::npos;
}

/// Our reader against nlohmann/json's own, which shares no line with it.
void agree(std::string const& text) {
  bool const ours = !mcp::detail::check_json(text, wherry::json_depth_max);
  auto const built = wherry::parse_json(text);
  // The parser also refuses keys that stand twice and numbers beyond a double; the checker leaves that to the reader.
  // It may find such a key before the place where the text is broken.
  bool const beyond = !built && built.error().message.find("larger than a double") != std::string::npos;
  if (ours ? !(built.has_value() || twice(built) || beyond) : built.has_value()) std::abort();
  // nlohmann ends its input at a zero byte, and passes over a byte order mark, which JSON has no place for.
  bool const comparable = text.find('\0') == std::string::npos && !text.starts_with("\xEF\xBB\xBF");
  auto const theirs = comparable ? wherry::json::parse(text, nullptr, /*allow_exceptions=*/false)
                                 : wherry::json(wherry::json::value_t::discarded);
  if (built && !theirs.is_discarded()) {
    auto const again = wherry::parse_json(wherry::to_text(*built));
    bool const same = again && *again == *built;
    bool const big = wherry::to_text(*built) != theirs.dump(-1, ' ', false, wherry::json::error_handler_t::replace);
    if (!same || (big && text.size() < 19)) std::abort();  // too short for an integer beyond 64 bits
  }
  if (!theirs.is_discarded() && !built && !twice(built) && !beyond &&
      built.error().message.find("deeper than") == std::string::npos)
    std::abort();
  if (!ours || !mcp::detail::is_string(text)) return;
  std::string again;
  mcp::detail::append_string(again, mcp::detail::unquoted(text));
  if (mcp::detail::unquoted(again) != mcp::detail::unquoted(text)) std::abort();
}

}  // namespace

int wherry_fuzz_mcp(std::uint8_t const* data, std::size_t size) {
  std::string const text(reinterpret_cast<char const*>(data), size);
  agree(text);
  if (auto const id = mcp::detail::event_id::parse(text); id && !mcp::detail::event_id::parse(id->text())) std::abort();
  boost::asio::io_context loop{1};
  auto const to = std::make_shared<ear>();
  auto const session = std::make_shared<mcp::detail::session_state>();
  mcp::detail::carriage const by;
  mcp::detail::line_splitter lines(1 << 16);
  lines.feed(
      text,
      [&](std::string_view line) {
        served().state()->receive(std::string(line), to, session, loop.get_executor(), by);
      },
      [] {});
  loop.poll();
  return 0;
}
