// How a user agrees: by a redirect that is read but not followed, or by a browser that comes back to a listener here.

#include <wherry/mcp/authorizer.hpp>

#include <wherry/http/server.hpp>
#include <wherry/http/url.hpp>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wherry::inline v0::mcp {

namespace asio = boost::asio;

namespace {

task<result<std::string>> read_redirect(http_client client, std::string target) {
  http_request request;
  request.url = target;
  request.redirects_max = 0;
  auto answer = co_await client.async_send(std::move(request));
  if (!answer) co_return answer.error();
  auto const location = answer->fields.find("Location");
  if (answer->status < 300 || answer->status > 399 || !location)
    co_return error{errc::denied,
                    "the authorization endpoint did not redirect but answered " + std::to_string(answer->status),
                    "mcp.authorisation"};
  co_return std::string(*location);
}

constexpr char const* goodbye =
    "<!doctype html><meta charset=utf-8><title>Done</title><p>You may close this page and go back to the program.</p>";

task<result<std::string>> wait_for_browser(std::string redirect_uri, std::function<void(std::string const&)> show,
                                           std::string target) {
  auto const place = url::parse(redirect_uri);
  if (!place || place->secure() || !is_loopback_host(place->host))
    co_return error{errc::invalid_argument,
                    "loopback_consent needs a redirect URI of the form http://127.0.0.1:PORT/PATH", "mcp.authorisation",
                    redirect_uri};
  auto const executor = co_await asio::this_coro::executor;
  asio::steady_timer came(executor, std::chrono::steady_clock::time_point::max());
  std::string query;
  bool here = false;
  auto handler = [&](http_exchange& e) -> task<void> {
    // A browser also asks for favicons: only the place itself with an answer in it counts, and only the first time.
    bool const answer =
        e.path() == place->path && e.method() == "GET" &&
        (e.query().find("code=") != std::string_view::npos || e.query().find("error=") != std::string_view::npos);
    if (!answer) {
      e.reply(404);
      co_return;
    }
    if (!here) query = std::string(e.query());
    here = true;
    e.reply(200, "text/html; charset=utf-8", goodbye);
    came.cancel();
  };
  http_server_options options;
  options.address = place->host == "::1" ? "::1" : "127.0.0.1";
  options.port = place->port;
  options.connections_max = 16;
  options.check_origin = false;  // the browser comes from the authorization server's page
  auto server = http_server::start(executor, std::move(options), handler);
  if (!server) co_return server.error();
  show(target);
  boost::system::error_code ec;
  if (!here) co_await came.async_wait(asio::redirect_error(asio::use_awaitable, ec));
  if (!here) co_return error{errc::cancelled, "cancelled while waiting for the browser", "mcp.authorisation"};
  co_await server->async_stop(std::chrono::milliseconds(500));
  co_return redirect_uri + "?" + query;
}

}  // namespace

consent_prompt follow_consent(http_client client) {
  return [client](std::string target) { return read_redirect(client, std::move(target)); };
}

consent_prompt loopback_consent(std::string redirect_uri, std::function<void(std::string const& url)> show) {
  return [redirect_uri, show](std::string target) { return wait_for_browser(redirect_uri, show, std::move(target)); };
}

}  // namespace wherry::inline v0::mcp
