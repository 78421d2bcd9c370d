// wherry::http alone: a server and a client that asks it, on one loop.

#include <wherry/core/runtime.hpp>
#include <wherry/http/client.hpp>
#include <wherry/http/server.hpp>

#include <iostream>

namespace w = wherry;

w::task<void> hello(w::http_exchange& e) {
  auto const body = co_await e.async_body();
  if (body) e.reply(200, "text/plain", "hello " + std::string(*body));
}

int main() {
  w::runtime loop;
  auto server = w::http_server::start(loop.executor(), {}, hello);
  if (!server) {
    std::cerr << server.error() << '\n';
    return 1;
  }
  std::string seen;
  auto ask = [&]() -> w::task<void> {
    w::http_request request;
    request.method = "POST";
    request.url = server->origin();
    request.body = "stranger";
    w::http_client const client;
    auto answer = co_await client.async_send(std::move(request));
    seen = answer ? answer->body : to_string(answer.error());
    co_await server->async_stop();
  };
  loop.spawn(ask());
  loop.run();
  std::cout << seen << '\n';
  return seen == "hello stranger" ? 0 : 1;
}
