#pragma once
// A client: speaks to one server, in whichever era that lives.
//
//   wherry::mcp::stdio_server where{.command = {"npx", "-y", "@modelcontextprotocol/server-everything", "stdio"}};
//   auto server = wherry::mcp::client::connect(where);
//   auto sum = server->call("add", R"({"a":1,"b":2})");

#include <wherry/core/result.hpp>
#include <wherry/core/task.hpp>
#include <wherry/llm/model.hpp>
#include <wherry/mcp/content.hpp>
#include <wherry/mcp/context.hpp>
#include <wherry/mcp/revision.hpp>
#include <wherry/mcp/server.hpp>
#include <wherry/mcp/transport.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0::mcp {

/// A form a server wants filled in by the user, or (with `url`) a page it wants them sent to.
struct elicitation {
  std::string message;
  raw_json schema = {};  ///< Of the form: an object of strings, numbers, booleans and choices.
  std::string url = {};
};
/// What the user did. Fields that are left out of `content` get the schema's defaults.
struct elicitation_answer {
  elicited<raw_json>::action_type action = elicited<raw_json>::action_type::decline;
  raw_json content = {"{}"};
};

struct client_options {
  implementation about = {.name = "wherry", .version = "0.1"};
  std::string revision = {};  ///< A revision to speak without asking; empty: the newest that both speak.
  std::chrono::milliseconds connect_time{30'000};
  std::chrono::milliseconds probe_time{5'000};     ///< For an old server to say that it does not know the new question.
  std::chrono::milliseconds request_time{60'000};  ///< For an answer; news of progress begin it anew ...
  std::chrono::milliseconds request_time_max{600'000};  ///< ... up to here.
  std::size_t rounds_max = 16;                          ///< Of questions within one call.
  std::size_t pages_max = 1000;                         ///< Of one list.
  std::size_t in_flight_max = 1024;                     ///< Requests without an answer; beyond: errc::queue_full.
  bool tasks = true;                                    ///< Take tasks (extension tasks) and wait for them.

  // What the server may ask. Called on the client's executor.
  std::function<task<result<elicitation_answer>>(elicitation)> elicit = {};
  std::function<task<result<sampled>>(sample_request)> sample = {};
  std::shared_ptr<model> sampling_model = {};   ///< Answers sampling in place of `sample`.
  std::optional<std::vector<root>> roots = {};  ///< Absent: the server is not told any.

  std::function<void(severity, std::string_view logger, raw_json const& data)> log = {};
  std::optional<severity> log_from = {};  ///< Least level the server should send.
  /// "tools", "prompts", "resources" or a URI. Told of all of them when the server was started again.
  std::function<void(std::string_view what)> changed = {};

  /// Where the client runs. Unset: a thread of its own, shared by all such clients.
  boost::asio::any_io_executor executor = {};
};

/// A tool of a server, as it was listed.
struct remote_tool {
  std::string name;
  std::string title;
  std::string description;
  raw_json input_schema;
  raw_json output_schema;  ///< Empty for none.
  bool reads = false;  ///< It says that it changes nothing (readOnlyHint). A hint: whether to trust it is the host's.
  raw_json source;     ///< All of it.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Arguments that are sent as headers too.
  friend bool operator==(remote_tool const&, remote_tool const&) = default;
};
struct remote_resource {
  std::string uri;  ///< Or the template.
  std::string name, title, description, mime_type;
  raw_json source;
};
struct remote_prompt {
  std::string name, title, description;
  struct argument {
    std::string name, description;
    bool required = false;
  };
  std::vector<argument> arguments;
  raw_json source;
};
struct remote_skill {
  std::string uri;
  std::string name, description;
  raw_json frontmatter;
  struct file {
    std::string uri, digest;
    std::size_t size = 0;
  };
  std::vector<file> files;
};

struct request_options {
  std::optional<std::chrono::milliseconds> time = {};  ///< In place of request_time and request_time_max.
  std::function<void(double done, std::optional<double> total, std::string_view message)> progress = {};
  raw_json meta = {};  ///< Members of `_meta` to send along, an object.
  /// Only while this is client::generation(): a call that rests on what an earlier start of the server said is not made
  /// (errc::conflict).
  std::optional<std::uint64_t> generation = {};
};

/// A connection to a server. A cheap handle; copies share it, and it ends when the last of them goes, or with close().
/// Thread-safe.
///
/// Fails with, every call: the server's own error, its code the JSON-RPC code (json_rpc.hpp); errc::deadline_exceeded;
/// errc::cancelled; errc::io_failed when the server or the way to it is gone (the message says what it wrote to
/// standard error last); errc::parse_error for answers that make no sense; errc::queue_full. The blocking forms fail
/// with errc::would_block_loop on a thread that runs an event loop.
///
/// A server that is a child process and ended by itself is started again when stdio_server::restart says so. Calls
/// under way then fail with errc::io_failed: whether they were carried out is not known, so none is sent twice. Calls
/// made from there on wait, within their time, until the server is back and has agreed on a revision of the same era;
/// kept lists are asked for anew, what was watched is watched again, and client_options::changed hears of everything.
/// When the policy allows no further start, this and every later call fails with errc::io_failed.
class client {
 public:
  static task<result<client>> async_connect(std::unique_ptr<transport> over, client_options options = {});
  static result<client> connect(std::unique_ptr<transport> over, client_options options = {});
  static result<client> connect(stdio_server const& to, client_options options = {}) {
    return connect(make_stdio_transport(to), std::move(options));
  }
  static result<client> connect(http_server_address const& to, client_options options = {}) {
    return connect(make_http_transport(to), std::move(options));
  }

  // What was agreed. A server that was started again may have agreed on another revision; the rest is as it was first.
  revision const& protocol() const noexcept;
  implementation const& server_info() const noexcept;
  std::string const& instructions() const noexcept;
  raw_json const& server_capabilities() const noexcept;
  /// How many times the server has ended by itself and was to be started again.
  std::uint64_t generation() const noexcept;

  /// All tools, all pages. Kept for as long as the server allows (ttlMs) and nothing is heard of a change.
  /// Tools whose x-mcp-header annotations are not allowed are left out, as the protocol demands.
  task<result<std::vector<remote_tool>>> async_tools() const;
  task<result<call_result>> async_call(std::string tool, raw_json arguments = {"{}"},
                                       request_options options = {}) const;
  task<result<std::vector<remote_resource>>> async_resources() const;
  task<result<std::vector<remote_resource>>> async_templates() const;
  task<result<std::vector<resource_contents>>> async_read(std::string uri, request_options options = {}) const;
  task<result<std::vector<remote_prompt>>> async_prompts() const;
  task<result<prompt_result>> async_prompt(std::string name, std::map<std::string, std::string> arguments = {}) const;
  /// Values an argument may have; `ref` is {"type":"ref/prompt","name":...} or {"type":"ref/resource","uri":...}.
  task<result<std::vector<std::string>>> async_complete(raw_json ref, std::string argument, std::string typed) const;
  /// Wants to hear of changes of a resource (client_options::changed).
  task<result<void>> async_watch(std::vector<std::string> uris) const;

  /// Skills (extension skills). Loading reads SKILL.md and checks it against its digest, its size and the front matter
  /// that was listed; what does not match is refused (errc::denied). Nothing is read before.
  task<result<std::vector<remote_skill>>> async_skills() const;
  task<result<std::string>> async_load_skill(remote_skill skill) const;
  task<result<std::string>> async_skill_file(remote_skill skill, std::string uri) const;

  /// Any method. Params are an object; the result comes as it is.
  task<result<raw_json>> async_request(std::string method, raw_json params = {"{}"},
                                       request_options options = {}) const;
  task<void> async_close() const;

  result<std::vector<remote_tool>> tools() const;
  result<call_result> call(std::string tool, raw_json arguments = {"{}"}, request_options options = {}) const;
  result<call_result> call(std::string tool, std::string arguments) const {
    return call(std::move(tool), raw_json{std::move(arguments)});
  }
  result<std::vector<remote_resource>> resources() const;
  result<std::vector<remote_resource>> templates() const;
  result<std::vector<resource_contents>> read(std::string uri) const;
  result<std::vector<remote_prompt>> prompts() const;
  result<prompt_result> prompt(std::string name, std::map<std::string, std::string> arguments = {}) const;
  result<std::vector<remote_skill>> skills() const;
  result<std::string> load_skill(remote_skill skill) const;
  result<std::string> skill_file(remote_skill skill, std::string uri) const;
  result<raw_json> request(std::string method, raw_json params = {"{}"}) const;
  void close() const;

  struct impl;

 private:
  struct holder;
  explicit client(std::shared_ptr<holder> h) noexcept : holder_(std::move(h)) {}
  std::shared_ptr<holder> holder_;
};

}  // namespace wherry::inline v0::mcp
