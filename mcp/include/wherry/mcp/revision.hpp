#pragma once
// The revisions of the Model Context Protocol, as data. What differs between two of them is a column here, not a branch
// in the middle of a function.
//
// There are two eras. In the handshake era a connection begins with `initialize`, what was agreed then holds for all of
// it, and a server may send requests of its own. In the stateless era every request says all about itself, and what a
// server wants to ask comes back as an unfinished result that the client completes.

#include <span>
#include <string_view>

namespace wherry::inline v0::mcp {

struct revision {
  std::string_view name;        ///< As it stands on the wire: "2026-07-28".
  bool stateless = false;       ///< Which era.
  bool structured = false;      ///< Results may carry structuredContent, tools an outputSchema, things a title.
  bool any_structured = false;  ///< ... and it may be any JSON value; before, an object.
  bool icons = false;
  bool url_elicitation = false;
  bool sampling_tools = false;
  bool polling = false;  ///< Over HTTP a server may end a call's connection: the client comes back for the answer.
  int resource_not_found = -32002;  ///< The code of an unknown resource.
};

/// Every revision this library speaks, newest first.
std::span<revision const> revisions() noexcept;
/// The row of that name; null when it is not spoken.
revision const* find_revision(std::string_view name) noexcept;
/// The newest revision of an era.
revision const& newest_stateless() noexcept;
revision const& newest_handshake() noexcept;

/// Error codes of JSON-RPC and of the protocol.
namespace rpc_code {
inline constexpr int parse_error = -32700;
inline constexpr int invalid_request = -32600;
inline constexpr int method_not_found = -32601;
inline constexpr int invalid_params = -32602;
inline constexpr int internal_error = -32603;
inline constexpr int header_mismatch = -32020;               ///< HTTP headers and body say different things.
inline constexpr int missing_client_capability = -32021;     ///< data.requiredCapabilities names what the client lacks.
inline constexpr int unsupported_protocol_version = -32022;  ///< data.supported lists what is spoken.
}  // namespace rpc_code

/// Names of members of `_meta`.
namespace meta_key {
inline constexpr std::string_view protocol_version = "io.modelcontextprotocol/protocolVersion";
inline constexpr std::string_view client_capabilities = "io.modelcontextprotocol/clientCapabilities";
inline constexpr std::string_view client_info = "io.modelcontextprotocol/clientInfo";
inline constexpr std::string_view log_level = "io.modelcontextprotocol/logLevel";
inline constexpr std::string_view server_info = "io.modelcontextprotocol/serverInfo";
inline constexpr std::string_view subscription_id = "io.modelcontextprotocol/subscriptionId";
}  // namespace meta_key

/// Names of extensions.
namespace extension {
inline constexpr std::string_view tasks = "io.modelcontextprotocol/tasks";
inline constexpr std::string_view skills = "io.modelcontextprotocol/skills";
}  // namespace extension

}  // namespace wherry::inline v0::mcp
