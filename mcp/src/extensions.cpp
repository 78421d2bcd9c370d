// The extensions tasks (SEP-2663) and skills (SEP-2640).

#include "content_json.hpp"
#include "server_state.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>

namespace wherry::inline v0::mcp::detail {
namespace {

constexpr std::string_view status_names[] = {"working", "input_required", "completed", "failed", "cancelled"};
constexpr std::string_view tasks_missing =
    R"({"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}})";

/// The task a request names; null when it was refused.
std::shared_ptr<task_entry> named_task(call_state& c) {
  if (!c.client.tasks) {
    c.refuse(rpc_code::missing_client_capability, "the client has not declared the extension tasks", tasks_missing);
    return nullptr;
  }
  if (!is_string(c.params.task_id)) {
    c.refuse(rpc_code::invalid_params, "\"taskId\" must be a string");
    return nullptr;
  }
  auto const id = unquoted(c.params.task_id);
  c.server->forget_old_tasks();
  std::unique_lock lock(c.server->mutex);
  auto const at = c.server->tasks.find(id);
  auto const found = at == c.server->tasks.end() ? nullptr : at->second;
  lock.unlock();
  if (!found) c.refuse(rpc_code::invalid_params, "there is no task \"" + id + "\"");
  return found;
}

}  // namespace

void server_state::forget_old_tasks() {
  auto const time = now();
  std::lock_guard const lock(mutex);
  std::erase_if(tasks, [&](auto const& entry) { return entry.second->ended() && entry.second->forget_at <= time; });
}

std::string server_state::task_json(task_entry const& t) const {
  std::string out = R"("taskId":")" + t.id + R"(","status":")" +
                    std::string(status_names[static_cast<std::size_t>(t.status)]) + R"(","createdAt":")" +
                    to_rfc3339(t.created) + R"(","lastUpdatedAt":")" + to_rfc3339(t.updated) + R"(","ttlMs":)" +
                    std::to_string((options.task_time_limit + options.task_ttl).count()) + R"(,"pollIntervalMs":)" +
                    std::to_string(options.task_poll.count());
  put_text(out, "statusMessage", t.message);
  return out;
}

std::shared_ptr<task_entry> server_state::make_task(std::shared_ptr<call_state> const& call) {
  forget_old_tasks();
  auto const t = std::make_shared<task_entry>();
  t->id = to_base64(random_bytes(18));  // 144 random bits: knowing an id is the right to look
  std::ranges::replace(t->id, '+', '-');
  std::ranges::replace(t->id, '/', '_');
  t->created = t->updated = now();
  t->call = call;
  std::string members;
  {
    std::lock_guard const lock(mutex);
    if (tasks.size() >= options.tasks_max) {
      // Of those that have ended, the oldest makes room.
      auto oldest = tasks.end();
      for (auto at = tasks.begin(); at != tasks.end(); ++at)
        if (at->second->ended() && (oldest == tasks.end() || at->second->updated < oldest->second->updated))
          oldest = at;
      if (oldest == tasks.end()) return nullptr;
      tasks.erase(oldest);
    }
    tasks[t->id] = t;
    members = task_json(*t);
  }
  // The client looks at the task from now on; its request is over.
  if (call->session) call->session->calls.erase(call->id);
  call->time_limit = options.task_time_limit;
  if (call->limit) call->arm(call->time_limit);
  call->answer(members, {}, "task");
  call->task = t;
  return t;
}

void do_tasks_get(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const t = named_task(*call);
  if (!t) return;
  std::string members;
  {
    std::lock_guard const lock(call->server->mutex);
    members = call->server->task_json(*t);
    if (t->status == task_entry::status_type::completed) put_raw(members, "result", t->outcome);
    if (t->status == task_entry::status_type::failed) put_raw(members, "error", t->outcome);
    if (t->status == task_entry::status_type::input_required) {
      std::string asked = "{";
      for (auto const& [key, request] : t->asked) {
        std::string quoted;
        append_string(quoted, key);
        put_raw(asked, std::string_view(quoted).substr(1, quoted.size() - 2), request);
      }
      put_raw(members, "inputRequests", asked + "}");
    }
  }
  call->answer(members, {});
}

void do_tasks_update(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const t = named_task(*call);
  if (!t) return;
  auto const brought = call->params.input_responses;
  if (!is_object(brought)) return call->refuse(rpc_code::invalid_params, "\"inputResponses\" must be an object");
  std::map<std::string, std::string> taken;
  std::shared_ptr<call_state> worker;
  bool all = false;
  {
    std::lock_guard const lock(call->server->mutex);
    each_member(brought, [&](std::string_view key, std::string_view value) {
      if (t->asked.erase(std::string(key)) > 0) taken[std::string(key)] = std::string(value);
      return true;
    });
    worker = t->call.lock();
    all = t->asked.empty() && !taken.empty();
    if (all && t->status == task_entry::status_type::input_required) t->status = task_entry::status_type::working;
    if (!taken.empty()) t->updated = call->server->now();
  }
  if (worker && !taken.empty())
    asio::post(worker->executor, [worker, all, taken = std::move(taken)] {
      for (auto const& [key, value] : taken) worker->answers[key] = value;
      if (all && worker->wake) worker->wake->cancel();
    });
  call->answer({}, {});
}

void do_tasks_cancel(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const t = named_task(*call);
  if (!t) return;
  std::shared_ptr<call_state> worker;
  {
    std::lock_guard const lock(call->server->mutex);
    if (!t->ended()) {
      t->status = task_entry::status_type::cancelled;
      t->updated = call->server->now();
      t->forget_at = t->updated + call->server->options.task_ttl.count();
      t->asked.clear();
      worker = t->call.lock();
    }
  }
  if (worker) asio::post(worker->executor, [worker] { worker->abandon(); });
  call->answer({}, {});
}

// ---------------------------------------------------------------- skills

void do_skills_list(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const& s = *call->server;
  auto const& cursor = call->params.cursor;
  auto page = s.catalog_now()->page(list_kind::skills, *call->rev, is_string(cursor) ? unquoted(cursor) : std::string{},
                                    s.options.page_size);
  if (!page) return call->refuse(rpc_code::invalid_params, "no page ended with this cursor; begin again without one");
  *page += cache_members(s, *call->rev, s.options.list_ttl);
  call->answer(*page, {});
}

void do_skills_get(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const& s = *call->server;
  auto const uri = is_string(call->params.uri) ? unquoted(call->params.uri) : std::string{};
  for (auto const& skill : s.catalog_now()->skills) {
    if (skill->uri != uri) continue;
    return call->answer(R"("skill":)" + skill->entry + cache_members(s, *call->rev, s.options.read_ttl), {});
  }
  call->refuse(rpc_code::invalid_params, "there is no skill " + uri,
               R"({"uri":)" + (call->params.uri.empty() ? "null" : std::string(call->params.uri)) + "}");
}

void do_directory_read(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const& s = *call->server;
  auto uri = is_string(call->params.uri) ? unquoted(call->params.uri) : std::string{};
  while (uri.size() > 8 && uri.back() == '/') uri.pop_back();
  auto const prefix = uri + "/";
  std::map<std::string, std::string> children;  // by URI, as JSON
  auto const offered = s.catalog_now();
  for (auto const& skill : offered->skills) {
    for (auto const& [file_uri, file] : skill->files) {
      if (!file_uri.starts_with(prefix)) continue;
      auto const rest = file_uri.substr(prefix.size());
      auto const slash = rest.find('/');
      auto const name = rest.substr(0, slash);
      std::string item = "{";
      put_string(item, "uri", prefix + name);
      put_string(item, "name", name);
      if (slash == std::string::npos) {
        put_string(item, "mimeType", file.mime_type);
        put_raw(item, "size", std::to_string(file.data.size()));
      } else {
        put_string(item, "mimeType", "inode/directory");
      }
      children.emplace(prefix + name, item + "}");
    }
  }
  if (children.empty()) return call->refuse(rpc_code::invalid_params, uri + " is no directory");
  std::string members = R"("resources":[)";
  bool first = true;
  for (auto const& [_, item] : children) {
    if (!std::exchange(first, false)) members += ',';
    members += item;
  }
  members += ']' + cache_members(s, *call->rev, s.options.read_ttl);
  call->answer(members, {});
}

}  // namespace wherry::inline v0::mcp::detail
