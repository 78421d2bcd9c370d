#pragma once
// What all connections of a server share.

#include "call.hpp"
#include "seal.hpp"

#include <wherry/core/id.hpp>

#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>

namespace wherry::inline v0::mcp::detail {

/// A task of the extension tasks. Guarded by server_state::mutex.
struct task_entry {
  enum class status_type { working, input_required, completed, failed, cancelled };
  std::string id;
  status_type status = status_type::working;
  utc_ms created = 0, updated = 0;
  utc_ms forget_at = 0;  ///< Once it has ended.
  std::string message;
  std::string outcome;                       ///< The result or the error, as JSON.
  std::map<std::string, std::string> asked;  ///< Questions without an answer, by key; as JSON.
  std::weak_ptr<call_state> call;
  bool ended() const noexcept { return status >= status_type::completed; }
};

/// A stream that wants to hear of changes (subscriptions/listen). Guarded by server_state::mutex.
struct listener {
  std::shared_ptr<call_state> call;
  bool tools = false, prompts = false, resources = false;
  std::set<std::string, std::less<>> uris;
};

/// How a message was carried: what HTTP said beside it.
struct carriage {
  bool http = false;
  bool handshake_only = false;  ///< It came within a session of the handshake era.
  std::optional<std::string_view> version_header, method_header, name_header;
  /// The value of Mcp-Param-<name>, for the header check of tools.
  std::function<std::optional<std::string>(std::string_view header)> parameter;
};

struct server_state : std::enable_shared_from_this<server_state> {
  server_state(implementation who, server_options how);

  implementation const about;
  server_options const options;
  std::string const about_json;      ///< The implementation as JSON, for revisions with icons.
  std::string const about_json_old;  ///< ... and without.
  std::string const result_meta;     ///< `"io.modelcontextprotocol/serverInfo":{...}`
  sealer const seals;

  mutable std::mutex mutex;
  std::shared_ptr<catalog const> offered;  ///< Replaced, never changed.
  /// Handlers waiting for input, by handle. A handler that waits lives in its coroutine: held here, it and the server
  /// would keep each other alive when their loop is gone.
  std::map<std::string, std::weak_ptr<call_state>, std::less<>> waiting;
  std::deque<std::string> waiting_order;  ///< Oldest first; may name ones that went on.
  std::map<std::string, std::shared_ptr<task_entry>, std::less<>> tasks;
  std::vector<listener> listeners;
  std::vector<std::pair<std::weak_ptr<session_state>, asio::any_io_executor>> sessions;
  std::atomic<std::size_t> calls{0};

  std::shared_ptr<catalog const> catalog_now() const {
    std::lock_guard const lock(mutex);
    return offered;
  }
  utc_ms now() const { return options.time_source->now(); }

  /// Takes one message. Requests are answered through `to`, now or later; nothing else is answered, except what is no
  /// message at all. Called on `where`. Returns the call when it is still under way.
  std::shared_ptr<call_state> receive(std::string text, std::shared_ptr<reply> to,
                                      std::shared_ptr<session_state> session, asio::any_io_executor where,
                                      carriage const& by);

  /// A connection of the handshake era that wants to hear of changes, and the executor it belongs to.
  void enlist(std::shared_ptr<session_state> const& session, asio::any_io_executor where);

  enum class change { tools, prompts, resources, resource };
  void announce(change what, std::string_view uri = {});

  /// The capabilities as JSON.
  std::string capabilities_json(revision const& rev) const;
  std::string supported_json() const;

  // Extension tasks.
  std::shared_ptr<task_entry> make_task(std::shared_ptr<call_state> const& call);
  std::string task_json(task_entry const& t) const;  ///< Members, without braces.
  void forget_old_tasks();
};

/// The methods, by name. In dispatch.cpp.
void dispatch(std::shared_ptr<call_state> const& call, carriage const& by);
client_capabilities read_capabilities(std::string_view raw);

// In methods.cpp and extensions.cpp.
void do_tools_call(std::shared_ptr<call_state> const& call, carriage const& by);
void do_prompts_get(std::shared_ptr<call_state> const& call, carriage const& by);
void do_resources_read(std::shared_ptr<call_state> const& call, carriage const& by);
void do_complete(std::shared_ptr<call_state> const& call, carriage const& by);
void do_tasks_get(std::shared_ptr<call_state> const& call, carriage const& by);
void do_tasks_update(std::shared_ptr<call_state> const& call, carriage const& by);
void do_tasks_cancel(std::shared_ptr<call_state> const& call, carriage const& by);
void do_skills_list(std::shared_ptr<call_state> const& call, carriage const& by);
void do_skills_get(std::shared_ptr<call_state> const& call, carriage const& by);
void do_directory_read(std::shared_ptr<call_state> const& call, carriage const& by);

/// Reads the answers a request brings (inputResponses, requestState). False: it was refused, or it was handed on to the
/// handler that waits for it.
bool take_answers(std::shared_ptr<call_state> const& call);
/// The first `count` of cache members of a result: ttlMs and cacheScope, for the stateless era.
std::string cache_members(server_state const& s, revision const& rev, std::chrono::milliseconds ttl);

}  // namespace wherry::inline v0::mcp::detail
