#pragma once
// The server of memory and tools that one process of a store runs for all of them.

#include <wherry/mcp/request_secrets.hpp>
#include <wherry/mcp/server.hpp>
#include <wherry/memory/scope.hpp>

#include <functional>
#include <string>
#include <vector>

namespace wherry::cli {

/// A server without anything to offer yet.
mcp::server make_server(mcp::request_secrets secrets = {});
/// Adds demo tools by name; other words are passed over.
void add_tools(mcp::server& s, std::vector<std::string> const& names);

/// What a relay says of itself beside its scope: the words of its profile.
std::string profile_of(std::vector<std::string> const& words);

/// Makes the server of one client of a shared store: memory, and what its profile names.
/// See mcp::shared_store_options::make; for `brought`, add_chat_tools.
std::function<mcp::server(scope_handle, std::string const& profile)> shared_server(mcp::request_secrets secrets,
                                                                                   std::function<void()> brought = {});

}  // namespace wherry::cli
