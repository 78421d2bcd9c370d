#include "resolve.hpp"

#include <wherry/core/runtime.hpp>

#include <cstring>
#include <memory>

#include <netdb.h>
#include <sys/socket.h>

namespace wherry::inline v0::detail {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t addresses_max = 16;  // tried for one name

result<std::vector<tcp::endpoint>> look_up(std::string const& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  int const failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> const owner(found, ::freeaddrinfo);
  if (failed != 0) {
    error e{errc::io_failed, std::string("the host name cannot be resolved: ") + ::gai_strerror(failed), "http_client",
            host};
    e.retryable = failed == EAI_AGAIN;
    return e;
  }
  std::vector<tcp::endpoint> out;
  for (auto const* a = found; a && out.size() < addresses_max; a = a->ai_next) {
    if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
    tcp::endpoint end;
    end.resize(a->ai_addrlen);
    std::memcpy(end.data(), a->ai_addr, a->ai_addrlen);
    end.port(port);
    out.push_back(end);
  }
  return out;
}

bool allowed(asio::ip::address const& a, address_rule rule) {
  if (rule == address_rule::any) return true;
  auto const kind = kind_of_address(a.to_string());
  return kind == address_kind::global || (kind == address_kind::loopback && rule == address_rule::global_or_loopback);
}

}  // namespace

task<result<std::vector<tcp::endpoint>>> resolve(std::string host, std::uint16_t port, address_rule rule) {
  std::vector<tcp::endpoint> found;
  boost::system::error_code not_an_address;
  auto const literal = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) {
    found.emplace_back(literal, port);
  } else if (is_loopback_host(host)) {
    found.emplace_back(asio::ip::address_v4::loopback(), port);
    found.emplace_back(asio::ip::address_v6::loopback(), port);
  } else {
    auto work = [host, port] { return look_up(host, port); };
    auto looked_up = co_await offload(compute_pool::shared(), std::move(work), "resolve " + host);
    if (!looked_up) co_return looked_up.error();
    found = std::move(*looked_up);
  }
  std::erase_if(found, [rule](tcp::endpoint const& e) { return !allowed(e.address(), rule); });
  if (found.empty())
    co_return error{
        errc::denied,
        "the host leads to a loopback, private or link-local address, where a request whose target a peer chose "
        "must not go (address_rule)",
        "http_client", host};
  co_return found;
}

}  // namespace wherry::inline v0::detail
