#pragma once
// Host names to addresses that the rule allows.

#include <wherry/core/task.hpp>
#include <wherry/http/client.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <vector>

namespace wherry::inline v0::detail {

/// Addresses and localhost are known without asking; other names are looked up on the shared compute pool, since the
/// system's resolver blocks.
/// Fails with: errc::io_failed when there is no such name; errc::denied when every address is forbidden.
task<result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(std::string host, std::uint16_t port,
                                                                  address_rule rule);

}  // namespace wherry::inline v0::detail
