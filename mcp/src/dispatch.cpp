// A message arrives: what it is, which era it belongs to, which method answers it.

#include "content_json.hpp"
#include "server_state.hpp"

#include <algorithm>

namespace wherry::inline v0::mcp::detail {

params_view::params_view(std::string_view params) {
  each_member(params, [this](std::string_view key, std::string_view value) {
    switch (key.size()) {
      case 3:
        if (key == "uri") uri = value;
        if (key == "ref") ref = value;
        break;
      case 4:
        if (key == "name") name = value;
        break;
      case 5:
        if (key == "_meta") meta = value;
        if (key == "level") level = value;
        break;
      case 6:
        if (key == "cursor") cursor = value;
        if (key == "taskId") task_id = value;
        break;
      case 7:
        if (key == "context") context = value;
        break;
      case 8:
        if (key == "argument") argument = value;
        break;
      case 9:
        if (key == "arguments") arguments = value;
        if (key == "requestId") request_id = value;
        break;
      case 12:
        if (key == "requestState") request_state = value;
        break;
      case 13:
        if (key == "notifications") notifications = value;
        break;
      case 14:
        if (key == "inputResponses") input_responses = value;
        break;
      default: break;
    }
    return true;
  });
  if (!is_object(meta)) return;
  each_member(meta, [this](std::string_view key, std::string_view value) {
    if (key == meta_key::protocol_version) protocol_version = value;
    if (key == meta_key::client_capabilities) capabilities = value;
    if (key == meta_key::client_info) client_info = value;
    if (key == meta_key::log_level) log_level = value;
    if (key == "progressToken") progress_token = value;
    return true;
  });
}

client_capabilities read_capabilities(std::string_view raw) {
  client_capabilities out;
  if (!is_object(raw)) return out;
  each_member(raw, [&](std::string_view key, std::string_view value) {
    if (!is_object(value)) return true;
    if (key == "elicitation") {
      // An empty object means forms: that is how the first revision with elicitation said it.
      out.url_elicitation = is_object(member(value, "url"));
      out.elicitation = is_object(member(value, "form")) || !out.url_elicitation;
    } else if (key == "sampling") {
      out.sampling = true;
      out.sampling_tools = is_object(member(value, "tools"));
    } else if (key == "roots") {
      out.roots = true;
    } else if (key == "extensions") {
      out.tasks = is_object(member(value, extension::tasks));
    }
    return true;
  });
  return out;
}

namespace {

using handler_function = void (*)(std::shared_ptr<call_state> const& call, carriage const& by);

// ---------------------------------------------------------------- small methods

void do_discover(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const& s = *call->server;
  std::string members =
      R"("supportedVersions":)" + s.supported_json() + R"(,"capabilities":)" + s.capabilities_json(*call->rev);
  if (!s.options.instructions.empty()) {
    members += R"(,"instructions":)";
    append_string(members, s.options.instructions);
  }
  members += cache_members(s, *call->rev, s.options.list_ttl);
  call->answer(members, {});
}

void do_initialize(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const& s = *call->server;
  auto const params = call->message.params;
  auto const asked = string_member(params, "protocolVersion");
  if (!asked) return call->refuse(rpc_code::invalid_params, "initialize needs a protocolVersion");
  if (!call->session) return call->refuse(rpc_code::invalid_request, "this connection keeps no session");
  auto const* agreed = find_revision(*asked);
  if (!agreed || agreed->stateless) agreed = &newest_handshake();
  auto& session = *call->session;
  session.agreed = agreed;
  session.client = read_capabilities(member(params, "capabilities"));
  if (!agreed->url_elicitation) session.client.url_elicitation = false;
  call->rev = agreed;
  std::string members = R"("protocolVersion":")" + std::string(agreed->name) + R"(","capabilities":)" +
                        s.capabilities_json(*agreed) + R"(,"serverInfo":)" +
                        (agreed->icons ? s.about_json : s.about_json_old);
  if (!s.options.instructions.empty()) {
    members += R"(,"instructions":)";
    append_string(members, s.options.instructions);
  }
  call->server->enlist(call->session, call->executor);
  call->answer(members, {});
}

void do_ping(std::shared_ptr<call_state> const& call, carriage const&) { call->answer({}, {}); }

void do_set_level(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const name = is_string(call->params.level) ? unquoted(call->params.level) : std::string{};
  auto const level = severity_of(name);
  if (!level) return call->refuse(rpc_code::invalid_params, "there is no log level \"" + name + "\"");
  if (call->session) call->session->log_from = level;
  call->answer({}, {});
}

void list(std::shared_ptr<call_state> const& call, list_kind kind) {
  auto const& s = *call->server;
  auto const& cursor = call->params.cursor;
  if (!cursor.empty() && !is_string(cursor))
    return call->refuse(rpc_code::invalid_params, "\"cursor\" must be a string");
  auto page =
      s.catalog_now()->page(kind, *call->rev, cursor.empty() ? std::string{} : unquoted(cursor), s.options.page_size);
  if (!page) return call->refuse(rpc_code::invalid_params, "no page ended with this cursor; begin again without one");
  *page += cache_members(s, *call->rev, s.options.list_ttl);
  call->answer(*page, {});
}

void do_tools_list(std::shared_ptr<call_state> const& call, carriage const&) { list(call, list_kind::tools); }
void do_prompts_list(std::shared_ptr<call_state> const& call, carriage const&) { list(call, list_kind::prompts); }
void do_resources_list(std::shared_ptr<call_state> const& call, carriage const&) { list(call, list_kind::resources); }
void do_templates_list(std::shared_ptr<call_state> const& call, carriage const&) { list(call, list_kind::templates); }

void subscribe(std::shared_ptr<call_state> const& call, bool on) {
  if (!is_string(call->params.uri)) return call->refuse(rpc_code::invalid_params, "\"uri\" must be a string");
  constexpr std::size_t subscriptions_max = 1024;
  auto& uris = call->session->subscribed;
  auto uri = unquoted(call->params.uri);
  if (!on) {
    uris.erase(uri);
  } else if (uris.size() >= subscriptions_max) {
    return call->refuse(rpc_code::invalid_params, "too many subscriptions; unsubscribe from some first");
  } else {
    uris.insert(std::move(uri));
  }
  call->answer({}, {});
}
void do_subscribe(std::shared_ptr<call_state> const& call, carriage const&) { subscribe(call, true); }
void do_unsubscribe(std::shared_ptr<call_state> const& call, carriage const&) { subscribe(call, false); }

constexpr std::size_t listeners_max = 1024;

void do_listen(std::shared_ptr<call_state> const& call, carriage const&) {
  auto const filter = call->params.notifications;
  if (!is_object(filter)) return call->refuse(rpc_code::invalid_params, "\"notifications\" must be an object");
  auto const& s = call->server;
  auto const offered = s->catalog_now();
  listener l{.call = call};
  std::string agreed = "{";
  each_member(filter, [&](std::string_view key, std::string_view value) {
    auto const wants = [&](std::string_view name, bool have, bool& flag) {
      if (key != name || value != "true" || !have) return;
      flag = true;
      put_raw(agreed, name, "true");
    };
    wants("toolsListChanged", true, l.tools);
    wants("promptsListChanged", true, l.prompts);
    wants("resourcesListChanged", true, l.resources);
    if (key == "resourceSubscriptions" && is_array(value)) {
      each_item(value, [&](std::string_view uri) { return is_string(uri) && (l.uris.insert(unquoted(uri)), true); });
      put_raw(agreed, key, value);
    }
    return true;
  });
  agreed += '}';
  {
    std::lock_guard const lock(s->mutex);
    if (s->listeners.size() >= listeners_max) {
      call->refuse(rpc_code::internal_error, "too many listeners; try again later");
      return;
    }
  }
  // The acknowledgement comes before anything else on this stream.
  call->out->notify(rpc_notification("notifications/subscriptions/acknowledged",
                                     R"({"notifications":)" + agreed + R"(,"_meta":{")" +
                                         std::string(meta_key::subscription_id) + "\":" + call->id + "}}"));
  if (call->session) call->session->calls[call->id] = call;
  std::lock_guard const lock(s->mutex);
  s->listeners.push_back(std::move(l));
}

// ---------------------------------------------------------------- the table

enum class needs { nothing, tools, prompts, resources, completions, skills };

struct method_row {
  std::string_view name;
  bool stateless, handshake;
  needs what;
  handler_function run;
  std::string_view params_view::* named = nullptr;  ///< What Mcp-Name must say.
};

constexpr method_row methods[] = {
    {"tools/call", true, true, needs::tools, do_tools_call, &params_view::name},
    {"tools/list", true, true, needs::tools, do_tools_list},
    {"server/discover", true, false, needs::nothing, do_discover},
    {"initialize", false, true, needs::nothing, do_initialize},
    {"ping", false, true, needs::nothing, do_ping},
    {"resources/read", true, true, needs::resources, do_resources_read, &params_view::uri},
    {"resources/list", true, true, needs::resources, do_resources_list},
    {"resources/templates/list", true, true, needs::resources, do_templates_list},
    {"prompts/get", true, true, needs::prompts, do_prompts_get, &params_view::name},
    {"prompts/list", true, true, needs::prompts, do_prompts_list},
    {"completion/complete", true, true, needs::completions, do_complete},
    {"subscriptions/listen", true, false, needs::nothing, do_listen},
    {"tasks/get", true, false, needs::nothing, do_tasks_get, &params_view::task_id},
    {"tasks/update", true, false, needs::nothing, do_tasks_update, &params_view::task_id},
    {"tasks/cancel", true, false, needs::nothing, do_tasks_cancel, &params_view::task_id},
    {"logging/setLevel", false, true, needs::nothing, do_set_level},
    {"resources/subscribe", false, true, needs::resources, do_subscribe},
    {"resources/unsubscribe", false, true, needs::resources, do_unsubscribe},
    {"skills/list", true, true, needs::skills, do_skills_list},
    {"skills/get", true, true, needs::skills, do_skills_get},
    {"resources/directory/read", true, true, needs::skills, do_directory_read},
};

bool offers(catalog const& offered, needs what) {
  switch (what) {
    case needs::tools: return !offered.tools.empty();
    case needs::prompts: return !offered.prompts.empty();
    case needs::resources: return !offered.resources.empty() || !offered.templates.empty() || !offered.skills.empty();
    case needs::completions: return !offered.prompts.empty() || !offered.templates.empty();
    case needs::skills: return !offered.skills.empty();
    case needs::nothing: break;
  }
  return true;
}

// ---------------------------------------------------------------- what a stateless request says about itself

/// The value of a header: as it stands, or wrapped in =?base64?...?= ; nothing for a broken wrapper.
std::optional<std::string> header_value(std::string_view text) {
  if (!text.starts_with("=?base64?") || !text.ends_with("?=")) return std::string(text);
  return from_base64(text.substr(9, text.size() - 11));
}

/// False: refused.
bool check_headers(std::shared_ptr<call_state> const& call, carriage const& by, std::string_view version) {
  auto const refuse = [&](std::string const& what) {
    call->refuse(rpc_code::header_mismatch, what);
    return false;
  };
  if (!by.version_header) return refuse("the header MCP-Protocol-Version is missing");
  if (*by.version_header != version)
    return refuse("the header MCP-Protocol-Version says \"" + std::string(*by.version_header) + "\", the message \"" +
                  std::string(version) + "\"");
  if (!by.method_header) return refuse("the header Mcp-Method is missing");
  if (*by.method_header != call->message.method)
    return refuse("the header Mcp-Method says \"" + std::string(*by.method_header) + "\", the message \"" +
                  std::string(call->message.method) + "\"");
  return true;
}

bool check_name_header(std::shared_ptr<call_state> const& call, carriage const& by, method_row const& row) {
  if (!row.named) return true;
  auto const raw = call->params.*row.named;
  if (!is_string(raw)) return true;  // the method will say so
  auto const refuse = [&](std::string const& what) {
    call->refuse(rpc_code::header_mismatch, what);
    return false;
  };
  if (!by.name_header) return refuse("the header Mcp-Name is missing");
  auto const value = header_value(*by.name_header);
  auto const plain = plain_string(raw);
  bool const same = value && (plain ? *value == *plain : *value == unquoted(raw));
  if (!same) return refuse("the header Mcp-Name says something else than the message");
  return true;
}

/// False: refused.
bool read_envelope(std::shared_ptr<call_state> const& call, carriage const& by) {
  auto& p = call->params;
  auto const missing = [&](std::string_view name) {
    call->bad_request = true;
    call->refuse(rpc_code::invalid_params, "_meta lacks \"" + std::string(name) + "\"; every request must carry it");
    return false;
  };
  if (!is_string(p.protocol_version)) return missing(meta_key::protocol_version);
  if (!is_object(p.capabilities)) return missing(meta_key::client_capabilities);
  auto const plain = plain_string(p.protocol_version);
  auto const version = plain ? *plain : std::string_view("?");
  if (by.http && !check_headers(call, by, version)) return false;
  auto const* const rev = find_revision(version);
  if (!rev || !rev->stateless) {
    std::string data = R"({"supported":)" + call->server->supported_json() + R"(,"requested":)" +
                       std::string(p.protocol_version) + "}";
    call->refuse(rpc_code::unsupported_protocol_version, "this server does not speak that revision", data);
    return false;
  }
  call->rev = rev;
  if (p.capabilities.size() > 2) call->client = read_capabilities(p.capabilities);
  if (is_string(p.log_level)) call->log_from = severity_of(unquoted(p.log_level));
  return true;
}

bool is_stateless(call_state const& call, carriage const& by) {
  if (by.handshake_only) return false;
  if (!call.params.protocol_version.empty()) return true;
  auto const& method = call.message.method;
  if (method == "initialize")
    return by.version_header && find_revision(*by.version_header) && find_revision(*by.version_header)->stateless;
  if (by.http) return true;
  return !(call.session && call.session->agreed) && method != "ping";
}

// ---------------------------------------------------------------- answers and notifications from the client

void take_answer(session_state& session, rpc_message const& m) {
  auto const at = session.questions.find(m.id);
  if (at == session.questions.end()) return;  // late, or never asked
  auto const question = std::move(at->second);
  session.questions.erase(at);
  auto const call = question.call.lock();
  if (!call) return;
  if (m.kind == rpc_message::kind_type::result)
    call->answers[question.key] = std::string(m.payload);
  else
    call->refusals[question.key] = make_rpc_error(
        static_cast<int>(integer_member(m.payload, "code").value_or(rpc_code::internal_error)),
        string_member(m.payload, "message").value_or("the client refused"), std::string(member(m.payload, "data")));
  if (call->wake) call->wake->cancel();
}

void take_notification(std::shared_ptr<call_state> const& call) {
  auto const& session = call->session;
  if (call->message.method != "notifications/cancelled" || !session) return;
  auto const at = session->calls.find(call->params.request_id);
  if (at == session->calls.end()) return;
  auto const target = at->second.lock();
  session->calls.erase(at);
  if (target) target->abandon();
}

}  // namespace

void dispatch(std::shared_ptr<call_state> const& call, carriage const& by) {
  auto& c = *call;
  if (c.params.meta.size() > 2 && !c.params.progress_token.empty() &&
      (is_string(c.params.progress_token) || integer_in(c.params.progress_token)))
    c.progress_token = c.params.progress_token;
  bool const stateless = is_stateless(c, by);
  if (stateless) {
    c.rev = &newest_stateless();
    if (!read_envelope(call, by)) return;
  } else {
    c.rev = c.session && c.session->agreed ? c.session->agreed : &newest_handshake();
    if (c.session) {
      c.client = c.session->client;
      c.log_from = c.session->log_from.value_or(severity::info);
    }
  }
  for (auto const& row : methods) {
    if (row.name != c.message.method) continue;
    if (!(stateless ? row.stateless : row.handshake)) break;
    if (row.what != needs::nothing && !offers(*c.server->catalog_now(), row.what)) break;
    if (stateless && by.http && !check_name_header(call, by, row)) return;
    return row.run(call, by);
  }
  c.refuse(rpc_code::method_not_found,
           "there is no method \"" + std::string(c.message.method) + "\" in revision " + std::string(c.rev->name));
}

std::shared_ptr<call_state> server_state::receive(std::string text, std::shared_ptr<reply> to,
                                                  std::shared_ptr<session_state> session, asio::any_io_executor where,
                                                  carriage const& by) {
  auto const call = std::make_shared<call_state>(std::move(text), shared_from_this(), std::move(to), std::move(session),
                                                 std::move(where));
  auto read = read_rpc(call->text);
  if (!read) {
    auto const& why = read.error();
    call->out->begins();
    call->out->finish(rpc_error(why.id, why.code, why.message), 400);
    call->answered = true;
    return nullptr;
  }
  call->message = *read;
  if (read->kind == rpc_message::kind_type::result || read->kind == rpc_message::kind_type::error) {
    if (call->session) take_answer(*call->session, *read);
    return nullptr;
  }
  call->params = params_view(read->params);
  if (read->kind == rpc_message::kind_type::notification) {
    take_notification(call);
    return nullptr;
  }
  call->id = std::string(read->id);
  call->out->begins();
  call->out->serves(call);
  dispatch(call, by);
  return call->out ? call : nullptr;
}

}  // namespace wherry::inline v0::mcp::detail
