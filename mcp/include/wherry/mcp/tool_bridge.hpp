#pragma once
// Another program's tools as tools of an agent.
//
//   auto desk = wherry::agent{llm, "Plan trips."}.with(wherry::mcp_server{"npx -y
//   @modelcontextprotocol/server-everything"});

#include <wherry/core/result.hpp>
#include <wherry/llm/message.hpp>
#include <wherry/mcp/client.hpp>
#include <wherry/tools/tool.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wherry::inline v0 {

namespace mcp {

/// Names a tool's definition (name, description, both schemas): 64 hexadecimal digits, different for a different one.
std::string definition_hash(remote_tool const& t);

struct bridge_options {
  std::string prefix = {};  ///< Before each name: "files_". Names are made of what models take; the rest is '_'.
  std::vector<std::string> only = {};  ///< Remote names; empty: all.
  /// Believe the server when it says that a tool changes nothing. Otherwise every tool writes: its calls are
  /// journalled, approved and run one after the other as such.
  bool believe_reads = false;
  /// Definitions that were agreed to, by remote name. One that is listed differently is left out, unless `agree` says
  /// yes. Empty: what is listed now is agreed to.
  std::map<std::string, std::string> pins = {};
  std::function<bool(remote_tool const& now)> agree = {};
  std::optional<std::chrono::milliseconds> time_limit = {};  ///< Of a call; else the executor's.
  /// A tool that declares an output schema gives its structured content, checked against it, as JSON text, as a typed
  /// local tool does. False: the model reads the text blocks, nothing is checked.
  bool structured = true;
};

/// A server's tools. Schemas that cannot be used are refused, not believed.
///
/// Arguments are checked against the schema that was listed before anything is sent, results against the output schema
/// where there is one: tool::output_schema() says so, and a result that is missing or does not fit is a failed one.
/// Once the server says that its tools have changed, or was started again, the next call looks: a tool whose definition
/// is no longer the agreed one is not called any more, and its failed result says so. The effect key of a writing call
/// goes along as `_meta["wherry/effectKey"]`. Fails with: as client::tools; errc::schema_unsupported naming the tool;
/// errc::denied naming the tools whose definitions have changed, when none is left.
task<result<std::vector<wherry::tool>>> async_remote_tools(client of, bridge_options options = {});
result<std::vector<wherry::tool>> remote_tools(client of, bridge_options options = {});

/// What a model gets to see of a result: its text; what is no text is named.
std::string text_for_model(call_result const& r);

/// A prompt as messages for a model.
std::vector<message> to_messages(prompt_result const& p);

}  // namespace mcp

struct mcp_server_options {
  mcp::bridge_options tools = {};
  mcp::client_options client = {};
  mcp::http_server_address http = {};  ///< For a URL: fields, authorisation; its url is set.
  std::string directory = {};          ///< For a command.
  std::vector<std::pair<std::string, std::string>> environment = {};
  restart_policy restart = restart_policy::never();  ///< For a command: of a server that ended by itself.
};

/// A server an agent takes tools from: a command line (split at spaces; quotes keep them together; no shell) or an
/// http(s) URL. A cheap handle: connects when its tools are first asked for, and stays connected while a copy or one of
/// the tools lives. Thread-safe.
class mcp_server {
 public:
  mcp_server(std::string command_or_url, mcp_server_options options = {});

  /// Fails with: as client::connect and async_remote_tools.
  result<std::vector<tool>> tools() const;
  /// The connection: for resources, prompts and all else.
  result<mcp::client> client() const;

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
